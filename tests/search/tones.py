"""Colours of two aligned pictures, made by hand: cells, blocks of them, and a scene with a thing in its midst."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from moderator.search.verify.photometry import Blocks

Tones = npt.NDArray[np.float32]


def plainly(after: Tones, before: Tones, side: int = 1) -> tuple[Tones, ...]:
    """Colours of cells, so many a side of each block, and how many levels of each block stand at either end."""
    rows, columns = after.shape[0] // side, after.shape[1] // side
    blocks = (one.reshape(rows, side, columns, side, 3) for one in (after, before))
    ends = (np.stack([(one <= 5).mean(axis=(1, 3)), (one >= 250).mean(axis=(1, 3))]) for one in blocks)
    return after, before, *(one.astype(np.float32) for one in ends)


def agreeing(after: Tones, before: Tones, side: int = 1) -> Blocks:
    """Blocks that agree in texture everywhere, whose cells, so many a side, have these colours."""
    grid = after.shape[0] // side, after.shape[1] // side
    yes, one = np.ones(grid, dtype=np.bool_), np.ones(grid, dtype=np.float32)
    return Blocks(yes, yes, yes, one, *plainly(after, before, side))


def scene(seed: int) -> tuple[Tones, Tones]:
    """Returns cells of dark and bright fields, and the same with a thing in their midst in another colour."""
    random = np.random.default_rng(seed)
    fields = random.integers(40, 215, (6, 6, 1)).repeat(8, axis=0).repeat(8, axis=1)
    before = (fields + random.integers(-25, 25, (48, 48, 3))).astype(np.float32)
    before[12:33, 12:33] = np.array([190, 60, 50]) + random.integers(-25, 25, (21, 21, 1))
    other = before.copy()
    other[12:33, 12:33] = before[12:33, 12:33, ::-1]
    return before, other


def photograph(seed: int) -> tuple[Tones, Tones]:
    """Returns cells that change slowly, as a photograph's do, and the same with a thing in their midst in another
    colour."""
    random = np.random.default_rng(seed)
    fields = cv2.GaussianBlur(random.normal(0, 1, (48, 48, 3)), (0, 0), 5, borderType=cv2.BORDER_REFLECT)
    before = (125 + 30 * fields / fields.std() + random.uniform(-4, 4, (48, 48, 1))).clip(20, 235).astype(np.float32)
    before[12:33, 12:33] = np.array([190, 60, 50]) + random.integers(-25, 25, (21, 21, 1))
    other = before.copy()
    other[12:33, 12:33] = before[12:33, 12:33, ::-1]
    return before, other
