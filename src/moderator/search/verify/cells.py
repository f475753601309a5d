"""Colours of two aligned pictures, by cell and by block: what is clipped of them, and what stands for a block.

Colours are those of cells, small enough that few hold both what is clipped and what is not.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from moderator.search.verify.features import opencv
from moderator.search.verify.geometry import Mask

Values = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Places = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Rows and columns of cells."""
Levels = TypeVar("Levels", Values, Singles)
AnyArray = TypeVar("AnyArray", Values, Mask)

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""
CHROMA = np.array([[-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
"""The same of the differences of blue and of red from it (the same source)."""
DARK_MEAN, BRIGHT_MEAN = 6.0, 249.0
"""Levels up to and from which a mean is of clipped ones."""
BEYOND = 80.0
"""Levels that a clipped level may have been beyond the end."""


def trusted(away: Levels, near: float) -> Levels:
    """Returns how far values are trusted that are so many levels off: 1 up to `near`, then the less the farther (Huber,
    1964)."""
    told: Levels = np.minimum(1.0, near / np.maximum(np.abs(away), 1e-6))
    return told


def amid(ours: Values, theirs: Values, asked: Mask) -> Places:
    """Returns where the cell lies, of each block asked, that is most like those around it in both pictures: it holds no
    edge of what is clipped."""
    rough = np.add(*(jump(one.astype(np.uint8)) for one in (ours, theirs)), dtype=np.int64)
    (rows, columns), side = asked.shape, len(ours) // len(asked)
    inside = rough.reshape(rows, side, columns, side).transpose(0, 2, 1, 3).reshape(rows, columns, -1)
    down, across = (one[asked] for one in np.divmod(inside.argmin(axis=2), side))
    row, column = np.nonzero(asked)
    return side * row + down, side * column + across


def most(colours: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Returns the channel that is most of each of some colours `[..., 3]`; numpy's own over so short an axis takes
    seventeen times as long."""
    red, green, blue = np.moveaxis(colours, -1, 0)
    largest: npt.NDArray[Any] = np.maximum(np.maximum(red, green), blue)
    return largest


def jump(colours: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Returns by how much neighbouring cells `[rows, columns, channels]` differ, of the channel that differs most."""
    cv2 = opencv()
    return most(cv2.morphologyEx(colours, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))


def border(shown: Mask, wide: int) -> Mask:
    """Returns what of a mask lies within so many places of where it ends."""
    around = np.ones((2 * wide + 1,) * 2, np.uint8)
    edge: Mask = shown & ~opencv().erode(shown.astype(np.uint8), around, borderValue=0).astype(np.bool_)
    return edge


def at_ends(means: Values) -> Values:
    """Returns which means are of levels that stand at 0, and which at 255, as shares of 0 and 1, float64 `[2, ...]`."""
    return np.stack([means <= DARK_MEAN, means >= BRIGHT_MEAN]).astype(np.float64)


def spread(blocks: AnyArray, cells: npt.NDArray[Any]) -> AnyArray:
    """Returns values of blocks `[rows, columns, ...]` for each of their cells."""
    side = len(cells) // len(blocks)
    every: AnyArray = blocks.repeat(side, axis=0).repeat(side, axis=1)
    return every


def by_block(cells: npt.NDArray[Any], grid: tuple[int, ...]) -> Values:
    """Returns the mean of the cells of each block, of so many rows and columns, float64 `[rows, columns, channels]`."""
    cv2 = opencv()
    rows, columns = grid
    # A third of the time of a mean over two axes.
    means: Values = cv2.resize(cells.astype(np.float64), (columns, rows), interpolation=cv2.INTER_AREA)
    return means


def beyond_clipping(difference: Levels, ends: Levels) -> Levels:
    """Returns what is left of a difference of means less what clipping explains: where some of the levels were clipped
    at the bright end the mean is lower than told, at the dark end it is higher, by `BEYOND` for each."""
    dark, bright = BEYOND * ends
    left: Levels = np.minimum(difference + bright, 0) + np.maximum(difference - dark, 0)
    return left
