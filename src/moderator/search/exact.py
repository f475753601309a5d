"""Exact cosine search by blocked matrix products: bounded memory, the threshold applied block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from moderator.contracts import VectorBlock
from moderator.errors import ModelMismatch
from moderator.parts import are_parts
from moderator.vectors import Ids, Matrix

QUERIES = 2048
"""Query rows in one product."""
ROWS = 2048
"""Stored rows in one product: the result, 16 MiB, is written over and over and stays in the cache."""
HELD = 4_000_000
"""Hits held before all but the closest are let go."""
ROUNDING = 1e-6
"""How far below its threshold a float32 cosine counts as at it: rounding must not lose a pair that stands there."""


@dataclass(frozen=True, slots=True)
class Hits:
    """Pairs of contents at or above a threshold: int64 ids and float32 cosine similarities, all `[n]`."""

    contents: Ids
    others: Ids
    scores: npt.NDArray[np.float32]


def above(
    queries: Iterable[VectorBlock],
    corpus: Callable[[], Iterable[VectorBlock]],
    threshold: float,
    cap: int,
    *,
    parts: bool = True,
    by_view: bool = False,
) -> Iterator[Hits]:
    """Yields every pair (query content, corpus content) whose cosine is at or above `threshold`, each once.

    A content with several views counts with its closest one; `moderator.parts` says which are compared. The corpus is
    streamed anew for each block of queries, so memory holds one block of each and the hits.

    Args:
        cap: at most this many of the closest for each query content; a caller that sees a content with exactly
            `cap` hits knows there may be more.
        parts: whether parts of pictures are compared, with whole ones.
        by_view: whether each view of a query content has the closest of its own: then a pair comes once for each view
            that reaches the threshold, and what is yielded at once has one view of a content.

    Raises:
        ModelMismatch: the two sides have different dimensions.
    """
    for asked in _split(queries):
        products = np.empty((len(asked.contents), ROWS), dtype=np.float32)
        rows = np.arange(len(asked.contents)) if by_view else asked.contents
        compare = partial(_block, replace(asked, contents=rows), threshold=threshold, products=products, parts=parts)
        found: list[Hits] = []
        held = 0
        for hits in _beside(compare, corpus()):
            found.append(hits)
            held += len(hits.contents)
            if held > HELD:
                found = [closest(joined(found), cap)]
                held = 0
        hits = closest(joined(found), cap)
        if len(hits.contents):
            yield from _of_views(asked.contents, hits) if by_view else [hits]


def _of_views(contents: Ids, hits: Hits) -> Iterator[Hits]:
    """Yields hits of rows as those of their contents: of all first views, of all second ones, and so on."""
    starts = np.flatnonzero(np.append(True, contents[1:] != contents[:-1]))
    views = (np.arange(len(contents)) - np.repeat(starts, np.diff(starts, append=len(contents))))[hits.contents]
    for one in np.unique(views):
        chosen = _taken(hits, views == one)
        yield replace(chosen, contents=contents[chosen.contents])


def grouped(blocks: Iterable[VectorBlock], least: int) -> Iterator[VectorBlock]:
    """Joins blocks until they have `least` rows, so that what is done for each block is done less often."""
    held: list[VectorBlock] = []
    for block in blocks:
        held.append(block)
        if sum(len(one.contents) for one in held) >= least:
            yield _together(held)
            held = []
    if held:
        yield _together(held)


def _together(blocks: list[VectorBlock]) -> VectorBlock:
    if len(blocks) == 1:
        return blocks[0]
    return VectorBlock(
        np.concatenate([block.contents for block in blocks]),
        [view for block in blocks for view in block.views],
        np.concatenate([block.matrix for block in blocks]),
    )


def _split(blocks: Iterable[VectorBlock]) -> Iterator[VectorBlock]:
    """Cuts blocks into about `QUERIES` rows, never between two views of one content."""
    for block in grouped(blocks, QUERIES):
        start = 0
        while start < len(block.contents):
            end = min(start + QUERIES, len(block.contents))
            while end < len(block.contents) and block.contents[end] == block.contents[end - 1]:
                end += 1
            yield VectorBlock(block.contents[start:end], block.views[start:end], block.matrix[start:end])
            start = end


def _beside(compare: Callable[[VectorBlock], Iterator[Hits]], blocks: Iterable[VectorBlock]) -> Iterator[Hits]:
    """Compares each block in a thread while the next one is read here, where the store is."""
    with ThreadPoolExecutor(1) as thread:
        waiting: list[Future[list[Hits]]] = []
        for block in blocks:
            waiting.append(thread.submit(lambda one: list(compare(one)), block))
            if len(waiting) > 1:
                yield from waiting.pop(0).result()
        for one in waiting:
            yield from one.result()


def _block(
    asked: VectorBlock, block: VectorBlock, threshold: float, products: Matrix, parts: bool
) -> Iterator[Hits]:
    """Yields the hits of some queries in a block; `products` is room for their products with `ROWS` stored rows."""
    ids, rows = asked.contents, asked.matrix
    ours, theirs = are_parts(asked.views), are_parts(block.views)
    if rows.shape[1] != block.matrix.shape[1]:
        raise ModelMismatch(
            f"vectors of {rows.shape[1]} and {block.matrix.shape[1]} dimensions cannot be compared: "
            "they are of different models"
        )
    least = np.float32(threshold) - np.float32(ROUNDING)
    for start in range(0, len(block.contents), ROWS):
        stored = block.matrix[start : start + ROWS]
        # A last short block has room of its own: a view of the whole would not be contiguous, and be copied.
        room = products if len(stored) == ROWS else np.empty((len(ids), len(stored)), dtype=np.float32)
        np.matmul(rows, stored.T, out=room)
        # flatnonzero on what is contiguous is ten times as fast as nonzero on a matrix.
        places = np.flatnonzero(room.reshape(-1) >= least)
        if len(places):
            at, to = np.divmod(places, len(stored))
            first, second = ours[at], theirs[start + to]
            compared = ~(first & second if parts else first | second)
            at, to = at[compared], to[compared]
            yield Hits(ids[at], block.contents[start + to], room[at, to].clip(-1.0, 1.0))


def joined(parts: Sequence[Hits]) -> Hits:
    """Returns several hits as one."""
    if not parts:
        return Hits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    return Hits(
        np.concatenate([part.contents for part in parts]),
        np.concatenate([part.others for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def closest(hits: Hits, cap: int) -> Hits:
    """Keeps each pair once, with its best score, and the `cap` best of each content."""
    if not len(hits.contents):
        return hits
    hits = _ranked(hits)
    hits = _first(hits)
    starts = np.flatnonzero(np.diff(hits.contents, prepend=hits.contents[0] - 1))
    rank = np.arange(len(hits.contents)) - np.repeat(starts, np.diff(starts, append=len(hits.contents)))
    return _taken(hits, rank < cap)


def _ranked(hits: Hits) -> Hits:
    """Returns hits by content, the closest first, and of equal ones the lower id.

    `np.lexsort` does it in a line, and takes six times as long as one sort of 64 bits.
    """
    hits = _taken(hits, np.argsort(hits.contents, kind="stable"))  # they come in runs that are sorted
    group = np.cumsum(np.diff(hits.contents, prepend=hits.contents[0]) != 0).astype(np.uint64)
    bits = np.ascontiguousarray(hits.scores, dtype=np.float32).view(np.uint32)
    rising = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))  # as unsigned numbers, in the order of the floats
    key = group << np.uint64(32) | ~rising
    order = np.argsort(key)
    key = key[order]
    same = key[1:] == key[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    order[tied] = order[tied][np.lexsort((hits.others[order[tied]], key[tied]))]
    return _taken(hits, order)


def _first(hits: Hits) -> Hits:
    """Returns the first of each pair: two contents of several views may be there several times."""
    _, group = np.unique(hits.contents, return_inverse=True)
    others, other = np.unique(hits.others, return_inverse=True)
    pairs = group * len(others) + other
    ordered = np.sort(pairs)
    if (ordered[1:] != ordered[:-1]).all():
        return hits
    return _taken(hits, np.sort(np.unique(pairs, return_index=True)[1]))


def _taken(hits: Hits, chosen: npt.NDArray[Any]) -> Hits:
    return Hits(hits.contents[chosen], hits.others[chosen], hits.scores[chosen])
