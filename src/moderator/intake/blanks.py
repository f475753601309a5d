"""Pictures that blank bands and gutters of one colour part: those on white that are set on white have no edge there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from moderator.intake.edges import LEAST, Levels, largest
from moderator.intake.looks import Looks, Pixels

GRID = 4
"""Fewest cells of a grid: a horizon makes two."""
BAND = 0.02
"""Least breadth of a blank band, of the picture's side."""
ONE_COLOUR = 10
"""Most levels of a channel between two places of the blank bands that part cells."""
GUTTERS = (4, 3, 2)
"""Tiles across or down an even collage that is looked for by its gutters, the most first."""
GROUND, CROSSED = 16, 0.03
"""Most levels of a channel by which a gutter differs from where it begins, and the share of it that may differ more."""
BESIDE_EVEN = 2
"""Pixels by which a gutter may be beside its even place."""


def even(looks: Looks) -> list[Pixels]:
    """Returns the cells of a collage of even tiles, which gutters of one colour part: pictures on white have no edge
    beside white. Nearly every cell has something to see."""
    for rows in _gutters(looks.levels.swapaxes(1, 2)):
        for columns in _gutters(looks.levels):
            cells = [(left, top, right, bottom) for top, bottom in rows for left, right in columns]
            held = [cell for cell in cells if not looks.blank(cell) and looks.straight(cell, 1.0)]
            if len(held) >= max(GRID, 0.75 * len(cells)):
                return held
    return []


def _gutters(levels: Levels) -> Iterator[list[tuple[int, int]]]:
    """Yields what gutters through the whole picture leave, for each number of even tiles that they part.

    Args:
        levels: uint8 `[3, length, side]` of the picture, of which a gutter is one place of the last axis.
    """
    side = levels.shape[2]
    for tiles in GUTTERS:
        at = [0]
        for number in range(1, tiles):
            start = round(number * side / tiles) - BESIDE_EVEN
            near = levels[:, :, start : start + 2 * BESIDE_EVEN].astype(np.int16)
            crossed = (largest(np.abs(near - near[:, :1])) > GROUND).mean(axis=0)
            if crossed.min() > CROSSED:
                break
            blank = np.flatnonzero(crossed == crossed.min())
            at.append(start + int(blank[len(blank) // 2]))
        else:
            yield list(pairwise([*at, side]))


def cells(looks: Looks) -> Iterator[Pixels]:
    """Yields the cells that blank bands leave when the picture is cut along their middles, down and across by turns."""
    width, height = looks.size
    waiting = [((0, 0, width, height), 0)]
    while waiting:
        box, depth = waiting.pop()
        halves = _cut(looks, box, depth % 2) or _cut(looks, box, 1 - depth % 2) if depth < 4 else []
        if halves:
            waiting += [(half, depth + 1) for half in halves]
        elif depth:
            yield box


def _cut(looks: Looks, box: Pixels, axis: int) -> list[Pixels]:
    """Returns what is left of a box when it is cut at blank rows (axis 0) or columns (1), all of one colour: two cells
    or more, else nothing."""
    left, top, right, bottom = box
    used = np.flatnonzero(looks.drawn[top:bottom, left:right].any(axis=1 - axis))
    side = looks.size[1 - axis]
    gaps = np.flatnonzero(np.diff(used) >= max(3.0, BAND * side))
    bands = [np.arange(used[gap] + 1, used[gap + 1]) for gap in gaps.tolist()]
    if not bands:
        return []
    ground = looks.levels[:, top:bottom, left:right].take(np.concatenate(bands), axis=1 + axis)
    if np.ptp(ground, axis=(1, 2)).max() > ONE_COLOUR:
        return []
    at = [int(used[gap] + used[gap + 1] + 1) // 2 for gap in gaps.tolist()]
    ends = [0, *at, (bottom - top, right - left)[axis]]
    spans = [(start, end) for start, end in pairwise(ends) if end - start >= LEAST * side]
    if len(spans) < 2:
        return []
    if axis == 0:
        return [(left, top + start, right, top + end) for start, end in spans]
    return [(left + start, top, left + end, bottom) for start, end in spans]
