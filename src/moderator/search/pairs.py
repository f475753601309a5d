"""All pairs among many vectors: each two compared once, or only those that share a cluster.

Clusters: k-means on a sample, then every row joins its nearest clusters, and only rows of one cluster are compared.
Two close rows share all but surely one of so many. How surely is measured before they are compared, and said; where it
is not surely enough, rows join more clusters.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moderator.search.codes import LARGEST, ROWS, Bytes, Codes, decode, each, least, product, step
from moderator.search.exact import Hits
from moderator.vectors import Ids, Matrix

FEW = 50_000
"""Up to so many rows each two are compared: seconds on two cores."""
CLUSTERS = 3
"""Clusters for each √n rows: finding a row's clusters and comparing inside them then take about as long."""
NEAREST = (8, 12, 18)
"""Clusters that a row joins, the first number that finds enough: of isotropic vectors, the hardest, 4 lose one pair in
200 at cosine .9, and 8 hardly one in a thousand."""
ROUNDS = 6
"""Of k-means."""
EACH = 40
"""Rows of the sample for each cluster."""
SAMPLE = 2048
"""Rows that are compared with all, and pairs that are made, to measure recall."""
RECALL = 0.999
"""Below this recall, on the sample's own pairs, clusters are not used."""
MADE_RECALL = 0.99
"""The same on made pairs: those stand just at the threshold, where a pair is lost most easily."""
MOST = 50_000_000
"""Candidate pairs that are held, 400 MB; where there are more, they are not looked for in this way."""

ABREAST = 256
"""Rows that are compared with those after them at once: few, so that little is compared twice."""
ALONG = 4096
"""How many of those in one product."""

Places = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Recall:
    """How many pairs share a cluster: of those a sample has at the threshold, and of those made to stand just at it."""

    pairs: int
    found: int
    made: int
    made_found: int

    def __str__(self) -> str:
        return (
            f"{self.found:,} of {self.pairs:,} pairs of a sample compared with everything, and {self.made_found:,} of "
            f"{self.made:,} pairs made to stand just at the threshold"
        )

    @property
    def enough(self) -> bool:
        return self.found >= RECALL * self.pairs and self.made_found >= MADE_RECALL * self.made


@dataclass(frozen=True, slots=True)
class Partners:
    """Candidate pairs of contents, each both ways round, sorted by the first."""

    contents: Ids
    others: Ids
    recall: Recall | None
    """None where each two were compared."""

    def with_more(self, others: Partners) -> Partners:
        """Returns these pairs and others."""
        contents, partners = (
            np.concatenate(both) for both in ((self.contents, others.contents), (self.others, others.others))
        )
        order = np.argsort(contents, kind="stable")
        return Partners(contents[order], partners[order], self.recall)

    @property
    def hits(self) -> Hits:
        """The pairs, without scores: those are the store's to say."""
        return Hits(self.contents, self.others, np.zeros(len(self.contents), np.float32))

    def among(self, contents: Sequence[int]) -> list[int]:
        """Returns those of some contents that have a partner."""
        paired = set(self.contents.tolist())
        return [content for content in contents if content in paired]

    def of(self, contents: Ids) -> Ids:
        """Returns the distinct partners of some contents."""
        start, end = np.searchsorted(self.contents, contents, "left"), np.searchsorted(self.contents, contents, "right")
        parts = [self.others[first:last] for first, last in zip(start, end, strict=True) if first < last]
        return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)


class _Held:
    """Candidate pairs of `n` rows as numbers first * n + second, gathered from several threads."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._lock = threading.Lock()
        self._keys: list[Ids] = []
        self._count = 0
        self.too_many = False

    def add(self, first: Ids, second: Ids) -> None:
        with self._lock:
            self._keys.append(first * self._rows + second)
            self._count += len(first)
            if self._count > MOST:
                self._keys = [np.unique(np.concatenate(self._keys))]
                self._count = len(self._keys[0])
                self.too_many |= self._count > MOST // 2

    def partners(self, codes: Codes, recall: Recall | None) -> Partners | None:
        if self.too_many:
            return None
        first, second = np.divmod(np.concatenate([np.empty(0, np.int64), *self._keys]), self._rows)
        ours, theirs = codes.contents[first], codes.contents[second]
        different = ours != theirs
        both = np.stack([np.r_[ours, theirs], np.r_[theirs, ours]])[:, np.r_[different, different]]
        contents, others = np.unique(both, axis=1)
        return Partners(contents, others, recall)


def every(codes: Codes, threshold: float) -> Partners | None:
    """Compares each two rows once, and returns all pairs that may be at or above `threshold`; None for too many."""
    held = _Held(len(codes))
    work = _upper(codes, threshold, held)
    each(work, range(0, len(codes), ABREAST))
    return held.partners(codes, None)


def added(codes: Codes, before: int, threshold: float) -> Partners | None:
    """Compares the rows from `before` on with all, and returns the pairs that they are in, as `every` does."""
    held = _Held(len(codes))
    asked = [
        (start, some, product(some.matrix))
        for start in range(before, len(codes), ABREAST)
        for some in [codes[start : start + ABREAST]]
    ]

    def work(at: int) -> None:
        below = codes[at : at + ALONG]
        for start, some, times in asked:
            close = times(below.matrix) >= least(threshold, some, below)
            first, second = np.divmod(np.flatnonzero(close), len(some))
            first, second = first + at, second + start
            held.add(first[first < second], second[first < second])

    each(work, range(0, len(codes), ALONG))
    return held.partners(codes, None)


def _upper(codes: Codes, threshold: float, held: _Held, rows: Ids | None = None) -> Callable[[int], None]:
    """Returns what compares `ABREAST` rows, from one on, with themselves and those after them."""
    def work(start: int) -> None:
        if held.too_many:
            return
        queries = codes[start : start + ABREAST]
        times = product(queries.matrix)
        for at in range(start, len(codes), ALONG):
            below = codes[at : at + ALONG]
            close = times(below.matrix) >= least(threshold, queries, below)
            second, first = np.divmod(np.flatnonzero(close), len(queries))
            first, second = first + start, second + at
            upper = first < second
            if upper.any():
                first, second = first[upper], second[upper]
                held.add(*((first, second) if rows is None else (rows[first], rows[second])))

    return work


def clustered(codes: Codes, threshold: float) -> Partners | Recall | None:
    """Compares the rows that share a cluster. Returns the recall alone where it is not enough, None for too many."""
    random = np.random.default_rng(0)
    centres = _centres(codes.matrix, CLUSTERS * math.isqrt(len(codes)), random)
    for count in NEAREST:
        nearest = _nearest(codes.matrix, centres, count)
        recall = _recall(codes, nearest, centres, threshold, random)
        if recall.enough:
            break
    else:
        return recall
    joined = nearest.shape[1]
    order = np.argsort(nearest.reshape(-1), kind="stable")
    ends = np.searchsorted(nearest.reshape(-1)[order], np.arange(len(centres) + 1))
    held = _Held(len(codes))

    def work(cluster: int) -> None:
        rows = order[ends[cluster] : ends[cluster + 1]] // joined  # ascending, as the order is stable
        inside = _upper(codes[rows], threshold, held, rows)
        for start in range(0, len(rows), ABREAST):
            inside(start)

    each(work, range(len(centres)))
    return held.partners(codes, recall)


def _centres(matrix: Bytes, count: int, random: np.random.Generator) -> Bytes:
    """Spherical k-means on a sample: int8 `[count, dimension]`."""
    chosen = np.sort(random.choice(len(matrix), min(len(matrix), EACH * count), replace=False))
    sample = random.permutation(matrix[chosen])
    centres = sample[:count]
    for _ in range(ROUNDS):
        nearest = _nearest(sample, centres, 1)[:, 0]
        order = np.argsort(nearest, kind="stable")
        _, starts = np.unique(nearest[order], return_index=True)
        centres = _rounded(np.add.reduceat(sample[order].astype(np.float32), starts, axis=0))
    return centres


def _rounded(matrix: Matrix) -> Bytes:
    """Returns turned vectors, scaled to length 1, as codes."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True).clip(1e-9)
    rounded: Bytes = np.rint(matrix / lengths / step(matrix.shape[1])).clip(-LARGEST, LARGEST).astype(np.int8)
    return rounded


def _nearest(matrix: Bytes, centres: Bytes, count: int) -> Places:
    """Returns the `count` nearest centres of each row, int32 `[n, count]`."""
    count = min(count, len(centres))
    nearest = np.empty((len(matrix), count), dtype=np.int32)
    times = product(centres)

    def work(start: int) -> None:
        products = np.array(times(matrix[start : start + ROWS]))
        rows = np.arange(len(products))
        for place in range(count):
            best = products.argmax(axis=1)
            nearest[start : start + ROWS, place] = best
            products[rows, best] = np.iinfo(np.int32).min

    each(work, range(0, len(matrix), ROWS))
    return nearest


def _recall(
    codes: Codes, nearest: Places, centres: Bytes, threshold: float, random: np.random.Generator
) -> Recall:
    """Measures how many of the pairs that a sample of rows is in share a cluster, by comparing it with every row, and
    how many pairs do that are made of a row and a turn of it in a random direction to just the threshold."""
    sample = np.sort(random.choice(len(codes), min(len(codes), SAMPLE), replace=False))
    at_threshold = math.ceil(threshold / step(codes.matrix.shape[1]) ** 2)
    times = product(codes.matrix[sample])
    counts: list[tuple[int, int]] = []

    def work(start: int) -> None:
        products = times(codes.matrix[start : start + ROWS])
        second, first = np.divmod(np.flatnonzero(products >= at_threshold), len(sample))
        first, second = sample[first], second + start
        apart = codes.contents[first] != codes.contents[second]
        shared = _shared(nearest[first[apart]], nearest[second[apart]])
        counts.append((len(shared), int(shared.sum())))

    each(work, range(0, len(codes), ROWS))
    rows = decode(codes.matrix[sample])
    other = random.standard_normal(rows.shape).astype(np.float32)
    other -= np.einsum("ij,ij->i", other, rows)[:, None] * rows
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    made = _rounded(threshold * rows + math.sqrt(max(0.0, 1.0 - threshold**2)) * other)
    both = _shared(nearest[sample], _nearest(made, centres, nearest.shape[1]))
    pairs, found = (sum(one) for one in zip(*counts, strict=True))
    return Recall(pairs, found, len(both), int(both.sum()))


def _shared(first: Places, second: Places) -> npt.NDArray[np.bool_]:
    shared: npt.NDArray[np.bool_] = (first[:, :, None] == second[:, None, :]).any(axis=(1, 2))
    return shared
