"""Some candidates against everything stored: a scan's own search, bare products, and faiss, on the same vectors.

    python -m benchmarks.search           1,000 against 100,000
    python -m benchmarks.search --long    1,000 against 1,000,000; about 5 GB of memory and 5 GB of disk

Each way is a process of its own, so that its memory is its own: what it holds for itself, and what it has mapped of
files. A scan's search has its vectors in SQLite and its codes in the index beside; the others hold all vectors.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from benchmarks import corpus, process
from benchmarks.table import Row, publish, timed
from moderator.contracts import VectorBlock
from moderator.policy import SearchSpec
from moderator.search import exact
from moderator.search.near import Asked, Near
from moderator.stores.sql import SqlStore
from moderator.vectors import normalise

QUERIES, ROWS, LONG_ROWS = 1_000, 100_000, 1_000_000
THRESHOLD, CAP = 0.9, 1_000
RUNS = 3
LOOPED = 2
"""Candidates that are compared by a loop, with as many rows as the short form has."""
STORE, VECTORS, ASKED, CONTENTS = "moderator.db", "rows.npy", "asked.npy", "contents.npy"


def make(folder: Path, count: int) -> None:
    """Writes the store, its index, and the same vectors as a file; the candidates, stored pictures with one match each,
    are some of the vectors with a little noise."""
    random = np.random.default_rng(6)
    rows = corpus.matrix(count)
    chosen = rows[random.choice(count, QUERIES, replace=False)]
    asked = normalise(chosen + 0.2 * normalise(random.standard_normal(chosen.shape)))
    with SqlStore.open(f"sqlite:///{folder / STORE}") as store:
        corpus.fill(store, count, "reference")
        np.save(folder / CONTENTS, corpus.write(store, "asked", asked, "picture"))
        Near(store, SearchSpec()).ready(corpus.MODEL)
    np.save(folder / VECTORS, rows)
    np.save(folder / ASKED, asked)


def scanned(folder: Path) -> Row:
    """As a scan asks for what is prohibited."""
    contents = np.load(folder / CONTENTS).tolist()
    with SqlStore.open(f"sqlite:///{folder / STORE}") as store:
        near = Near(store, SearchSpec())
        near.ready(corpus.MODEL)
        return found(
            "a scan's search: codes, then the store's vectors",
            lambda: sum(
                len(hits.contents) for hits in near.above(corpus.MODEL, contents, Asked("references"), THRESHOLD, CAP)
            ),
        )


def blocked(folder: Path) -> Row:
    """The exact search alone, its corpus in memory."""
    rows, asked = np.load(folder / VECTORS), corpus.streamed(np.load(folder / ASKED))
    blocks: list[VectorBlock] = corpus.streamed(rows)
    return found(
        "moderator's exact search, vectors in memory",
        lambda: sum(len(hits.contents) for hits in exact.above(asked, lambda: blocks, THRESHOLD, CAP)),
    )


def bare(folder: Path) -> Row:
    """Products, and a comparison of each."""
    rows, asked = np.load(folder / VECTORS), np.load(folder / ASKED)

    def product() -> int:
        room = np.empty((len(asked), exact.ROWS), dtype=np.float32)
        pairs = 0
        for start in range(0, len(rows), exact.ROWS):
            some = rows[start : start + exact.ROWS]
            pairs += int(np.count_nonzero(np.matmul(asked, some.T, out=room[:, : len(some)]) >= THRESHOLD))
        return pairs

    return found("bare matrix product (numpy)", product)


def flat(folder: Path) -> Row:
    """faiss's exact index."""
    index, asked = corpus.flat(folder / VECTORS), np.load(folder / ASKED)
    return found("faiss IndexFlatIP", lambda: int(index.range_search(asked, THRESHOLD)[0][-1]))


def looped(folder: Path) -> Row:
    """A loop over dot products."""
    rows, asked = np.load(folder / VECTORS, mmap_mode="r")[:ROWS], np.load(folder / ASKED)[:LOOPED]

    def loop() -> int:
        return sum(float(one @ row) >= THRESHOLD for one in asked for row in rows)

    return timed("a loop over dot products", LOOPED * ROWS, "pairs", loop, runs=1)


def found(name: str, search: Callable[[], int]) -> Row:
    """Times a search; `work` is the pairs it found."""
    pairs = search()
    return timed(name, pairs, "found", search, RUNS)


WAYS = {one.__name__: one for one in (bare, scanned, blocked, flat, looped)}


def main(long: bool = "--long" in sys.argv) -> None:
    """Measures each way; those that look at all pairs must find the same."""
    count = LONG_ROWS if long else ROWS
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), count)
        for way in WAYS:
            told, done = process.asked("search", way, folder)
            rows.append(replace(Row(**told), memory=done.private, mapped=done.mapped))
    pairs = {row.work for row in rows[:-1]}
    if len(pairs) > 1:
        raise RuntimeError(f"the ways found {sorted(pairs)} pairs")
    rows = [*(replace(row, work=QUERIES * count, unit="pairs") for row in rows[:-1]), rows[-1]]
    note = f"{corpus.DIMENSION} dimensions, cosine {THRESHOLD}, {QUERIES:,} x {count:,}, {pairs.pop():,} pairs found"
    publish("search-long" if long else "search", rows, note)


if __name__ == "__main__":
    if "--one" in sys.argv:
        print(json.dumps(asdict(WAYS[sys.argv[2]](Path(sys.argv[3])))))
    else:
        main()
