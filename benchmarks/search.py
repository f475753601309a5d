"""Some candidates against everything stored: exact products, codes, faiss and a loop, on the same vectors.

    python -m benchmarks.search           1,000 against 100,000
    python -m benchmarks.search --long    1,000 against 1,000,000; about 5 GB of memory
"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks import corpus
from benchmarks.table import Row, most_memory, publish, timed
from moderator.search import codes, exact
from moderator.search.codes import Codes
from moderator.vectors import Matrix, normalise

QUERIES, ROWS, LONG_ROWS = 1_000, 100_000, 1_000_000
THRESHOLD, CAP = 0.9, 1_000


def asked(rows: Matrix) -> Matrix:
    """Candidates that have one match each: stored vectors with a little noise."""
    random = np.random.default_rng(6)
    chosen = rows[random.choice(len(rows), QUERIES, replace=False)]
    return normalise(chosen + 0.2 * normalise(random.standard_normal(chosen.shape)))


def encoded(rows: Matrix) -> Codes:
    return codes.joined([codes.encode(block.contents, block.matrix) for block in corpus.streamed(rows)])


def main(long: bool = "--long" in sys.argv) -> None:
    """Times each way, after checking that they find the same pairs."""
    rows = corpus.matrix(LONG_ROWS if long else ROWS)
    queries = asked(rows)
    stored, blocks, coded = corpus.streamed(rows), corpus.streamed(queries), encoded(rows)
    asked_codes = encoded(queries)

    def bare() -> None:
        room = np.empty((len(queries), exact.ROWS), dtype=np.float32)
        for start in range(0, len(rows) - exact.ROWS + 1, exact.ROWS):
            np.matmul(queries, rows[start : start + exact.ROWS].T, out=room)

    def blocked() -> int:
        return sum(len(hits.contents) for hits in exact.above(blocks, lambda: stored, THRESHOLD, CAP))

    def by_codes() -> int:
        near = rows[codes.reach(asked_codes, coded, THRESHOLD)]
        return sum(len(hits.contents) for hits in exact.above(blocks, lambda: corpus.streamed(near), THRESHOLD, CAP))

    def loop() -> int:
        return sum(float(query @ row) >= THRESHOLD for query in queries[:2] for row in rows[:ROWS])

    if blocked() != by_codes():
        raise RuntimeError("the exact search and the one by codes do not agree")
    pairs = len(queries) * len(rows)
    runs = 2 if long else 3
    table = [
        timed("bare matrix product (numpy)", pairs, "pairs", bare, runs),
        timed("exact search (moderator)", pairs, "pairs", blocked, runs),
        timed("by codes, then exact (moderator)", pairs, "pairs", by_codes, runs),
        timed("a loop over dot products", 2 * ROWS, "pairs", loop, runs=1),
    ]
    note = (
        f"{corpus.DIMENSION} dimensions, cosine {THRESHOLD}, {len(queries):,} x {len(rows):,}; most memory, vectors "
        f"and codes in it: {most_memory()}"
    )
    table += flat(rows, queries, runs)  # which copies all vectors, so its memory is not ours
    publish("search-long" if long else "search", table, note)


def flat(rows: Matrix, queries: Matrix, runs: int) -> list[Row]:
    """faiss's exact index."""
    import faiss

    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    pairs = len(queries) * len(rows)
    return [timed("faiss IndexFlatIP", pairs, "pairs", lambda: index.range_search(queries, THRESHOLD), runs)]


if __name__ == "__main__":
    main()
