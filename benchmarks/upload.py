"""One upload against many references, after start-up: by vector, by hash, and the whole question of a scan.

    python -m benchmarks.upload           100,000 references
    python -m benchmarks.upload --long    1,000,000; about 4 GB of disk and 6 GB of memory
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import corpus, process
from benchmarks.table import Row, publish, timed
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
STORE, VECTORS, UPLOADED = "moderator.db", "rows.npy", "uploads.npy"
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
    """Fills a store and its indexes, and asks each way, in a process of its own."""
    count = LONG_REFERENCES if long else REFERENCES
    with tempfile.TemporaryDirectory() as folder:
        built = make(Path(folder), count)
        rows: list[Row] = []
        for way in WAYS:
            told, done = process.asked("upload", way, folder)
            rows += [Row(**one) for one in told]
            rows[-1] = replace(rows[-1], memory=done.private, mapped=done.mapped)
    note = f"{corpus.DIMENSION} dimensions, cosine {THRESHOLD}, SQLite; a process's memory stands in its last row"
    publish("upload-long" if long else "upload", [*rows, *built], note)


def make(folder: Path, count: int) -> list[Row]:
    """Fills a store, builds its indexes, and writes its vectors to a file; returns what building took."""
    with SqlStore.open(f"sqlite:///{folder / STORE}") as store:
        corpus.fill(store, count, "reference")
        np.save(folder / UPLOADED, upload(store))
        np.save(folder / VECTORS, corpus.matrix(count))
        return [
            single("building the index, once", count, lambda: opened(store)),
            single("building the index of hashes, once", count, lambda: opened_hashes(store)),
        ]


def judged(folder: Path) -> list[Row]:
    """Starts up, and judges uploads one by one, a different one each time."""
    uploads = np.load(folder / UPLOADED).tolist()
    count = len(np.load(folder / VECTORS, mmap_mode="r"))
    with SqlStore.open(f"sqlite:///{folder / STORE}") as store:
        opening = [
            single("start-up: checking the index", count, lambda: opened(store)),
            single("start-up: checking the index of hashes", count, lambda: opened_hashes(store)),
        ]
        near, stored = opened(store), opened_hashes(store)
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

        return [
            *opening,
            single("one upload, start-up included", count, scan),
            timed("by vector (codes, then exact)", count, "references", by_vector, UPLOADS),
            timed("by hash (eight orientations)", count, "references", by_hash, UPLOADS),
            timed("one upload, after start-up", count, "references", both, UPLOADS),
        ]


def product(folder: Path) -> list[Row]:
    """The product of one vector with the whole matrix in memory."""
    rows = np.load(folder / VECTORS)
    query = rows[0]
    return [timed("numpy, vectors in memory", len(rows), "references", lambda: rows @ query >= THRESHOLD, UPLOADS)]


def flat(folder: Path) -> list[Row]:
    """faiss's exact index."""
    index = corpus.flat(folder / VECTORS)
    query = np.load(folder / VECTORS, mmap_mode="r")[:1]
    search = partial(index.range_search, np.array(query), THRESHOLD)
    return [timed("faiss IndexFlatIP", index.ntotal, "references", search, UPLOADS)]


def streamed(folder: Path) -> list[Row]:
    """Reading the store anew."""
    query = np.load(folder / VECTORS, mmap_mode="r")[0]
    with SqlStore.open(f"sqlite:///{folder / STORE}") as store:
        count = len(store.members("references"))
        blocks = partial(store.vectors, corpus.MODEL, "references")

        def read() -> int:
            return sum(int((block.matrix @ query >= THRESHOLD).sum()) for block in blocks())

        return [single("reading every stored vector", count, read)]


WAYS = {one.__name__: one for one in (product, flat, streamed, judged)}


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


def single(name: str, count: int, call: Callable[[], object]) -> Row:
    return timed(name, count, "references", call, runs=1)


if __name__ == "__main__":
    if "--one" in sys.argv:
        print(json.dumps([asdict(row) for row in WAYS[sys.argv[2]](Path(sys.argv[3]))]))
    else:
        main()
