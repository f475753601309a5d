"""A server's vector index is asked only where the policy allows it, and says how much of the closest it finds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from moderator.contracts import Store, Vectors
from moderator.errors import StoreError
from moderator.models import ModelId
from moderator.parts import label_of
from moderator.policy import SearchSpec
from moderator.search import near
from moderator.search.near import Asked, Near
from moderator.stores.sql import SqlStore
from moderator.vectors import Matrix, normalise
from tests.engines import MARIADB, MYSQL, OCEANBASE, Engine
from tests.engines.fixtures import engine, migrated, url
from tests.handmade import INTAKE, entry, vectors

__all__ = ["engine", "migrated", "url"]

MODEL = ModelId("indexed", "r1", "fp32", "by-hand-1", 32)
Pair = tuple[int, int, float]
with_index = pytest.mark.parametrize("engine", [MARIADB, OCEANBASE], ids=lambda engine: engine.name)


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = SqlStore.open(url)
    yield opened
    opened.close()


def fill(store: Store, matrix: Matrix, first: int = 0) -> list[int]:
    entries = [entry(f"/p/{place:04}.png", vectors(row[None], MODEL)) for place, row in enumerate(matrix, first)]
    return list(store.write(entries, INTAKE, "picture"))


def some(count: int, seed: int) -> Matrix:
    return normalise(np.random.default_rng(seed).standard_normal((count, MODEL.dimension)))


def closest(store: Store, query: Matrix, *, approximate: bool) -> tuple[list[int], list[str]]:
    """The contents found, and what was said."""
    notes: list[str] = []
    found = Near(store, SearchSpec(approximate=approximate), notes.append).closest(MODEL, query, "images", 5)
    return [content for _, content in found], notes


@with_index
def test_an_index_is_asked_where_the_policy_allows_it_and_its_recall_is_told(store: SqlStore) -> None:
    contents = fill(store, some(300, 1))
    (words,) = store.build_indexes().values()
    assert words.startswith(("recall@10 0.9", "recall@10 1.0"))
    found, (note,) = closest(store, some(300, 1)[7:8], approximate=True)
    assert found[0] == contents[7]
    assert words in note
    assert closest(store, some(300, 1)[7:8], approximate=False)[1] == []


@with_index
def test_without_an_index_an_approximate_search_is_exact(store: SqlStore) -> None:
    contents = fill(store, some(20, 2))
    assert closest(store, some(20, 2)[3:4], approximate=True) == (
        closest(store, some(20, 2)[3:4], approximate=False)[0],
        [],
    )
    assert len(contents) == 20


@with_index
def test_what_is_added_after_the_index_was_made_is_found(store: SqlStore) -> None:
    fill(store, some(100, 3))
    store.build_indexes()
    later = fill(store, some(3, 4), first=100)
    found, notes = closest(store, some(3, 4)[1:2], approximate=True)
    assert (found[0], len(notes)) == (later[1], 1)


@with_index
def test_after_a_removal_nothing_of_it_is_left_and_the_index_is_not_asked_until_made_anew(
    engine: Engine, migrated: dict[str, str], store: SqlStore
) -> None:
    fill(store, some(50, 5))
    banned = list(store.write([entry("/r/1.png", vectors(some(1, 6), MODEL))], INTAKE, "reference"))
    store.add_references("banned", [(content, "", "") for content in banned], "tester")
    store.build_indexes()
    store.remove_references("banned", [])
    assert store.guess(MODEL, some(1, 6), 5) is None
    server, database = engine.server(), migrated[engine.name]
    ((model,),) = server.execute("SELECT id FROM models", database=database)
    left = server.execute(f"SELECT COUNT(*) FROM vectors_{model} WHERE content_id = {banned[0]}", database=database)
    assert left == ((0,),)
    store.build_indexes()
    found = store.guess(MODEL, some(50, 5)[2:3], 5)
    assert found is not None
    assert len(found.contents) == 5


@with_index
def test_after_a_replacement_the_index_is_not_asked(store: SqlStore) -> None:
    fill(store, some(10, 7))
    store.build_indexes()
    fill(store, some(1, 8))
    assert store.guess(MODEL, some(1, 8), 5) is None


def pairs(store: Store, contents: list[int], asked: Asked, *, approximate: bool) -> tuple[list[Pair], list[str]]:
    """The pairs at cosine .8 or more, and what was said."""
    notes: list[str] = []
    searched = Near(store, SearchSpec(approximate=approximate), notes.append)
    found = [
        (first, second, round(score, 5))
        for hits in searched.above(MODEL, contents, asked, 0.8, 20)
        for first, second, score in zip(
            hits.contents.tolist(), hits.others.tolist(), hits.scores.tolist(), strict=True
        )
    ]
    return found, notes


def copied(count: int) -> Matrix:
    """Vectors of which each two after one another are near."""
    return np.repeat(some(count // 2, 20), 2, axis=0) * 0.9 + some(count, 21) * 0.3


@with_index
def test_a_scan_asks_the_index_for_pairs_and_tells_how_many_of_a_sample_it_found(store: SqlStore) -> None:
    contents = fill(store, normalise(copied(120)))
    store.build_indexes()
    found, (note,) = pairs(store, contents[:10], Asked("images"), approximate=True)
    exactly, nothing = pairs(store, contents[:10], Asked("images"), approximate=False)
    assert (found, nothing) == (exactly, [])
    assert len(exactly) == 20
    assert "of 10 pictures compared with everything it found 10 of 10 pairs (recall 1.000)" in note


@with_index
def test_a_scan_asks_the_index_for_lookalikes_too_and_compares_no_part_for_them(store: SqlStore) -> None:
    shown, other = some(2, 30)
    views = Vectors(MODEL, ("whole", label_of((0.0, 0.0, 0.5, 1.0))), np.stack([other, shown]))
    contents = list(store.write([entry("/p/collage.png", views)], INTAKE, "picture")) + fill(store, shown[None])
    store.build_indexes()
    for asked, count in ((Asked("images"), 4), (Asked("images", parts=False), 2)):
        found, (note,) = pairs(store, contents, asked, approximate=True)
        assert (found, len(found)) == (pairs(store, contents, asked, approximate=False)[0], count)
        assert f"of 2 pictures compared with everything it found {count - 2} of {count - 2} pairs" in note


@with_index
def test_what_the_index_misses_is_told(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = fill(store, normalise(copied(40)))
    store.build_indexes()
    guess = store.guess
    monkeypatch.setattr(near, "GUESSED", 1)  # itself alone
    monkeypatch.setattr(store, "guess", lambda model, rows, count: guess(model, rows[:1], count))
    _, (note,) = pairs(store, contents[:1], Asked("images"), approximate=True)
    assert "of 1 pictures compared with everything it found 0 of 1 pairs (recall 0.000)" in note


@with_index
def test_references_are_never_looked_for_by_an_index(store: SqlStore) -> None:
    contents = fill(store, normalise(copied(20)))
    store.add_references("banned", [(content, "", "") for content in contents[:4]], "tester")
    store.build_indexes()
    found, notes = pairs(store, contents[:2], Asked("references"), approximate=True)
    assert (found, notes) == (pairs(store, contents[:2], Asked("references"), approximate=False)[0], [])


@with_index
def test_a_scan_without_an_index_compares_everything_and_says_so(store: SqlStore) -> None:
    contents = fill(store, normalise(copied(20)))
    found, (note,) = pairs(store, contents[:5], Asked("images"), approximate=True)
    assert found == pairs(store, contents[:5], Asked("images"), approximate=False)[0]
    assert "`moderator db index` makes it" in note


@pytest.mark.parametrize("engine", [MYSQL], ids=lambda engine: engine.name)
def test_an_engine_without_an_index_refuses_a_policy_that_wants_one(store: SqlStore) -> None:
    with pytest.raises(StoreError, match="no vector index") as refusal:
        Near(store, SearchSpec(approximate=True))
    assert "MariaDB" in refusal.value.hint


@pytest.mark.parametrize("engine", [MYSQL], ids=lambda engine: engine.name)
def test_an_engine_without_an_index_makes_none(store: SqlStore) -> None:
    fill(store, some(3, 9))
    assert store.build_indexes() == {}
    assert store.guess(MODEL, some(1, 9), 3) is None
