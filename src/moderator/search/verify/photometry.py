"""Whether two aligned pictures show the same light: grey texture and colour, block by block, after warping.

Geometry alone is not enough: a floor, a template or a scene can be shared by pictures of different things. A copy
agrees in texture wherever the two overlap, and its colours differ by one change for the whole picture (a filter, a
cast, no colour at all); a recoloured variant differs in places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from moderator.search.verify.features import GRID, Features, Pixels, Points, opencv
from moderator.search.verify.geometry import Alignment, Mask, Matrix3

FINE, COARSE = 320, 120
"""Longer side, in pixels, of the frames in which blocks are compared: for texture and for shapes."""
BLOCK = 12
"""Side of a block, in pixels of the frame."""
TEXTURED = 3.5
"""Least standard deviation of grey levels, in either picture, of a block that can agree."""
AGREES = 0.5
"""Least correlation of a block that agrees."""

Map = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Two pictures in one frame, as means over blocks `[rows, columns]` of the second one.

    Attributes:
        seen: blocks that lie in both pictures.
        textured: blocks with texture in either.
        correlation: zero-mean correlation of grey levels, in [-1, 1].
        ours, theirs: float32 `[rows, columns, 3]`, mean red, green and blue.
    """

    seen: Mask
    textured: Mask
    correlation: Map
    ours: Map
    theirs: Map

    @property
    def agrees(self) -> Mask:
        return self.seen & self.textured & (self.correlation >= AGREES)


def blocks(first: Features, second: Features, alignment: Alignment, side: int) -> Blocks | None:
    """Warps the first picture onto the second, at the resolution of the coarser one; None where they hardly meet, or
    the pixels of one are not known."""
    if first.pixels is None or second.pixels is None:
        return None
    cv2 = opencv()
    scale = alignment.scale(second)
    height, width = second.pixels.shape[:2]
    factor = min(1.0, side / max(height, width), max(scale, 1e-3))
    columns, rows = int(width * factor) // BLOCK, int(height * factor) // BLOCK
    if min(columns, rows) < 2:
        return None
    size = (columns * BLOCK, rows * BLOCK)
    shrink = np.diag([size[0] / width, size[1] / height, 1.0])
    ours, mask = _warped(cv2, first.pixels, alignment.matrix @ np.linalg.inv(shrink), size, scale / factor)
    theirs = cv2.resize(second.pixels, size, interpolation=cv2.INTER_AREA)
    return _measured(cv2, ours, theirs, mask, (columns, rows))


def _warped(cv2: Any, picture: Pixels, matrix: Matrix3, size: tuple[int, int], finer: float) -> tuple[Pixels, Pixels]:
    """Returns the picture drawn into the frame, and where it covers it (255); `finer` is how much it is shrunk by."""
    height, width = picture.shape[:2]
    if finer > 1.3:
        small = (max(1, round(width / finer)), max(1, round(height / finer)))
        matrix = np.diag([small[0] / width, small[1] / height, 1.0]) @ matrix
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    drawn = cv2.warpPerspective(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpPerspective(np.full(picture.shape[:2], 255, np.uint8), matrix, size, flags=flags)
    return drawn, mask


def _measured(cv2: Any, ours: Pixels, theirs: Pixels, mask: Pixels, grid: tuple[int, int]) -> Blocks:
    def mean(values: Any) -> Map:
        averaged: Map = cv2.resize(values, grid, interpolation=cv2.INTER_AREA)
        return averaged

    # A little blur: an edit resamples, and pixels that are shifted by half a pixel still correlate.
    grey = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(np.float32) for one in (ours, theirs))
    a, b = (cv2.GaussianBlur(one, (0, 0), 1.0) for one in grey)
    mean_a, mean_b = mean(a), mean(b)
    variance_a = np.maximum(mean(a * a) - mean_a**2, 0)
    variance_b = np.maximum(mean(b * b) - mean_b**2, 0)
    covariance = mean(a * b) - mean_a * mean_b
    correlation = covariance / np.sqrt(np.maximum(variance_a * variance_b, 1.0))
    textured = np.maximum(variance_a, variance_b) >= TEXTURED**2
    colours = (mean(one.astype(np.float32)) for one in (ours, theirs))
    return Blocks(mean(mask.astype(np.float32)) > 250, textured, correlation, *colours)


def stored_blocks(first: Features, second: Features, alignment: Alignment) -> Blocks | None:
    """Returns the same where the second picture is known only by what is stored: its coarse tones, and which of its
    keypoints agree. A block correlates as much as the share of its keypoints that agree."""
    if first.pixels is None:
        return None
    cv2 = opencv()
    shrink = np.diag([GRID * BLOCK / second.width, GRID * BLOCK / second.height, 1.0])
    size = (GRID * BLOCK, GRID * BLOCK)
    finer = alignment.scale(second) * float(np.sqrt(second.width * second.height)) / size[0]
    drawn, mask = _warped(cv2, first.pixels, alignment.matrix @ np.linalg.inv(shrink), size, finer)
    ours = cv2.resize(drawn, (GRID, GRID), interpolation=cv2.INTER_AREA)
    there = _counted(second.points, second)
    agreeing = _counted(alignment.theirs, second)
    covered = cv2.resize(mask.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA) > 250
    share = (agreeing / np.maximum(there, 1)).astype(np.float32)
    # A tenth of the keypoints of a block is what heavy edits leave; blocks() calls half a correlation agreement.
    correlation = np.minimum(1.0, share * 5).astype(np.float32)
    return Blocks(covered, there >= 3, correlation, ours.astype(np.float32), second.tones.astype(np.float32))


def _counted(points: Points, picture: Features) -> npt.NDArray[np.float64]:
    """Counts keypoints by coarse block."""
    counts, _, _ = np.histogram2d(
        points[:, 1], points[:, 0], bins=GRID, range=((0, picture.height), (0, picture.width))
    )
    return counts
