"""Hashes that differ in few bits, all of them, without comparing each two: multi-index hashing.

A hash of 256 bits is cut into m bands. With a distance of m b + a, a < m, two hashes cannot differ in more than b bits
in each of the first a + 1 bands and in more than b - 1 in each of the others: that would be m b + a + 1 bits. So rows
are sorted by each band in turn, and those alone are compared whole that agree with the hash that is asked in that band,
but for so few bits (Norouzi, Punjani and Fleet, Fast Exact Search in Hamming Space with Multi-Index Hashing, 2014).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from moderator.vectors import Ids

BITS = 256
SPARE = 3
"""Bits of a band beyond log2 of the rows: one value in eight is then held by a row, and few rows are compared."""
NARROWEST, WIDEST = 8, 26
"""A table of 2^26 places takes 320 MB."""
COMPARED = 1 << 20
"""Rows compared whole at once."""

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Band:
    """Some bits of a hash, counted from the lowest of its first word, and in how many of them a near one may differ."""

    start: int
    width: int
    radius: int


def cut(rows: int, distance: int) -> list[Band]:
    """Returns the bands by which the hashes within `distance` of others are found among so many rows."""
    width = min(WIDEST, max(NARROWEST, math.ceil(math.log2(max(rows, 2))) + SPARE))
    count = -(-BITS // width)
    radius, first = divmod(distance, count)
    edges = [BITS * place // count for place in range(count + 1)]
    bands = [
        Band(start, end - start, radius if place <= first else radius - 1)
        for place, (start, end) in enumerate(pairwise(edges))
    ]
    return [band for band in bands if band.radius >= 0]


@cache
def _flips(width: int, radius: int) -> npt.NDArray[np.uint32]:
    """What turns a value of `width` bits into each that differs in at most `radius` of them."""
    chosen = (bits for count in range(radius + 1) for bits in combinations(range(width), count))
    return np.array([sum(1 << bit for bit in bits) for bits in chosen], dtype=np.uint32)


def _values(words: Words, band: Band) -> npt.NDArray[np.uint32]:
    """The bits of one band, uint32 `[n]`, of words `[4, n]`."""
    word, shift = divmod(band.start, 64)
    values = words[word] >> np.uint64(shift)
    if shift + band.width > 64:
        values |= words[word + 1] << np.uint64(64 - shift)
    kept: npt.NDArray[np.uint32] = (values & np.uint64((1 << band.width) - 1)).astype(np.uint32)
    return kept


class Table:
    """Hashes, words `[4, n]`, sorted by one band."""

    def __init__(self, words: Words, band: Band) -> None:
        self._band = band
        values = _values(words, band)
        self._order = np.argsort(values, kind="stable")
        self._words = np.ascontiguousarray(words[:, self._order].T)
        counts = np.bincount(values, minlength=1 << band.width)
        self._filled = counts > 0
        self._starts = np.zeros(len(counts) + 1, dtype=np.int32)
        np.cumsum(counts, out=self._starts[1:])

    def near(self, asked: Words, distance: int) -> Iterator[tuple[Ids, Ids, Ids]]:
        """Yields places in `asked`, words `[4, q]`, with rows of the table that are near them in its band and differ in
        at most `distance` bits in all, and in how many: int64, all of one length."""
        flips = _flips(self._band.width, self._band.radius)
        probes = (_values(asked, self._band)[:, None] ^ flips).reshape(-1)
        met = np.flatnonzero(self._filled[probes])
        starts = self._starts[probes[met]].astype(np.int64)
        counts = self._starts[probes[met] + np.uint32(1)] - starts
        ends = np.cumsum(counts)
        total = int(ends[-1]) if len(ends) else 0
        cuts = np.unique(np.r_[0, np.searchsorted(ends, np.arange(COMPARED, total, COMPARED)) + 1, len(met)])
        own = np.ascontiguousarray(asked.T)
        for first, last in pairwise(cuts):
            some = counts[first:last]
            before = ends[first:last] - some
            rows = np.arange(before[0], ends[last - 1]) + np.repeat(starts[first:last] - before, some)
            yield self._compared(own, np.repeat(met[first:last] // len(flips), some), rows, distance)

    def _compared(self, own: Words, places: Ids, rows: Ids, distance: int) -> tuple[Ids, Ids, Ids]:
        # Two words first: of hashes that are not near, hardly one in a million differs so little in 128 bits.
        bits = np.bitwise_count(self._words[rows, 0] ^ own[places, 0])
        bits += np.bitwise_count(self._words[rows, 1] ^ own[places, 1])
        few = np.flatnonzero(bits <= distance)
        places, rows = places[few], rows[few]
        differing = np.bitwise_count(self._words[rows] ^ own[places]).sum(axis=1, dtype=np.int64)
        near = differing <= distance
        return places[near], self._order[rows[near]], differing[near]
