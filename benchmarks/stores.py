"""Stores and their search plans: writing, one query, recall. `python -m benchmarks.stores --rows 10000 100000`

Each engine is a real server of its own (tests/engines starts them). The vectors are synthetic: clusters around a common
mean with CLIP's one huge dimension, so that two of one cluster have a cosine near .75 and two others near .5; a query
is a stored vector with noise, at cosine .95. What a query takes is the whole of it, from a vector to ten stored
contents with exact scores. recall@10 is against numpy in float64.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from tests.engines import MARIADB, MYSQL, OCEANBASE, OwnServer

from benchmarks.table import Column, publish
from moderator.contracts import Entry, Fingerprint, Found, Store, VectorBlock, Vectors
from moderator.models import ModelId
from moderator.policy import SearchSpec
from moderator.search import exact, index
from moderator.search.near import INDEXED, Asked, Near
from moderator.stores.sql import SqlStore
from moderator.vectors import Ids, Matrix, normalise, pack

ROWS, LONG_ROWS = (2_000,), (10_000, 100_000, 1_000_000)
DIMENSION, TOP, BATCH = 512, 10, 1_000
QUERIES, MANY, THRESHOLD = 20, 1_024, 0.9
MOST_INDEXED = 20_000
"""Rows up to which an engine's own index is filled in bearable time: MariaDB takes some 100 inserts a second."""
SLOW_ROWS = 300
"""Rows that a stored function is timed on; a whole query is that times the rows."""
ROOM = {
    "mysql": ("--innodb-buffer-pool-size=3G", "--max-allowed-packet=64M", "--innodb-redo-log-capacity=1G"),
    "mariadb": ("--innodb-buffer-pool-size=3G", "--max-allowed-packet=64M", "--innodb-log-file-size=1G"),
    "oceanbase": (),
}
"""Memory and logs of a server that is not a test's."""
MODEL = ModelId("synthetic", "1", "fp32", "none", DIMENSION)
USUAL = """
CREATE FUNCTION usual_{what}(a JSON, b JSON) RETURNS DOUBLE DETERMINISTIC NO SQL
BEGIN
  DECLARE i INT DEFAULT 0; DECLARE n INT DEFAULT JSON_LENGTH(a); DECLARE s DOUBLE DEFAULT 0;
  WHILE i < n DO
    SET s = s + JSON_EXTRACT(a, CONCAT('$[', i, ']')) * JSON_EXTRACT(b, CONCAT('$[', i, ']')); SET i = i + 1;
  END WHILE;
  RETURN s;
END
"""
"""The function that is usually shown for this; a cosine calls it three times."""
INDEXES = {
    "mariadb": "VECTOR INDEX (embedding) M=16 DISTANCE=cosine",
    "oceanbase": "VECTOR INDEX by_cosine (embedding) WITH (distance=cosine, type=hnsw, lib=vsag)",
}
ASKED = {
    "mariadb": "SELECT id FROM indexed ORDER BY VEC_DISTANCE_COSINE(embedding, X'{hex}') LIMIT 10",
    "oceanbase": "SELECT id FROM indexed ORDER BY cosine_distance(embedding, X'{hex}') APPROXIMATE LIMIT 10",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One plan on one engine: times are medians; `scaled` tells that a query was not run whole."""

    rows: int
    engine: str
    plan: str
    inserts: float | None
    query: float
    recall: float | None
    scaled: bool = False


def synthetic(rows: int) -> tuple[Matrix, Matrix, np.ndarray]:
    """Returns stored vectors, queries, and for each query the places of its `TOP` closest, in float64."""
    random = np.random.default_rng(17)
    mean = random.standard_normal(DIMENSION) * 0.5
    mean[92] = -9.0
    mean /= np.linalg.norm(mean)
    centres = random.standard_normal((max(10, rows // 100), DIMENSION)) / np.sqrt(DIMENSION)
    stored = np.empty((rows, DIMENSION), dtype=np.float32)
    for start in range(0, rows, 10_000):
        some = stored[start : start + 10_000]
        own = random.standard_normal(some.shape) / np.sqrt(DIMENSION)
        some[:] = normalise(0.7 * mean + 0.5 * centres[random.integers(len(centres), size=len(some))] + 0.5 * own)
    picked = stored[random.choice(rows, QUERIES, replace=False)]
    queries = normalise(picked + random.standard_normal(picked.shape) * 0.3 / np.sqrt(DIMENSION))
    scores = np.concatenate(
        [stored[at : at + 10_000].astype(np.float64) @ queries.T.astype(np.float64) for at in range(0, rows, 10_000)]
    )
    return stored, queries, np.argsort(-scores, axis=0, kind="stable")[:TOP].T


def fill(store: Store, stored: Matrix) -> tuple[float, Ids]:
    """Writes all vectors as pictures and returns vectors a second, and the content of each."""
    contents: list[int] = []
    started = time.perf_counter()
    for start in range(0, len(stored), BATCH):
        contents += store.write([_entry(place, stored[place]) for place in _places(start, stored)], "1", "picture")
    return len(stored) / (time.perf_counter() - started), np.array(contents)


def _places(start: int, stored: Matrix) -> range:
    return range(start, min(start + BATCH, len(stored)))


def _entry(place: int, vector: np.ndarray) -> Entry:
    name = f"/shop/{place:08}.jpg"
    fingerprint = Fingerprint(place.to_bytes(32), 1, "JPEG", 1, 1, 1, pixels=place.to_bytes(32))
    return Entry(Found(name, name, 1, 1, {}), fingerprint, (Vectors(MODEL, ("whole",), vector[None]),))


def asked(ask: Callable[[np.ndarray], Sequence[int]], queries: Matrix, right: np.ndarray) -> tuple[float, float]:
    """Returns the median seconds of a query and its recall, after one to warm up."""
    ask(queries[0])
    seconds, hits = [], 0
    for query, wanted in zip(queries, right, strict=True):
        started = time.perf_counter()
        found = ask(query)
        seconds.append(time.perf_counter() - started)
        hits += len(set(found) & set(wanted.tolist()))
    return float(np.median(seconds)), hits / right.size


def searched(store: Store, contents: Ids, spec: SearchSpec) -> Callable[[np.ndarray], Sequence[int]]:
    """Asks as `moderator search` does; what it returns are places."""
    near, place = Near(store, spec), {content: place for place, content in enumerate(contents.tolist())}
    return lambda query: [place[content] for _, content in near.closest(MODEL, query[None], "images", TOP)]


def of_store(
    engine: str, plan: str, store: SqlStore, stored: Matrix, queries: Matrix, right: np.ndarray
) -> Iterator[Measured]:
    """Measures writing, `moderator search` and a batch on one store."""
    inserts, contents = fill(store, stored)
    query, recall = asked(searched(store, contents, SearchSpec(index=False)), queries, right)
    yield Measured(len(stored), engine, plan, inserts, query, recall)
    yield from of_batch(store, engine, stored, contents)


def of_functions(server: OwnServer, database: str, store: SqlStore, rows: int, query: np.ndarray) -> Iterator[Measured]:
    """Measures stored functions on a few rows."""
    server.execute(USUAL.format(what="dot"), database=database)
    store.install_functions()
    numbers = json.dumps(query.tolist())
    usual = f"usual_dot(v, '{numbers}') / SQRT(usual_dot(v, v) * usual_dot('{numbers}', '{numbers}'))"
    from_json = f"(SELECT CAST(VECTOR_TO_STRING(embedding) AS JSON) AS v FROM embeddings LIMIT {SLOW_ROWS}) AS some"
    from_bytes = f"(SELECT embedding AS v FROM embeddings LIMIT {SLOW_ROWS}) AS some"
    plans = (
        ("usual stored function: loops over JSON", f"SELECT {usual} AS s FROM {from_json} ORDER BY s DESC LIMIT 10"),
        (
            "cosine_similarity of functions.sql",
            f"SELECT cosine_similarity(v, _binary X'{pack(query).hex()}') AS s FROM {from_bytes} ORDER BY s LIMIT 10",
        ),
    )
    for plan, sql in plans:
        started = time.perf_counter()
        server.execute(sql, database=database)
        seconds = (time.perf_counter() - started) * rows / SLOW_ROWS
        yield Measured(rows, "mysql", plan, None, seconds, None, scaled=True)


def of_index(server: OwnServer, database: str, stored: Matrix, queries: Matrix, right: np.ndarray) -> Measured:
    """Measures an engine's own vector index, as its defaults and M=16 are."""
    name = server.engine.name
    connection = server.connect(database, read_timeout=600)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE indexed (id INT PRIMARY KEY, embedding VECTOR(512) NOT NULL, {INDEXES[name]})")
        started = time.perf_counter()
        for start in range(0, len(stored), BATCH):
            rows = [(place, pack(stored[place])) for place in _places(start, stored)]
            cursor.executemany("INSERT INTO indexed VALUES (%s, _binary %s)", rows)
        inserts = len(stored) / (time.perf_counter() - started)

        def ask(query: np.ndarray) -> Sequence[int]:
            cursor.execute(ASKED[name].format(hex=pack(query).hex()))
            return [row[0] for row in cursor.fetchall()]

        query, recall = asked(ask, queries, right)
    connection.close()
    return Measured(len(stored), name, "native index, approximate", inserts, query, recall)


def of_batch(store: SqlStore, engine: str, stored: Matrix, contents: Ids) -> Iterator[Measured]:
    """Measures many queries at once, as a scan asks them: by the local index from `INDEXED` vectors on, by streaming
    the vectors from the store, and a bare matrix product beside them."""
    picked = np.random.default_rng(3).choice(len(stored), min(MANY, len(stored)), replace=False)
    subjects, many = contents[picked].tolist(), stored[picked]

    def indexed(near: Near) -> int:
        return sum(len(hits.contents) for hits in near.above(MODEL, subjects, Asked("images"), THRESHOLD, 1_000))

    plans: list[tuple[str, Callable[[], object]]] = []
    if len(stored) >= INDEXED:
        index.erase(store.url)
        started = time.perf_counter()
        Near(store, SearchSpec()).ready(MODEL)
        built = time.perf_counter() - started
        ready = Near(store, SearchSpec())
        started = time.perf_counter()
        ready.ready(MODEL)
        words = f"built once in {built:.1f} s, opened in {time.perf_counter() - started:.2f} s"
        plans.append((f"{len(many):,} queries by the local index ({words})", lambda: indexed(ready)))
    plans += [
        (f"{len(many):,} queries in process, vectors streamed", lambda: _streamed(store, many)),
        (f"{len(many):,} queries: a bare matrix product", lambda: _product(many, stored)),
    ]
    for plan, run in plans:
        seconds = min(_seconds(run) for _ in range(3 if len(stored) <= 100_000 else 2))
        yield Measured(len(stored), engine, plan, None, seconds / len(many), None)
    index.erase(store.url)


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _product(many: Matrix, stored: Matrix) -> int:
    return sum(
        int(np.count_nonzero(many @ stored[at : at + 65_536].T >= THRESHOLD)) for at in range(0, len(stored), 65_536)
    )


def _streamed(store: Store, many: Matrix) -> int:
    block = VectorBlock(np.arange(len(many)), [""] * len(many), many)
    corpus = partial(store.vectors, MODEL, "images")
    return sum(len(hits.contents) for hits in exact.above([block], corpus, THRESHOLD, 1_000))


def measure(rows: int, engines: Sequence[str]) -> Iterator[Measured]:
    """Measures every plan at one size."""
    stored, queries, right = synthetic(rows)
    for engine in (MYSQL, MARIADB, OCEANBASE):
        if engine.name not in engines:
            continue
        with engine.private(*ROOM[engine.name]) as server, server.database() as database:
            with SqlStore.open(server.url(database)) as store:
                plan = "bit planes, rescored" if engine is MYSQL else "native exact, rescored"
                measured = list(of_store(engine.name, plan, store, stored, queries, right))
                if engine is MYSQL:
                    yield from of_functions(server, database, store, rows, queries[0])
                yield from measured
            if engine is not MYSQL and rows <= MOST_INDEXED:
                yield of_index(server, database, stored, queries, right)
    if "sqlite" in engines:
        with tempfile.TemporaryDirectory() as folder, SqlStore.open(f"sqlite:///{folder}/store.db") as store:
            yield from of_store("sqlite", "every vector streamed", store, stored, queries, right)


def main() -> None:
    """Prints a table for each size and writes benchmarks/results/stores-<rows>.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+")
    parser.add_argument("--long", action="store_true", help=f"{LONG_ROWS} rows rather than {ROWS}")
    parser.add_argument("--engines", nargs="+", default=["mysql", "mariadb", "oceanbase", "sqlite"])
    chosen = parser.parse_args()
    sizes = chosen.rows or (LONG_ROWS if chosen.long else ROWS)
    for rows in sizes:
        measured = list(measure(rows, chosen.engines))
        publish(f"stores-{rows}", measured, f"{rows:,} vectors of {DIMENSION}", columns(measured[0].query))


def columns(first: float) -> dict[str, Column]:
    """Returns what is told of a plan, beside the seconds that a query takes by the first one."""
    return {
        "engine": lambda one: one.engine,
        "plan": lambda one: one.plan,
        "inserts a second": lambda one: "" if one.inserts is None else f"{one.inserts:,.0f}",
        "ms a query": lambda one: f"{'~ ' if one.scaled else ''}{one.query * 1e3:,.2f}",
        "µs a row": lambda one: f"{one.query / one.rows * 1e6:,.2f}",
        "recall@10": lambda one: "" if one.recall is None else f"{one.recall:.3f}",
        "against the first": lambda one: f"{first / one.query:,.0f} x",
    }


if __name__ == "__main__":
    main()
