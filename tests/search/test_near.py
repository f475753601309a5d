"""However many vectors a store has, the same pairs are found: by reading them all, by codes, and by comparing codes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moderator.contracts import Role, Store, VectorBlock
from moderator.models import ModelId
from moderator.policy import SearchSpec
from moderator.search import index, kept, near, pairs
from moderator.search.near import Asked, Near
from moderator.stores.sql import SqlStore
from moderator.vectors import normalise
from tests.handmade import INTAKE, entry, vectors

MODEL = ModelId("sixteen", "r1", "fp32", "by-hand-1", 16)
COUNT = 120
Found = list[tuple[int, int, float]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Pictures of one view or two, in families of near copies, and references beside them."""
    random = np.random.default_rng(1)
    families = normalise(random.standard_normal((COUNT // 6, 16)))
    with SqlStore.open(f"sqlite:///{tmp_path_factory.mktemp('near')}/moderator.db") as opened:
        for number in range(COUNT):
            views = normalise(families[number // 6] + random.standard_normal((1 + number % 2, 16)) * 0.08)
            role: Role = "reference" if number % 4 == 3 else "picture"
            (content,) = opened.write([entry(f"{number}", vectors(views, MODEL))], INTAKE, role)
            if role == "reference":
                opened.add_references("banned", [(content, "", "by hand")], "tester")
        yield opened


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the store count as a large one."""
    monkeypatch.setattr(near, "INDEXED", 1)


def pictures(store: Store) -> list[int]:
    return [int(content) for content in store.members("images")]


def found(searched: Near, subjects: list[int], asked: Asked, threshold: float, cap: int = 1000) -> Found:
    return sorted(
        (first, second, round(score, 5))
        for hits in searched.above(MODEL, subjects, asked, threshold, cap)
        for first, second, score in zip(
            hits.contents.tolist(), hits.others.tolist(), hits.scores.tolist(), strict=True
        )
        if first != second
    )


SOME = range(1, 60)
ASKED = [
    Asked("images"),
    Asked("references"),
    Asked("all"),
    Asked("references", lambda near: SOME if near is None else [one for one in near if one in SOME]),
]


@given(st.sampled_from(ASKED), st.floats(-1, 1), st.integers(1, COUNT // 2), st.sampled_from([2, 1000]))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_pairs_are_found_with_the_index_and_without(
    store: Store, asked: Asked, threshold: float, count: int, cap: int
) -> None:
    subjects = pictures(store)[:count]
    plain = found(Near(store, SearchSpec()), subjects, asked, threshold, cap)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near, "INDEXED", 1)
        patch.setattr(near, "HALF", 0.9)
        for spec in (SearchSpec(), SearchSpec(index=False)):
            assert found(Near(store, spec), subjects, asked, threshold, cap) == plain


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.9, 0.99])
def test_a_whole_store_against_itself_gives_the_same_pairs(store: Store, many: None, threshold: float) -> None:
    plain = found(Near(store, SearchSpec(index=False)), pictures(store)[:3], Asked("images"), threshold)
    whole = found(Near(store, SearchSpec()), pictures(store), Asked("images"), threshold)
    assert [one for one in whole if one[0] in pictures(store)[:3]] == plain
    assert {(second, first) for first, second, _ in whole} == {(first, second) for first, second, _ in whole}


def test_a_whole_store_is_read_only_where_codes_are_close(
    store: Store, many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    everything = store.vectors

    def vectors_of(model: ModelId, scope: str, only: list[int] | None = None) -> Iterator[VectorBlock]:
        read.append(COUNT if only is None else len(only))
        return everything(model, scope, only)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "vectors", vectors_of)
    assert found(Near(store, SearchSpec()), pictures(store)[:1], Asked("images"), 0.9)
    assert read[0] == 1
    assert read[1] < 20


@pytest.mark.parametrize("top", [1, 7, COUNT])
def test_the_closest_are_the_same_with_the_index_and_without(
    store: Store, monkeypatch: pytest.MonkeyPatch, top: int
) -> None:
    query = normalise(np.random.default_rng(9).standard_normal((2, 16)))
    plain = Near(store, SearchSpec()).closest(MODEL, query, "images", top)
    monkeypatch.setattr(near, "INDEXED", 1)
    indexed = Near(store, SearchSpec()).closest(MODEL, query, "images", top)
    assert [content for _, content in indexed] == [content for _, content in plain]
    assert len(plain) == min(top, len(pictures(store)))


def test_few_vectors_make_no_index(store: Store) -> None:
    index.erase(store.url)
    found(Near(store, SearchSpec()), pictures(store)[:1], Asked("images"), 0.9)
    assert not index.folder_of(store.url).exists()


def test_a_policy_can_do_without_an_index(store: Store, many: None) -> None:
    index.erase(store.url)
    assert found(Near(store, SearchSpec(index=False)), pictures(store)[:1], Asked("images"), 0.9)
    assert not index.folder_of(store.url).exists()


# Clusters are never silent


def whole(store: Store, spec: SearchSpec, notes: list[str]) -> Found:
    return found(Near(store, spec, notes.append), pictures(store), Asked("images"), 0.9)


@pytest.fixture
def crowded(store: Store, many: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the store count as one whose pairs are too many to compare, and were never looked for."""
    index.erase(store.url)
    monkeypatch.setattr(pairs, "FEW", 1)


def test_where_clusters_are_used_the_report_tells_what_they_find(store: Store, crowded: None) -> None:
    notes: list[str] = []
    assert whole(store, SearchSpec(), notes)
    (note,) = notes
    assert "in clusters" in note
    assert "of a sample" in note
    assert "pairs: exact" in note


def test_where_clusters_would_lose_pairs_each_two_are_compared(
    store: Store, crowded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    exact = whole(store, SearchSpec(pairs="exact"), notes)
    assert notes == []
    monkeypatch.setattr(pairs, "NEAREST", (1,))
    assert whole(store, SearchSpec(), notes) == exact
    assert "each two vectors were compared" in notes[0]


def test_what_is_said_of_clusters_is_said_again_of_the_pairs_that_were_kept(store: Store, crowded: None) -> None:
    first: list[str] = []
    again: list[str] = []
    assert whole(store, SearchSpec(), first) == whole(store, SearchSpec(), again)
    assert first == again != []
    store.write([entry("one more", vectors(normalise(np.ones((1, 16))), MODEL))], INTAKE, "picture")
    for _ in range(2):
        more: list[str] = []
        whole(store, SearchSpec(), more)
        assert more == [f"{first[0]}; what was added since was compared with everything"]


def test_all_pairs_of_what_has_not_changed_are_looked_for_once(
    store: Store, many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = whole(store, SearchSpec(), [])
    monkeypatch.setattr(pairs, "every", lambda *_: pytest.fail("they were looked for again"))
    assert whole(store, SearchSpec(), []) == before != []


def test_a_picture_that_was_added_is_found_beside_the_pairs_that_were_kept(
    tmp_path: Path, many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "NEW", 1)
    alike = normalise(np.ones((1, 16)))
    with SqlStore.open(f"sqlite:///{tmp_path}/moderator.db") as store:
        first, second = store.write([entry(one, vectors(alike, MODEL)) for one in "ab"], INTAKE, "picture")
        assert {pair[:2] for pair in whole(store, SearchSpec(), [])} == {(first, second), (second, first)}
        (third,) = store.write([entry("c", vectors(alike, MODEL))], INTAKE, "picture")
        monkeypatch.setattr(pairs, "every", lambda *_: pytest.fail("all were looked for again"))
        assert {pair[:2] for pair in whole(store, SearchSpec(), [])} == set(permutations([first, second, third], 2))


def test_too_many_pairs_are_still_found(store: Store, crowded: None, monkeypatch: pytest.MonkeyPatch) -> None:
    before = whole(store, SearchSpec(pairs="exact"), [])
    monkeypatch.setattr(pairs, "MOST", 1)
    assert whole(store, SearchSpec(), []) == before
