"""Whether two aligned pictures show the same light: grey texture and colour, block by block, after warping.

Geometry alone is not enough: a floor, a template or a scene can be shared by pictures of different things. A copy
agrees in texture wherever the two overlap, and its colours differ by one change for the whole picture (a filter, a
cast, no colour at all); a recoloured variant differs in places.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from moderator.search.verify.features import GRID, Features, Pixels, Points, opencv
from moderator.search.verify.geometry import Alignment, Mask, Matrix3, project

FINE, COARSE = 320, 120
"""Longer side, in pixels, of the frames in which blocks are compared: for texture and for shapes."""
BLOCK = 12
"""Side of a block, in pixels of the frame."""
CELL = 4
"""Side of a cell, of which a block is made: small enough to lie between the letters of a text."""
TEXTURED = 3.5
"""Least standard deviation of grey levels, in either picture, of a block that can agree."""
CLEAR = 8.0
"""The same in both pictures, of a block whose texture is clear: noise and recompression leave it."""
STEPS = 24
"""Steps of scale to a doubling."""
EDGE = 0.5
"""By how many pixels a block may reach over the edge of a picture that covers it."""
AGREES = 0.5
"""Least correlation of a block that agrees."""
BLACK, WHITE = 5, 250
"""Levels up to and from which one is as good as 0 or 255: JPEG moves what was clipped by a few."""

Map = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Two pictures in one frame, as means over blocks `[rows, columns]` of the second one.

    Attributes:
        seen: blocks that lie in both pictures.
        textured: blocks with texture in either.
        clear: blocks with clear texture in both.
        correlation: zero-mean correlation of grey levels, in [-1, 1].
        ours, theirs: float32 `[n * rows, n * columns, 3]`, mean red, green and blue of cells, n a side of each block.
        our_ends, their_ends: float32 `[2, rows, columns, 3]`, the share of levels that are as good as 0, and as 255.
    """

    seen: Mask
    textured: Mask
    clear: Mask
    correlation: Map
    ours: Map
    theirs: Map
    our_ends: Map
    their_ends: Map

    @property
    def agrees(self) -> Mask:
        return self.seen & self.textured & (self.correlation >= AGREES)

    @property
    def asked(self) -> Mask:
        """Blocks whose colours are compared: those that agree, or are plain in both."""
        return self.agrees | (self.seen & ~self.textured)

    def among(self, blocks: Mask) -> Blocks:
        """Returns the same of which only some blocks count as seen in both pictures."""
        return replace(self, seen=self.seen & blocks)


def blocks(first: Features, second: Features, alignment: Alignment, side: int) -> Blocks | None:
    """Warps the first picture onto the second, at the resolution of the coarser one; None where they hardly meet, or
    the pixels of one are not known."""
    if first.pixels is None or second.pixels is None:
        return None
    cv2 = opencv()
    # In small steps, so that one picture is shrunk to few sizes.
    scale = 2 ** (round(STEPS * np.log2(max(alignment.scale(second), 1e-3))) / STEPS)
    height, width = second.pixels.shape[:2]
    # A strip has two blocks across too, whatever is lost in rounding.
    factor = min(1.0, max(side / max(height, width), (2 * BLOCK + 1e-9) / min(height, width)), scale)
    columns, rows = int(width * factor) // BLOCK, int(height * factor) // BLOCK
    if min(columns, rows) < 2:
        return None
    size = (columns * BLOCK, rows * BLOCK)
    shrink = np.diag([size[0] / width, size[1] / height, 1.0])
    matrix = alignment.matrix @ np.linalg.inv(shrink)
    ours = _warped(cv2, first, matrix, size, scale / factor)
    return _measured(cv2, ours, second.shrunk(size), _covered(matrix, (rows, columns), first))


def _warped(cv2: Any, picture: Features, matrix: Matrix3, size: tuple[int, int], finer: float) -> Pixels:
    """Returns the picture drawn into the frame; `finer` is how much it is shrunk by."""
    pixels = picture.pixels
    if finer > 1.3:
        small = (max(1, round(picture.width / finer)), max(1, round(picture.height / finer)))
        matrix = np.diag([small[0] / picture.width, small[1] / picture.height, 1.0]) @ matrix
        pixels = picture.shrunk(small)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    drawn: Pixels = cv2.warpPerspective(pixels, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return drawn


def _covered(matrix: Matrix3, grid: tuple[int, int], picture: Features) -> Mask:
    """Returns the blocks of a frame that the picture covers: those whose corners lie in it."""
    x, y = project(matrix, _corners(grid)).T
    inside = (x >= -EDGE) & (x <= picture.width - 1 + EDGE) & (y >= -EDGE) & (y <= picture.height - 1 + EDGE)
    covered: Mask = inside.reshape(4, *grid).all(axis=0)
    return covered


@lru_cache(64)
def _corners(grid: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Returns the four corner pixels of each block, `[4 * rows * columns, 2]`: as many pairs ask for the same."""
    corners = BLOCK * np.indices(grid).reshape(2, 1, -1) + (BLOCK - 1) * np.indices((2, 2)).reshape(2, 4, 1)
    return corners[::-1].reshape(2, -1).T.astype(np.float64)


def _mean(values: Map) -> Map:
    """Returns the mean of each block of a frame of whole blocks `[height, width]`, float32."""
    height, width = values.shape
    rows = values.reshape(height // BLOCK, BLOCK, width).sum(axis=1)
    total: Map = rows.reshape(height // BLOCK, width // BLOCK, BLOCK).sum(axis=2)
    return total / np.float32(BLOCK**2)


def _measured(cv2: Any, ours: Pixels, theirs: Pixels, seen: Mask) -> Blocks:
    # A little blur: an edit resamples, and pixels that are shifted by half a pixel still correlate.
    grey = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(np.float32) for one in (ours, theirs))
    a, b = (cv2.GaussianBlur(one, (0, 0), 1.0) for one in grey)
    mean_a, mean_b = _mean(a), _mean(b)
    variance_a = np.maximum(_mean(a * a) - mean_a**2, 0)
    variance_b = np.maximum(_mean(b * b) - mean_b**2, 0)
    covariance = _mean(a * b) - mean_a * mean_b
    correlation = covariance / np.sqrt(np.maximum(variance_a * variance_b, 1.0))
    textured = np.maximum(variance_a, variance_b) >= TEXTURED**2
    clear = np.minimum(variance_a, variance_b) >= CLEAR**2
    cells, ends = ([of(one) for one in (ours, theirs)] for of in (_cells, _ends))
    return Blocks(seen, textured, clear, correlation, *cells, *ends)


def _cells(frame: Pixels) -> Map:
    """Returns the mean of each cell's channels, float32."""
    cv2 = opencv()
    size = (frame.shape[1] // CELL, frame.shape[0] // CELL)
    means: Map = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return means


def _ends(frame: Pixels) -> Map:
    """Returns the share of each block's levels that stand at either end, float32 `[2, rows, columns, 3]`."""
    cv2 = opencv()
    size = (frame.shape[1] // BLOCK, frame.shape[0] // BLOCK)
    _, dark = cv2.threshold(frame, BLACK, 255, cv2.THRESH_BINARY_INV)
    _, bright = cv2.threshold(frame, WHITE - 1, 255, cv2.THRESH_BINARY)
    shares = [cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (dark, bright)]
    return np.stack(shares).astype(np.float32) / np.float32(255)


def stored_blocks(first: Features, second: Features, alignment: Alignment) -> Blocks | None:
    """Returns the same where the second picture is known only by what is stored: its coarse tones, and which of its
    keypoints agree. A block correlates as much as the share of its keypoints that agree."""
    if first.pixels is None:
        return None
    cv2 = opencv()
    shrink = np.diag([GRID * BLOCK / second.width, GRID * BLOCK / second.height, 1.0])
    size = (GRID * BLOCK, GRID * BLOCK)
    finer = alignment.scale(second) * float(np.sqrt(second.width * second.height)) / size[0]
    matrix = alignment.matrix @ np.linalg.inv(shrink)
    drawn = _warped(cv2, first, matrix, size, finer)
    ours = cv2.resize(drawn, (GRID, GRID), interpolation=cv2.INTER_AREA)
    there = _counted(second.points, second)
    agreeing = _counted(alignment.theirs, second)
    share = (agreeing / np.maximum(there, 1)).astype(np.float32)
    # A tenth of the keypoints of a block is what heavy edits leave; blocks() calls half a correlation agreement.
    correlation = np.minimum(1.0, share * 5).astype(np.float32)
    covered = _covered(matrix, (GRID, GRID), first)
    colours = ours.astype(np.float32), second.tones.astype(np.float32)
    unknown = np.zeros((2, GRID, GRID, 3), np.float32)
    return Blocks(covered, there >= 3, there >= 6, correlation, *colours, unknown, unknown)


def _counted(points: Points, picture: Features) -> npt.NDArray[np.float64]:
    """Counts keypoints by coarse block."""
    counts, _, _ = np.histogram2d(
        points[:, 1], points[:, 0], bins=GRID, range=((0, picture.height), (0, picture.width))
    )
    return counts


def largest(mask: Mask) -> Mask:
    """Returns the largest connected patch of a mask."""
    cv2 = opencv()
    count, labels, found, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros_like(mask)
    patch: Mask = labels == 1 + found[1:, cv2.CC_STAT_AREA].argmax()
    return patch
