"""Exact cosine search by blocked matrix products: bounded memory, the threshold applied block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moderator.contracts import VectorBlock
from moderator.errors import ModelMismatch
from moderator.vectors import Ids, Matrix

QUERIES = 2048
"""Query rows in one product: with 8,192 stored rows it takes 64 MiB."""
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
) -> Iterator[Hits]:
    """Yields every pair (query content, corpus content) whose cosine is at or above `threshold`, each once.

    A content with several views counts with its closest one. The corpus is streamed anew for each block of
    queries, so memory holds one block of each and the hits.

    Args:
        cap: at most this many of the closest for each query content; a caller that sees a content with exactly
            `cap` hits knows there may be more.

    Raises:
        ModelMismatch: the two sides have different dimensions.
    """
    for ids, rows in _split(queries):
        found = [_block(ids, rows, block, threshold) for block in corpus()]
        hits = _closest(_joined(found), cap)
        if len(hits.contents):
            yield hits


def _split(blocks: Iterable[VectorBlock]) -> Iterator[tuple[Ids, Matrix]]:
    """Cuts blocks into at most `QUERIES` rows, never between two views of one content."""
    for block in blocks:
        start = 0
        while start < len(block.contents):
            end = min(start + QUERIES, len(block.contents))
            while end < len(block.contents) and block.contents[end] == block.contents[end - 1]:
                end += 1
            yield block.contents[start:end], block.matrix[start:end]
            start = end


def _block(ids: Ids, rows: Matrix, block: VectorBlock, threshold: float) -> Hits:
    if rows.shape[1] != block.matrix.shape[1]:
        raise ModelMismatch(
            f"vectors of {rows.shape[1]} and {block.matrix.shape[1]} dimensions cannot be compared: "
            "they are of different models"
        )
    products = rows @ block.matrix.T
    at, to = np.nonzero(products >= np.float32(threshold) - np.float32(ROUNDING))
    return Hits(ids[at], block.contents[to], products[at, to].clip(-1.0, 1.0))


def _joined(parts: list[Hits]) -> Hits:
    if not parts:
        return Hits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    return Hits(
        np.concatenate([part.contents for part in parts]),
        np.concatenate([part.others for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def _closest(hits: Hits, cap: int) -> Hits:
    """Keeps each pair once, with its best score, and the `cap` best of each content."""
    order = np.lexsort((-hits.scores, hits.others, hits.contents))
    contents, others, scores = hits.contents[order], hits.others[order], hits.scores[order]
    first = np.ones(len(contents), dtype=bool)
    first[1:] = (contents[1:] != contents[:-1]) | (others[1:] != others[:-1])
    contents, others, scores = contents[first], others[first], scores[first]
    order = np.lexsort((others, -scores, contents))
    contents, others, scores = contents[order], others[order], scores[order]
    starts = np.flatnonzero(np.r_[True, contents[1:] != contents[:-1]]) if len(contents) else np.empty(0, np.int64)
    rank = np.arange(len(contents)) - np.repeat(starts, np.diff(np.r_[starts, len(contents)]))
    kept = rank < cap
    return Hits(contents[kept], others[kept], scores[kept])
