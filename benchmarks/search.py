"""Exact search: the blocked product of moderator against numpy's whole matrix and against a loop."""

from __future__ import annotations

import numpy as np

from benchmarks.table import publish, timed
from moderator.contracts import VectorBlock
from moderator.search import exact
from moderator.vectors import Matrix, normalise

QUERIES, ROWS, DIMENSION, BLOCK = 1_000, 50_000, 512, 8_192
THRESHOLD = 0.6


def blocks(matrix: Matrix) -> list[VectorBlock]:
    """Cuts a matrix as a store streams it."""
    ids = np.arange(len(matrix))
    return [
        VectorBlock(ids[at : at + BLOCK], [""] * BLOCK, matrix[at : at + BLOCK]) for at in range(0, len(matrix), BLOCK)
    ]


def main() -> None:
    """Times a loop over dot products, one whole product, and the blocked search."""
    random = np.random.default_rng(5)
    corpus = normalise(random.standard_normal((ROWS, DIMENSION)))
    # Every query has one match: a stored vector with a little noise.
    queries = normalise(corpus[:QUERIES] + random.standard_normal((QUERIES, DIMENSION)) * 0.02)
    stored, asked = blocks(corpus), blocks(queries)

    def blocked() -> int:
        return sum(len(hits.contents) for hits in exact.above(asked, lambda: stored, THRESHOLD, 1000))

    def whole() -> int:
        return int(np.count_nonzero(queries @ corpus.T >= THRESHOLD))

    def loop() -> int:
        return sum(float(query @ row) >= THRESHOLD for query in queries[:2] for row in corpus)

    if blocked() != whole():
        raise RuntimeError("the blocked search and the whole product do not agree")
    pairs = QUERIES * ROWS
    rows = [
        timed("whole matrix product (numpy)", pairs, "pairs", whole),
        timed("blocked search (moderator)", pairs, "pairs", blocked),
        timed("a loop over dot products", 2 * ROWS, "pairs", loop, runs=1),
    ]
    publish("search", rows, f"{DIMENSION} dimensions, float32, threshold {THRESHOLD}, {QUERIES:,} x {ROWS:,}")


if __name__ == "__main__":
    main()
