"""Vectors in one byte a dimension, and scans of them that lose no pair at or above a threshold.

A vector is turned by an orthogonal map (random signs, then a cosine transform), which keeps every dot product and
spreads what a few large dimensions hold (Ailon and Chazelle 2009, the fast Johnson-Lindenstrauss transform), and each
number is rounded to a multiple of one step. What rounding took away is kept as its length, the *slack* of the row. For
x = x' + e and y = y' + f of length 1, Cauchy and Schwarz bound the error of a product of codes:

    |x·y - x'·y'| = |e·y + x·f - e·f| ≤ |e| + |f| + |e| |f|

so that a scan of codes finds every pair that may reach the threshold, and the exact search asks those alone.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from moderator.errors import ModelMismatch
from moderator.search.exact import ROUNDING
from moderator.vectors import Ids, Matrix

LARGEST = 127
"""A code is an int8 in [-127, 127]."""
DEVIATIONS = 5.0
"""What the largest code stands for, in standard deviations (1/√dimension) of a turned unit vector: the slack of most
rows is then 5/127/√12 = .011. What lies beyond, in one row of 3,000, is cut and counted as slack."""
MARGIN = 2e-5
"""Added to each slack: ten times what turning in float32 was seen to change."""
ROWS = 2048
"""Stored rows in one product with `QUERIES`: the result, 8 MiB, stays in the cache."""
QUERIES = 1024
FEW = 4
"""Up to so many queries are compared row by row, at the speed of memory, and more as a matrix product."""
LONG = 65_536
"""Rows in one such comparison."""

Bytes = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]
Products = npt.NDArray[Any]
"""Whole numbers `[rows, queries]`: int32, or floats that hold them exactly."""


@dataclass(frozen=True, slots=True)
class Codes:
    """Rows of codes: content ids int64 `[n]`, slacks float32 `[n]` and codes int8 `[n, dimension]`, a row a view.

    `version` tells all rows of a local index from what it held before; empty where they are of none, or some of them.
    """

    contents: Ids
    slack: npt.NDArray[np.float32]
    matrix: Bytes
    version: str = ""

    def __len__(self) -> int:
        return len(self.contents)

    def __getitem__(self, rows: slice | Ids) -> Codes:
        return Codes(self.contents[rows], self.slack[rows], self.matrix[rows])


@cache
def _turn(dimension: int) -> Matrix:
    """The orthogonal map `[dimension, dimension]`: x @ it. The same on every machine, so codes can be kept."""
    bits = np.unpackbits(np.frombuffer(hashlib.shake_256(b"moderator").digest(dimension // 8 + 1), dtype=np.uint8))
    place = np.arange(dimension)
    cosines = np.cos(np.pi * (place[:, None] + 0.5) * place / dimension) * math.sqrt(2.0 / dimension)
    cosines[:, 0] = math.sqrt(1.0 / dimension)
    turned: Matrix = (np.where(bits[:dimension, None], 1.0, -1.0) * cosines).astype(np.float32)
    return turned


def step(dimension: int) -> float:
    """What a difference of 1 between two codes stands for."""
    return DEVIATIONS / (LARGEST * math.sqrt(dimension))


def encode(contents: Ids, matrix: Matrix) -> Codes:
    """Returns the codes of unit vectors, float32 `[n, dimension]`."""
    turned = matrix @ _turn(matrix.shape[1])
    size = np.float32(step(matrix.shape[1]))
    rounded = np.rint(turned / size).clip(-LARGEST, LARGEST)
    turned -= rounded * size
    slack = np.sqrt(np.einsum("ij,ij->i", turned, turned)) + np.float32(MARGIN)
    return Codes(contents, slack, rounded.astype(np.int8))


def joined(parts: Sequence[Codes]) -> Codes:
    """Returns the rows of several codes as one."""
    return Codes(
        np.concatenate([part.contents for part in parts]),
        np.concatenate([part.slack for part in parts]),
        np.concatenate([part.matrix for part in parts]),
    )


def decode(matrix: Bytes) -> Matrix:
    """Returns codes as float32 unit vectors, turned: their products are those of the vectors, but for the slack."""
    rows = matrix.astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True).clip(1.0)
    return rows


def digest(codes: Codes) -> str:
    """Names these rows: a vector among them that was another one would have another slack."""
    return hashlib.sha256(codes.contents.tobytes() + codes.slack.tobytes()).hexdigest()


def least(threshold: float, queries: Codes, rows: Codes) -> npt.NDArray[np.int32]:
    """Returns the least product of each row with a query, int32 `[n, 1]`, at which the cosine may be at or above
    `threshold`."""
    ours, theirs = float(queries.slack.max(initial=0.0)), rows.slack.astype(np.float64)
    cosine = threshold - ROUNDING - (ours + theirs + ours * theirs)
    return np.ceil(cosine / step(rows.matrix.shape[1]) ** 2).astype(np.int32)[:, None]


def product(queries: Bytes) -> Callable[[Bytes], Products]:
    """Returns a function from rows int8 `[n, dimension]` to their exact products with `queries`, `[n, queries]`.

    By NumKong (the extra `fast`) where it is installed, else by numpy in float32, which holds every sum of fewer than
    1,040 products of two bytes, and others to within the margin.
    """
    try:
        import numkong
    except ImportError:
        turned = queries.astype(np.float32).T
        return lambda rows: rows.astype(np.float32) @ turned
    if len(queries) <= FEW:
        return lambda rows: np.asarray(numkong.cdist(queries, rows, "dot")).T
    packed = numkong.dots_pack(queries)
    return lambda rows: np.asarray(numkong.dots_packed(rows, packed))


def reach(queries: Codes, corpus: Codes, threshold: float) -> Mask:
    """Returns which rows of `corpus`, bool `[n]`, may have a cosine at or above `threshold` with some query: all that
    have, and few more.

    Raises:
        ModelMismatch: the two sides have different dimensions.
    """
    found = np.zeros(len(corpus), dtype=bool)

    def block(at: int, rows: Codes, some: Codes, products: Products) -> None:
        closest = products.max(axis=1, keepdims=True) >= least(threshold, some, rows)
        found[at : at + len(rows)] |= closest[:, 0]

    _scan(queries, corpus, block)
    return found


def likeness(queries: Codes, corpus: Codes) -> npt.NDArray[np.float32]:
    """Returns the cosine of each row of `corpus` with its closest query, float32 `[n]`, within the slack of both."""
    cosines = np.full(len(corpus), -1.0, dtype=np.float32)

    def block(at: int, rows: Codes, _some: Codes, products: Products) -> None:
        there = cosines[at : at + len(rows)]
        np.maximum(there, products.max(axis=1) * np.float32(step(corpus.matrix.shape[1]) ** 2), out=there)

    _scan(queries, corpus, block)
    return cosines


def _scan(queries: Codes, corpus: Codes, block: Callable[[int, Codes, Codes, Products], None]) -> None:
    """Hands `block` the products of rows of the corpus, from a place on, with up to `QUERIES` queries."""
    if queries.matrix.shape[1] != corpus.matrix.shape[1]:
        raise ModelMismatch(
            f"vectors of {queries.matrix.shape[1]} and {corpus.matrix.shape[1]} dimensions cannot be compared: "
            "they are of different models"
        )
    for start in range(0, len(queries), QUERIES):
        some = queries[start : start + QUERIES]
        times = product(some.matrix)
        size = LONG if len(some) <= FEW else ROWS

        def work(at: int, some: Codes = some, times: Callable[[Bytes], Products] = times, size: int = size) -> None:
            rows = corpus[at : at + size]
            block(at, rows, some, times(rows.matrix))

        each(work, range(0, len(corpus), size))


def each(work: Callable[[int], object], items: range) -> None:
    """Calls `work` with every item, one thread a core: products leave the interpreter free."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for _ in threads.map(work, items):
            pass
