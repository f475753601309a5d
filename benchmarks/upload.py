"""One upload against many references, after start-up: by vector, by hash, and the whole question of a scan.

    python -m benchmarks.upload           100,000 references
    python -m benchmarks.upload --long    1,000,000; about 4 GB of disk and 6 GB of memory
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from itertools import cycle

import numpy as np
import numpy.typing as npt

from benchmarks import corpus
from benchmarks.table import Row, most_memory, publish, timed
from moderator.contracts import Embedder, Found, Store
from moderator.ladder import StoredSearch
from moderator.models import ModelId, Preprocessing
from moderator.policy import EmbedderSpec, Policy, Rule, SearchSpec
from moderator.search import hashed, hashes
from moderator.search.near import Asked, Near
from moderator.stores.sql import SqlStore
from moderator.vectors import Matrix

REFERENCES, LONG_REFERENCES, UPLOADS = 100_000, 1_000_000, 20
THRESHOLD, CAP = 0.9, 1_002
RULE = Rule(id="banned", detector="prohibited", embedder="made", threshold=THRESHOLD)


class Made(Embedder):
    """Stands for the model whose vectors the corpus has."""

    name = "made"
    finds_copies = True

    @property
    def model(self) -> ModelId:
        return corpus.MODEL

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(1, 1)

    def embed(self, pictures: object) -> Matrix:
        raise NotImplementedError("vectors are made, not embedded")


def main(long: bool = "--long" in sys.argv) -> None:
    """Fills a store, starts up, and judges uploads one by one, a different one each time."""
    count = LONG_REFERENCES if long else REFERENCES
    with tempfile.TemporaryDirectory() as folder, SqlStore.open(f"sqlite:///{folder}/moderator.db") as store:
        corpus.fill(store, count, "reference")
        uploads = upload(store)
        tables: list[hashes.HashTable] = []
        rows = [
            once("building the index, once", count, lambda: opened(store)),
            once("start-up: checking the index", count, lambda: opened(store)),
            once("building the index of hashes, once", count, lambda: opened_hashes(store)),
            once("start-up: checking the index of hashes", count, lambda: tables.append(opened_hashes(store))),
        ]
        near, (stored,) = opened(store), tables
        asked = {one: hashes.table(store.hashes("images", [one]), 8) for one in uploads}
        turns = cycle(uploads)

        def by_vector() -> None:
            if not list(near.above(corpus.MODEL, [next(turns)], Asked("references"), THRESHOLD, CAP)):
                raise RuntimeError("an upload whose copy is a reference was not found")

        def by_hash() -> None:
            hashes.near(asked[next(turns)], stored, CAP)

        def both() -> None:
            by_vector()
            by_hash()

        def scan() -> None:
            one = next(turns)
            search = StoredSearch(store, policy(), {"made": Made(EmbedderSpec(type="made"))}, [(found(one), one)])
            if not list(search.prohibited("made", THRESHOLD, ())):
                raise RuntimeError("an upload whose copy is a reference was not found")

        judged = [
            timed("by vector (codes, then exact)", count, "references", by_vector, UPLOADS),
            timed("by hash (eight orientations)", count, "references", by_hash, UPLOADS),
            timed("one upload, after start-up", count, "references", both, UPLOADS),
            timed("one upload, start-up included", count, "references", scan, runs=1),
        ]
        most = most_memory()  # before every vector is read, for the others
        rows = [*naive(store, uploads[0]), *judged, *rows]
    note = f"{corpus.DIMENSION} dimensions, cosine {THRESHOLD}, SQLite; most memory of moderator's ways: {most}"
    publish("upload-long" if long else "upload", rows, note)


def policy() -> Policy:
    return Policy(version=1, embedders={"made": EmbedderSpec(type="made")}, rules=[RULE])


def found(number: int) -> Found:
    return Found(f"{number}.jpg", f"/upload/{number}.jpg", 1000, 0, {})


def upload(store: Store) -> list[int]:
    """Stores copies of some references as pictures, and returns their contents."""
    first = next(iter(corpus.blocks(corpus.BLOCK)))
    random = np.random.default_rng(7)
    noise: npt.NDArray[np.float32] = random.standard_normal((UPLOADS, corpus.DIMENSION), dtype=np.float32)
    return corpus.write(store, "upload", first[:UPLOADS] + noise * np.float32(0.01), "picture")


def opened(store: Store) -> Near:
    """Returns a search whose index is open."""
    near = Near(store, SearchSpec())
    near.ready(corpus.MODEL)
    return near


def opened_hashes(store: Store) -> hashes.HashTable:
    table = hashed.known(store, SearchSpec(), print)
    if table is None:
        raise RuntimeError("no index of hashes is kept")
    return table


def once(name: str, count: int, call: Callable[[], object]) -> Row:
    return timed(name, count, "references", call, runs=1)


def naive(store: Store, one: int) -> list[Row]:
    """The product of one vector with the whole matrix in memory, faiss's exact index, and reading the store anew."""
    import faiss

    rows = np.concatenate([block.matrix for block in store.vectors(corpus.MODEL, "references")])
    query = next(iter(store.vectors(corpus.MODEL, "images", [one]))).matrix
    index = faiss.IndexFlatIP(corpus.DIMENSION)
    index.add(rows)

    def read() -> int:
        return sum(int((block.matrix @ query[0] >= THRESHOLD).sum()) for block in store.vectors(corpus.MODEL, "all"))

    return [
        timed("numpy, vectors in memory", len(rows), "references", lambda: rows @ query[0] >= THRESHOLD, UPLOADS),
        timed("faiss IndexFlatIP", len(rows), "references", lambda: index.range_search(query, THRESHOLD), UPLOADS),
        once("reading every stored vector", len(rows), read),
    ]


if __name__ == "__main__":
    main()
