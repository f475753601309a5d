"""A server's vector index is asked only where the policy allows it, and says how much of the closest it finds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from moderator.contracts import Store
from moderator.models import ModelId
from moderator.policy import SearchSpec
from moderator.search.near import Near
from moderator.stores.sql import SqlStore
from moderator.vectors import Matrix, normalise
from tests.engines import MARIADB, MYSQL, OCEANBASE, Engine
from tests.engines.fixtures import engine, migrated, url
from tests.handmade import INTAKE, entry, vectors

__all__ = ["engine", "migrated", "url"]

MODEL = ModelId("indexed", "r1", "fp32", "by-hand-1", 32)
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


@pytest.mark.parametrize("engine", [MYSQL], ids=lambda engine: engine.name)
def test_an_engine_without_an_index_makes_none(store: SqlStore) -> None:
    fill(store, some(3, 9))
    assert store.build_indexes() == {}
    assert store.guess(MODEL, some(1, 9), 3) is None
