"""A server narrows a search and never changes its answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from moderator.contracts import Store, VectorBlock
from moderator.errors import StoreError
from moderator.models import ModelId
from moderator.policy import SearchSpec
from moderator.search.near import Near
from moderator.stores.sql import SqlStore
from moderator.vectors import Matrix, normalise
from tests.engines import MYSQL, OCEANBASE, Engine
from tests.engines.fixtures import engine, migrated, url
from tests.handmade import INTAKE, entry, vectors
from tests.stores.hard_vectors import KINDS, clip_vector, hard, near

__all__ = ["engine", "migrated", "url"]

MODEL = ModelId("hard", "r1", "fp32", "by-hand-1", 64)
CLIP = ModelId("clip", "r1", "fp32", "by-hand-1", 512)
only_mysql = pytest.mark.parametrize("engine", [MYSQL], ids=lambda engine: engine.name)


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = SqlStore.open(url)
    yield opened
    opened.close()


def fill(store: Store, matrix: Matrix, model: ModelId = MODEL) -> list[int]:
    entries = [entry(f"/p/{place:04}.png", vectors(row[None], model)) for place, row in enumerate(matrix)]
    return list(store.write(entries, INTAKE, "picture"))


def crowd(random: np.random.Generator) -> tuple[Matrix, Matrix]:
    """A query, and vectors of every kind with many near the query."""
    query = hard("huge dimension", 1, MODEL.dimension, random)
    return query, np.concatenate([near(query, 60, random), *(hard(kind, 25, 64, random) for kind in KINDS)])


@dataclass(frozen=True)
class Found:
    """A stored picture and its score."""

    path: str
    score: float


def nearest(store: Store, model: ModelId, vectors: Matrix, top: int) -> list[Found]:
    best = Near(store, SearchSpec()).closest(model, vectors, "images", top)
    images = store.images([content for _, content in best])
    return [Found(images[content][0].path, score) for score, content in best]


def closest(matrix: Matrix, query: Matrix) -> np.ndarray:
    scores: np.ndarray = np.sort(matrix.astype(np.float64) @ query[0].astype(np.float64))[::-1]
    return scores


@pytest.mark.parametrize("top", [1, 10, 150])
def test_the_closest_are_those_of_numpy(store: SqlStore, top: int) -> None:
    query, matrix = crowd(np.random.default_rng(8))
    fill(store, matrix)
    found = nearest(store, MODEL, query, top)
    assert [one.score for one in found] == pytest.approx(closest(matrix, query)[:top], abs=1e-6)
    rows = [matrix[int(Path(one.path).stem)] for one in found]
    assert [float(row @ query[0]) for row in rows] == pytest.approx([one.score for one in found], abs=1e-6)


def test_only_what_may_be_close_is_read(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(9)
    matrix = hard("normal", 400, 512, random)
    fill(store, matrix, CLIP)
    sizes: list[int] = []
    read = store.vectors

    def counted(*arguments: object) -> Iterator[VectorBlock]:
        for block in read(*arguments):  # type: ignore[arg-type]
            sizes.append(len(block.contents))
            yield block

    monkeypatch.setattr(store, "vectors", counted)
    found = nearest(store, CLIP, near(matrix[5:6], 1, random)[1:2], 1)
    assert [one.path for one in found] == ["/p/0005.png"]
    assert sum(sizes) < 20


def test_a_content_counts_with_its_closest_view_and_a_picture_with_all_of_its_own(store: SqlStore) -> None:
    random = np.random.default_rng(10)
    views, others = hard("normal", 2, 64, random), hard("normal", 30, 64, random)
    store.write([entry("/p/two.png", vectors(views, MODEL))], INTAKE, "picture")
    fill(store, others)
    for asked in (views[1:], np.concatenate([others[:1], views[:1]])):
        assert "/p/two.png" in [one.path for one in nearest(store, MODEL, asked, 2)]
    assert len({one.path for one in nearest(store, MODEL, views, 5)}) == 5


def test_references_are_no_pictures_and_push_none_out(
    engine: Engine, migrated: dict[str, str], store: SqlStore
) -> None:
    random = np.random.default_rng(11)
    query = hard("normal", 1, 64, random)
    copies = [entry(f"/r/{place}.png", vectors(query, MODEL)) for place in range(30)]
    store.add_references("banned", [(one, "", "") for one in store.write(copies, INTAKE, "reference")], "tester")
    fill(store, hard("normal", 20, 64, random))
    found = nearest(store, MODEL, query, 3)
    assert [one.path[:3] for one in found] == ["/p/"] * 3
    shown = engine.server().client(store.search_sql(MODEL, query[0], 3) or "", migrated[engine.name])
    assert [line.partition("\t")[0] for line in shown.splitlines()[1:]] == [one.path for one in found]


def test_the_real_clip_vector_is_one_with_itself(store: SqlStore, shared_data: Path) -> None:
    vector = normalise(clip_vector(shared_data))
    fill(store, np.concatenate([vector, hard("huge dimension", 50, 512, np.random.default_rng(12))]), CLIP)
    (found,) = nearest(store, CLIP, vector, 1)
    assert found.path == "/p/0000.png"
    assert found.score == pytest.approx(1.0, abs=1e-6)


def test_a_model_that_embedded_nothing_has_no_neighbours(store: SqlStore) -> None:
    assert nearest(store, MODEL, hard("normal", 1, 64, np.random.default_rng(0)), 3) == []
    assert store.search_sql(MODEL, np.ones(64, np.float32), 3) is None


def test_the_printed_statement_shows_in_the_engines_client_what_the_search_finds(
    engine: Engine, migrated: dict[str, str], store: SqlStore
) -> None:
    query, matrix = crowd(np.random.default_rng(13))
    fill(store, matrix)
    statement = store.search_sql(MODEL, query[0], 12)
    assert statement is not None
    names, *lines = engine.server().client(statement, migrated[engine.name]).splitlines()
    assert names == "path\tsimilarity"
    shown = [float(line.split("\t")[1]) for line in lines]
    assert shown == pytest.approx([one.score for one in nearest(store, MODEL, query, 12)], abs=1e-6)
    assert shown == pytest.approx(closest(matrix, query)[:12], abs=1e-6)


# Bit planes


def count(engine: Engine, database: str, table: str = "embedding_codes") -> int:
    ((rows,),) = engine.server().execute(f"SELECT COUNT(*) FROM {table}", database=database)
    return int(rows)


@only_mysql
def test_codes_come_and_go_with_their_vectors(engine: Engine, migrated: dict[str, str], store: SqlStore) -> None:
    database = migrated[engine.name]
    matrix = hard("normal", 6, 64, np.random.default_rng(14))
    written = fill(store, matrix)
    assert count(engine, database) == 6
    store.write([entry("/p/0000.png", vectors(matrix[:3], MODEL))], INTAKE, "picture")  # other views than before
    assert count(engine, database) == count(engine, database, "embeddings") == 8
    engine.server().execute("DELETE FROM images", database=database)
    engine.server().execute(f"DELETE FROM contents WHERE id > {written[0]}", database=database)
    assert count(engine, database) == 3


@only_mysql
def test_a_vector_without_codes_is_found_and_gets_codes_when_asked(
    engine: Engine, migrated: dict[str, str], store: SqlStore
) -> None:
    query, matrix = crowd(np.random.default_rng(15))
    fill(store, matrix)
    engine.server().execute("DELETE FROM embedding_codes WHERE sequence % 2 = 0", database=migrated[engine.name])
    assert [one.score for one in nearest(store, MODEL, query, 9)] == pytest.approx(closest(matrix, query)[:9], abs=1e-6)
    with pytest.raises(StoreError, match="no codes"):
        store.search_sql(MODEL, query[0], 9)
    assert (store.write_codes(), store.write_codes()) == (len(matrix) // 2, 0)
    assert count(engine, migrated[engine.name]) == len(matrix)
    assert [one.score for one in nearest(store, MODEL, query, 9)] == pytest.approx(closest(matrix, query)[:9], abs=1e-6)
    assert store.search_sql(MODEL, query[0], 9)


@pytest.mark.parametrize("engine", [OCEANBASE], ids=lambda engine: engine.name)
def test_an_engine_with_a_cosine_needs_no_codes(store: SqlStore) -> None:
    fill(store, hard("normal", 3, 64, np.random.default_rng(16)))
    assert store.write_codes() == 0
