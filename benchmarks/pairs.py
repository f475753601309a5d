"""All pairs of a store at cosine .9: by clusters, each two, faiss and numpy, from 10,000 vectors to a million.

    python -m benchmarks.pairs           10,000 to 100,000
    python -m benchmarks.pairs --long    to 1,000,000, and draws docs/pairs.svg; about 4 GB of disk

Each line is a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks import corpus, process
from benchmarks.plot import draw
from benchmarks.table import Row, once, publish
from moderator.policy import SearchSpec
from moderator.search.near import Asked, Near
from moderator.stores.sql import SqlStore

SIZES, LONG_SIZES = (10_000, 30_000, 100_000), (10_000, 30_000, 100_000, 300_000, 1_000_000)
THRESHOLD, CAP = 0.9, 1_002
LISTS, PROBES, TAUGHT = 1_024, 8, 40
"""faiss IVF: lists at 100,000 rows (they grow with the root), lists probed, training rows for each list."""
PLOT = Path(__file__).parents[1] / "docs" / "pairs.svg"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a process measured: seconds, distinct pairs found, what the report would note."""

    seconds: float
    pairs: int
    notes: list[str]


def moderator(url: str, spec: SearchSpec) -> Ran:
    """The search that `scan` makes when it scans the whole store, with the index in place."""
    notes: list[str] = []
    with SqlStore.open(url) as store:
        contents = store.members("images").tolist()
        near = Near(store, spec, notes.append)
        started = time.perf_counter()
        hits = list(near.above(corpus.MODEL, contents, Asked("images"), THRESHOLD, CAP))
        seconds = time.perf_counter() - started
    return Ran(seconds, sum(int((one.contents < one.others).sum()) for one in hits), notes)


def faiss(count: int) -> Ran:
    """Trains, fills and asks faiss's IVF index of float32 vectors."""
    import faiss as library

    rows = corpus.matrix(count)
    lists = round(LISTS * (count / 100_000) ** 0.5)
    started = time.perf_counter()
    index = library.IndexIVFFlat(library.IndexFlatIP(rows.shape[1]), rows.shape[1], lists, library.METRIC_INNER_PRODUCT)
    index.cp.max_points_per_centroid = TAUGHT
    index.train(rows)
    index.add(rows)
    index.nprobe = PROBES
    found: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
    for start in range(0, count, 8_192):
        limits, _, others = index.range_search(rows[start : start + 8_192], THRESHOLD)
        ours = np.repeat(np.arange(start, start + len(limits) - 1), np.diff(limits).astype(np.int64))
        found.append(np.stack([np.minimum(ours, others), np.maximum(ours, others)])[:, ours != others])
    pairs = np.unique(np.concatenate(found, axis=1), axis=1)
    return Ran(time.perf_counter() - started, pairs.shape[1], [])


def product(count: int) -> Ran:
    """The product of the whole by blocks (numpy), each two twice."""
    rows = corpus.matrix(count)
    started = time.perf_counter()
    pairs = sum(
        int(np.count_nonzero(rows[start : start + 2_048] @ rows.T >= THRESHOLD)) for start in range(0, count, 2_048)
    )
    return Ran(time.perf_counter() - started, (pairs - count) // 2, [])


def one(what: str, count: int, url: str) -> Ran:
    ways: dict[str, Callable[[], Ran]] = {
        "clusters": lambda: moderator(url, SearchSpec()),
        "each two": lambda: moderator(url, SearchSpec(pairs="exact")),
        "faiss IVF": lambda: faiss(count),
        "numpy": lambda: product(count),
    }
    return ways[what]()


def fill(url: str, count: int) -> None:
    """Writes the store, and its index, which later scans find in place."""
    with SqlStore.open(url) as store:
        contents = corpus.fill(store, count, "picture")
        list(Near(store, SearchSpec()).above(corpus.MODEL, contents[:1], Asked("images"), THRESHOLD, CAP))


def main(long: bool = "--long" in sys.argv) -> None:
    """Measures each way at each size, as far as it is bearable."""
    largest = {"clusters": 10**9, "each two": 300_000, "faiss IVF": 300_000, "numpy": 30_000 if not long else 100_000}
    rows: list[Row] = []
    notes: list[str] = []
    lines: dict[str, list[tuple[int, float]]] = {what: [] for what in largest}
    for count in LONG_SIZES if long else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/moderator.db"
            fill(url, count)
            for what in (name for name, most in largest.items() if count <= most):
                told, done = process.asked("pairs", what, str(count), url)
                ran = Ran(**told)
                lines[what].append((count, ran.seconds))
                name = f"{what}: {ran.pairs:,} pairs"
                rows.append(once(name, count, "vectors", ran.seconds, done.private, done.mapped))
                notes += [f"{count:,}: {note}" for note in ran.notes]
    note = f"{corpus.DIMENSION} dimensions, cosine {THRESHOLD}; one vector in ten is a copy of another"
    publish("pairs-long" if long else "pairs", rows, "\n".join([note, *notes]))
    if long:
        draw(PLOT, "All pairs at cosine .9", lines, ("vectors", "seconds"))


if __name__ == "__main__":
    if "--one" in sys.argv:
        print(json.dumps(asdict(one(sys.argv[2], int(sys.argv[3]), sys.argv[4]))))
    else:
        main()
