"""All pairs, found by comparing each two or by clusters, whose recall is measured and never taken for granted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderator.search import codes, pairs
from moderator.search.codes import Codes
from moderator.search.pairs import Partners, Recall
from moderator.vectors import Ids, Matrix, normalise

Pairs = set[tuple[int, int]]


def copies(count: int, dimension: int, seed: int = 1, spread: float = 0.3) -> Matrix:
    """Random vectors, each followed by a copy a little way off."""
    random = np.random.default_rng(seed)
    first = normalise(random.standard_normal((count // 2, dimension)))
    second = normalise(first + spread * normalise(random.standard_normal(first.shape)))
    return np.concatenate([first, second])


def encoded(matrix: Matrix, contents: Ids | None = None) -> Codes:
    return codes.encode(np.arange(len(matrix)) if contents is None else contents, matrix)


def close(matrix: Matrix, threshold: float) -> Pairs:
    cosines = matrix.astype(np.float64) @ matrix.astype(np.float64).T
    return {(int(a), int(b)) for a, b in np.argwhere(cosines >= threshold) if a != b}


def told(partners: Partners | Recall | None) -> Pairs:
    assert isinstance(partners, Partners)
    return set(zip(partners.contents.tolist(), partners.others.tolist(), strict=True))


@given(st.integers(0, 1000), st.integers(2, 60), st.floats(-0.5, 1))
@settings(max_examples=40)
def test_comparing_each_two_loses_no_pair_and_tells_each_both_ways_round(
    seed: int, count: int, threshold: float
) -> None:
    matrix = copies(count * 2, 8, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "ABREAST", 7)
        patch.setattr(pairs, "ALONG", 16)
        found = told(pairs.every(encoded(matrix), threshold))
    assert close(matrix, threshold) <= found
    assert {(second, first) for first, second in found} == found


@given(st.integers(0, 1000), st.integers(2, 60), st.integers(1, 120), st.floats(-0.5, 1))
@settings(max_examples=40)
def test_pairs_of_the_first_rows_and_those_of_rows_added_since_are_all_pairs(
    seed: int, count: int, added: int, threshold: float
) -> None:
    matrix = copies(count * 2, 8, seed)
    known = encoded(matrix)
    before = max(0, len(matrix) - added)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "ABREAST", 7)
        patch.setattr(pairs, "ALONG", 16)
        first, more = pairs.every(known[:before], threshold), pairs.added(known, before, threshold)
    assert isinstance(first, Partners)
    assert isinstance(more, Partners)
    found = first.with_more(more)
    assert close(matrix, threshold) <= told(found)
    assert len(found.contents) == len(told(found))
    assert (np.diff(found.contents) >= 0).all()


def test_two_views_of_one_content_are_no_pair() -> None:
    matrix = copies(20, 8)
    found = told(pairs.every(encoded(matrix, np.repeat(np.arange(10), 2)), 0.9))
    assert all(first != second for first, second in found)


def test_the_partners_of_some_contents_are_each_told_once() -> None:
    matrix = np.repeat(np.eye(4, dtype=np.float32), 3, axis=0)
    partners = pairs.every(encoded(matrix), 0.9)
    assert partners is not None
    assert partners.of(np.array([0, 1, 6])).tolist() == [0, 1, 2, 7, 8]
    assert partners.of(np.array([99])).tolist() == []


def test_clusters_find_the_copies_among_thousands() -> None:
    matrix = copies(6_000, 64)
    partners = pairs.clustered(encoded(matrix), 0.9)
    found = told(partners)
    assert isinstance(partners, Partners)
    assert partners.recall is not None
    assert partners.recall.enough
    assert len(close(matrix, 0.9) - found) <= 0.001 * len(close(matrix, 0.9))


def test_clusters_are_not_used_where_they_would_lose_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "NEAREST", (4, 8))
    recall = pairs.clustered(encoded(copies(6_000, 64, spread=1.5)), 0.4)
    assert isinstance(recall, Recall)
    assert not recall.enough
    assert recall.made_found < recall.made


def test_rows_join_more_clusters_where_few_would_lose_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "NEAREST", (1, 12))
    matrix = copies(6_000, 64)
    partners = pairs.clustered(encoded(matrix), 0.9)
    assert isinstance(partners, Partners)
    assert len(close(matrix, 0.9) - told(partners)) <= 0.001 * len(close(matrix, 0.9))


def test_the_recall_that_is_told_is_the_one_that_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "NEAREST", (1,))
    monkeypatch.setattr(pairs, "RECALL", 0.0)
    monkeypatch.setattr(pairs, "MADE_RECALL", 0.0)
    matrix = copies(4_000, 32)
    partners = pairs.clustered(encoded(matrix), 0.93)
    assert isinstance(partners, Partners)
    assert partners.recall is not None
    every = close(matrix, 0.93)
    share = partners.recall.found / partners.recall.pairs
    assert share == pytest.approx(len(every & told(partners)) / len(every), abs=0.03)
    assert share < 0.97


def test_too_many_pairs_are_refused_rather_than_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "MOST", 1_000)
    alike = np.repeat(np.eye(8, dtype=np.float32)[:1], 500, axis=0)
    assert pairs.every(encoded(alike), 0.9) is None
    assert pairs.clustered(encoded(alike), 0.9) is None


def test_a_recall_says_what_it_was_measured_on() -> None:
    words = str(Recall(1_200, 1_199, 2_048, 2_040))
    assert words.startswith("1,199 of 1,200 pairs of a sample")
    assert "2,040 of 2,048" in words
