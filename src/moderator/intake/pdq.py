"""PDQ, Meta's perceptual hash, in the eight orientations of a picture.

By the algorithm of "The PDQ hashing algorithm" (ThreatExchange, pdq/hashing.pdf): luma, a tent filter and 64 x 64
samples, a discrete cosine transform of which 16 x 16 terms are kept, and a bit for each term above the median. Filter,
sampling and transform are linear, so each is a small matrix here; that takes a fifth of the time of the reference's own
code (pdqhash), whose bits it gives but where rounding decides them: the tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.Image import Image

LEAST_SIDE = 5
"""Smaller pictures have no hash, as in the reference."""
REDUCED = 512
"""Larger pictures are first reduced by a whole factor to no less than this (the reference shrinks to 512 too:
ThreatExchange, pdq/README). A box of whole pixels moves the hash least; resampling to 512 moved it by 10 bits."""
UNDECIDED = 31
"""Most bits that rounding may decide (rungs.PDQ_DISTANCE): beyond it, strangers match by chance, and copies do not."""
ROUNDING = 0.01
"""How near the median rounding decides a term's bit: of a photograph's 256 terms one or two stand there, of four plain
quarters 192."""
_SAMPLES, _TERMS = 64, 16
_PASSES = 2
_NOISE = 1e-9
"""What is left of a weight of 0 after sums of float64 that cancel out."""

Floats = npt.NDArray[np.float32]


def pdq(picture: Image) -> tuple[bytes, int]:
    """Returns eight PDQ hashes (256 bytes: the picture, then its rotations and flips) and the quality 0..100.

    Empty where the picture is too small to hash. The quality is 0 where rounding decides too many bits: a picture of a
    few plain fields, whose hash says nothing.
    """
    if min(picture.size) < LEAST_SIDE:
        return b"", 0
    factor = min(picture.size) // REDUCED
    luma = np.asarray((picture.reduce(factor) if factor > 1 else picture).convert("F"))
    first, weights = _bands(luma.shape[0])
    samples = (weights @ luma[first])[:, 0] @ _sampler(luma.shape[1]).T
    terms = _cosines() @ samples @ _cosines().T
    quality = _quality(samples) if _undecided(terms) <= UNDECIDED else 0
    return b"".join(map(_bits, _orientations(terms))), quality


@lru_cache(maxsize=64)
def _sampler(size: int) -> Floats:
    """Returns `[64, size]`: two passes of a box filter of 1/128 of the side, rounded up, then 64 samples."""
    window = -(-size // (2 * _SAMPLES))
    after = window // 2
    before = window - 1 - after
    places = np.arange(size)
    first, last = np.maximum(places - before, 0), np.minimum(places + after, size - 1)
    rows = np.zeros((_SAMPLES, size))
    centres = ((np.arange(_SAMPLES) + 0.5) * size / _SAMPLES).astype(int)
    rows[np.arange(_SAMPLES), centres] = 1.0
    for _ in range(_PASSES):
        # Each filtered place hands its weight on, in equal shares, to the places that its window averages.
        shares = rows / (last - first + 1)
        edges = np.zeros((size + 1, _SAMPLES))
        np.add.at(edges, first, shares.T)
        np.subtract.at(edges, last + 1, shares.T)
        rows = edges.cumsum(axis=0)[:-1].T
    rows[np.abs(rows) < _NOISE] = 0.0
    return rows.astype(np.float32)


@lru_cache(maxsize=64)
def _bands(size: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """Returns what of `_sampler` is not 0: the places `[64, width]` that each sample sees, and their weights
    `[64, 1, width]`. A sample sees a hundredth of a picture's rows, so this is a fifth of the work."""
    rows = _sampler(size)
    width = max(int(np.ptp(np.flatnonzero(row))) + 1 for row in rows)
    starts = [min(int(np.flatnonzero(row)[0]), size - width) for row in rows]
    places = np.add.outer(starts, np.arange(width))
    return places, np.take_along_axis(rows, places, axis=1)[:, np.newaxis]


@cache
def _cosines() -> Floats:
    """Returns `[16, 64]`: the terms 1 to 16 of the discrete cosine transform (the constant term is left out)."""
    term, sample = np.arange(1, _TERMS + 1)[:, np.newaxis], np.arange(_SAMPLES)
    matrix: npt.NDArray[np.float64] = np.sqrt(2 / _SAMPLES) * np.cos(np.pi / (2 * _SAMPLES) * term * (2 * sample + 1))
    return matrix.astype(np.float32)


def _orientations(terms: Floats) -> Iterator[Floats]:
    """Yields the terms of the picture as it is, turned by 90, 180 and 270 degrees, flipped along each axis and along
    each diagonal: a flip changes the sign of every other term."""
    alternate = np.where(np.arange(_TERMS) % 2, 1, -1).astype(np.float32)
    across, down = terms * alternate, terms * alternate[:, np.newaxis]
    both = across * alternate[:, np.newaxis]
    yield from (terms, across.T, both, down.T, down, across, terms.T, both.T)


def _median(terms: Floats) -> np.float32:
    """Returns the lower of the two middle terms, as the reference does."""
    lower = terms.size // 2 - 1
    middle: np.float32 = np.partition(terms, lower, axis=None)[lower]
    return middle


def _undecided(terms: Floats) -> int:
    return int((np.abs(terms - _median(terms)) < ROUNDING).sum())


def _bits(terms: Floats) -> bytes:
    return np.packbits(terms.ravel()[::-1] > _median(terms)).tobytes()


def _quality(samples: Floats) -> int:
    """Returns how much there is to see, 0..100: the sum of the steps between neighbours, small ones left out."""
    steps = [np.trunc(np.diff(samples, axis=axis) * (100 / 255)) for axis in (0, 1)]
    return min(100, int(sum(np.abs(step).sum() for step in steps)) // 90)
