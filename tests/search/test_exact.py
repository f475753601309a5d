"""Exact search finds what comparing every two vectors in float64 finds, however the rows are cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderator.contracts import VectorBlock
from moderator.errors import ModelMismatch
from moderator.search import exact
from moderator.vectors import Ids, Matrix, normalise
from tests.handmade import at, cosine_of

Pairs = dict[tuple[int, int], float]
TOLERANCE = 2e-6
"""How far a float32 dot product of up to eight terms may be from the float64 one, twice over."""


@dataclass(frozen=True)
class Side:
    """Content ids and unit vectors, a row a view; the views of a content stand together."""

    contents: Ids
    matrix: Matrix

    def blocks(self, ends: Sequence[int]) -> Iterator[VectorBlock]:
        """Cuts the rows at `ends`, as a store that reads in blocks does."""
        bounds = [0, *sorted(ends), len(self.contents)]
        for start, end in pairwise(bounds):
            if start < end:
                yield VectorBlock(
                    self.contents[start:end], ("whole",) * (end - start), self.matrix[start:end]
                )

    @property
    def between(self) -> list[int]:
        """Where one may cut without parting two views of a content."""
        return [row for row in range(1, len(self.contents)) if self.contents[row] != self.contents[row - 1]]


@st.composite
def sides(draw: st.DrawFn) -> Side:
    views = draw(st.lists(st.integers(1, 4), max_size=8))
    contents = np.repeat(np.arange(10, 10 + len(views), dtype=np.int64), views)
    # Few different numbers, so that equal vectors and equal scores are met often.
    component = st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0, 2.0])
    row = st.tuples(*[component] * 4).filter(any)
    rows = draw(st.lists(row, min_size=len(contents), max_size=len(contents)))
    return Side(contents, normalise(rows) if rows else np.empty((0, 4), dtype=np.float32))


THRESHOLDS = st.one_of(
    st.floats(-1, 1), st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 0.7071067811865476, 0.9999999, 1.0])
)


def brute_force(queries: Side, corpus: Side) -> Pairs:
    """The closest two views of every two contents, in float64."""
    products: npt.NDArray[np.float64] = queries.matrix.astype(np.float64) @ corpus.matrix.astype(np.float64).T
    best: Pairs = {}
    for row, content in enumerate(queries.contents.tolist()):
        for column, other in enumerate(corpus.contents.tolist()):
            best[content, other] = max(best.get((content, other), -2.0), float(products[row, column]))
    return best


def pairs_of(hits: Sequence[exact.Hits]) -> list[tuple[int, int, float]]:
    return [
        found
        for one in hits
        for found in zip(one.contents.tolist(), one.others.tolist(), one.scores.tolist(), strict=True)
    ]


def search(queries: Side, corpus: Side, threshold: float, cap: int = 10_000) -> list[tuple[int, int, float]]:
    return pairs_of(list(exact.above(queries.blocks([]), lambda: corpus.blocks([]), threshold, cap)))


@given(sides(), sides(), THRESHOLDS, st.data())
def test_every_pair_at_or_above_the_threshold_is_found_once_however_the_rows_are_cut(
    queries: Side, corpus: Side, threshold: float, data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.sampled_from(queries.between), unique=True)) if queries.between else []
    rows = st.integers(0, len(corpus.contents))
    corpus_cuts = data.draw(st.lists(rows, max_size=5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "QUERIES", data.draw(st.integers(1, 5)))
        hits = list(exact.above(queries.blocks(cuts), lambda: corpus.blocks(corpus_cuts), threshold, 10_000))
    found = pairs_of(hits)
    scores = {(content, other): score for content, other, score in found}
    expected = brute_force(queries, corpus)
    assert len(found) == len(scores)
    assert {pair for pair, score in expected.items() if score >= threshold} <= scores.keys()
    assert all(expected[pair] >= threshold - TOLERANCE for pair in scores)
    assert all(abs(score - expected[pair]) < TOLERANCE for pair, score in scores.items())
    assert all(-1 <= score <= 1 for score in scores.values())


@given(sides(), sides(), THRESHOLDS, st.integers(1, 4))
def test_a_cap_keeps_the_closest_of_each_content(
    queries: Side, corpus: Side, threshold: float, cap: int
) -> None:
    every, capped = search(queries, corpus, threshold), search(queries, corpus, threshold, cap)
    for content in set(queries.contents.tolist()):
        all_scores = sorted((score for first, _, score in every if first == content), reverse=True)
        kept = [score for first, _, score in capped if first == content]
        assert kept == all_scores[:cap]


@given(sides(), sides(), THRESHOLDS, st.integers(1, 4))
def test_by_view_each_view_has_what_it_would_have_as_a_content(
    queries: Side, corpus: Side, threshold: float, cap: int
) -> None:
    blocks = list(exact.above(queries.blocks([]), lambda: corpus.blocks([]), threshold, cap, by_view=True))
    for hits in blocks:
        assert len(set(zip(hits.contents.tolist(), hits.others.tolist(), strict=True))) == len(hits.contents)
    rows = search(Side(np.arange(len(queries.contents)), queries.matrix), corpus, threshold, cap)
    contents = queries.contents.tolist()
    assert sorted(pairs_of(blocks)) == sorted((contents[row], other, score) for row, other, score in rows)


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 2**40), st.sampled_from([-1.0, -0.5, -0.0, 0.0, 0.25, 0.5, 1.0])),
        max_size=60,
    ),
    st.integers(1, 5),
)
def test_hits_are_ranked_as_sorting_them_one_by_one_does(rows: list[tuple[int, int, float]], cap: int) -> None:
    rows = [(first, second % 7 if second % 2 else second, score + 0.0) for first, second, score in rows]
    best: dict[tuple[int, int], float] = {}
    for first, second, score in rows:
        best[first, second] = max(score, best.get((first, second), -2.0))
    expected: list[tuple[int, int, float]] = []
    for content in sorted({first for first, _, _ in rows}):
        ranked = sorted((-score, other) for (first, other), score in best.items() if first == content)
        expected += [(content, other, -less) for less, other in ranked[:cap]]
    firsts, seconds, scores = (np.array([row[place] for row in rows]) for place in range(3))
    hits = exact.closest(exact.Hits(firsts.astype(np.int64), seconds.astype(np.int64), scores.astype(np.float32)), cap)
    assert list(zip(hits.contents.tolist(), hits.others.tolist(), hits.scores.tolist(), strict=True)) == expected


@given(sides(), THRESHOLDS)
def test_what_is_found_is_the_same_from_either_side(side: Side, threshold: float) -> None:
    found = {(first, second) for first, second, _ in search(side, side, threshold)}
    turned_round = {(second, first) for first, second in found}
    borderline = {
        pair for pair, score in brute_force(side, side).items() if abs(score - threshold) < TOLERANCE
    }
    assert found ^ turned_round <= borderline


def side(*contents: tuple[int, Matrix]) -> Side:
    ids = np.concatenate([np.full(len(rows), content, dtype=np.int64) for content, rows in contents])
    return Side(ids, np.concatenate([rows for _, rows in contents]))


def test_a_content_counts_with_the_closest_of_its_views() -> None:
    ((first, second, score),) = search(side((1, at(0))), side((2, at(90, 10, 60))), 0.5)
    assert (first, second) == (1, 2)
    assert score == pytest.approx(cosine_of(10))


def test_the_closest_comes_first_and_ties_come_by_content() -> None:
    found = search(side((1, at(0))), side((2, at(40)), (3, at(10)), (4, at(-10)), (5, at(0))), 0.5)
    assert [second for _, second, _ in found] == [5, 3, 4, 2]


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.6, 0.7, 0.8, 0.9, 0.97, 1.0])
def test_a_pair_that_stands_at_the_threshold_is_not_lost_to_rounding(threshold: float) -> None:
    row = np.array([[threshold, (1 - threshold**2) ** 0.5]], dtype=np.float32)
    assert len(search(side((1, at(0))), side((2, row)), threshold)) == 1


def test_a_pair_a_little_below_the_threshold_is_not_found() -> None:
    assert search(side((1, at(0))), side((2, at(30))), cosine_of(30) + 1e-5) == []


def test_an_empty_store_yields_nothing() -> None:
    assert list(exact.above(side((1, at(0))).blocks([]), lambda: [], -1, 10)) == []


def test_the_store_is_read_anew_for_each_product_and_never_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "QUERIES", 1)
    read: list[int] = []

    def corpus() -> Iterator[VectorBlock]:
        read.append(len(read))
        return side((9, at(0))).blocks([])

    queries = side((1, at(0)), (2, at(1)), (3, at(2)))
    assert len(list(exact.above(queries.blocks([1, 2]), corpus, 0.5, 10))) == len(read) == 3


def test_vectors_of_different_dimensions_are_never_compared() -> None:
    three = VectorBlock(np.array([2]), ("whole",), np.eye(3, dtype=np.float32)[:1])
    with pytest.raises(ModelMismatch, match="2 and 3 dimensions"):
        list(exact.above(side((1, at(0))).blocks([]), lambda: [three], 0.5, 10))
