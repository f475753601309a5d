"""Where a picture shows other pictures: tiles of a collage, posts of a feed, a photograph in a screenshot.

Boxes whose sides are straight steps of brightness or colour (`moderator.intake.edges`), as the edge of a pasted picture
is, and the edge of hardly anything photographed. For pictures on white that are set on white: tiles between gutters of
one colour at even places, and the cells between blank bands (the X-Y cut of Nagy and Seth, ICPR 1984). A photograph has
none of these, as a rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from moderator.intake.blanks import GRID, cells, even
from moderator.intake.edges import BESIDE, COVERED, LEAST, STRAIGHT, Counts, Fine, Lines
from moderator.intake.looks import SIDE, Looks, Pixels
from moderator.parts import Box

MOST = 16
"""Most panels of one picture: the tiles of a collage of four by four."""
QUARTERS: tuple[Box, ...] = (
    (0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 1.0, 0.5), (0.0, 0.5, 0.5, 1.0), (0.5, 0.5, 1.0, 1.0), (0.25, 0.25, 0.75, 0.75),
)  # fmt: skip
"""The parts of every picture that `tiles` adds: its quarters and its middle."""
LARGEST = 0.92
"""Largest area of a panel, of the picture's own: more is the picture itself."""
SPLIT = 0.93
"""Share of a line across a panel that is edge, from which on it parts the panel."""
THROUGH = 0.85
"""Share of a line through the whole picture that is edge: such lines part tiles though one is white beside white."""
FOURTH, STRAIGHTER = 0.6, 0.8
"""Least share of the fourth side of a box that is edge, where three are edges, and how straight the four then are on
average: so a side that is hardly seen, or stands in texture, loses no panel."""
SAME = 0.7
"""Share of their union that two boxes have in common from which on they are one."""


def parts(picture: Image.Image, views: Literal["whole", "panels", "tiles"]) -> list[Box]:
    """Returns the parts of an RGB picture that are views of their own: at most `MOST` panels, and with `tiles` its
    quarters and its middle too."""
    found = [] if views == "whole" else panels(picture)
    return [*found, *(QUARTERS if views == "tiles" else ())]


def panels(picture: Image.Image) -> list[Box]:
    """Returns the boxes in which an RGB picture shows other pictures, at most `MOST`; mostly none."""
    scale = min(1.0, SIDE / max(picture.size))
    width, height = (max(1, round(side * scale)) for side in picture.size)
    if min(width, height) < 2 * BESIDE:
        return []
    looks = Looks(picture, (width, height))
    grid = max(_grid(looks), even(looks), key=len)
    found: list[Pixels] = []
    for box in (*grid, *_edged(looks, grid), *([] if grid else cells(looks))):
        if len(found) < MOST and not looks.blank(box) and not _same(box, found).any():
            found.append(box)
    return [(left / width, top / height, right / width, bottom / height) for left, top, right, bottom in found]


def _same(box: Pixels, others: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Returns bool `[n]`: which of some boxes `[n, 4]` are one with a box, by the share of their union in common."""
    left, top, right, bottom = np.asarray(others, dtype=np.int64).reshape(-1, 4).T
    across = np.minimum(box[2], right) - np.maximum(box[0], left)
    down = np.minimum(box[3], bottom) - np.maximum(box[1], top)
    common = across.clip(0) * down.clip(0)
    union = (box[2] - box[0]) * (box[3] - box[1]) + (right - left) * (bottom - top) - common
    same: npt.NDArray[np.bool_] = common >= SAME * union
    return same


# Boxes between edges


def _edged(looks: Looks, grid: Sequence[Pixels]) -> list[Pixels]:
    """Returns boxes with an edge along each side that no line across would split, other ones than those of a grid."""
    boxes, least = _framed(looks)
    for cell in grid:
        boxes, least = _others(cell, boxes, least)
    found: list[Pixels] = []
    while len(boxes) and len(found) < MOST:
        for place, one in enumerate(boxes.tolist()):
            left, top, right, bottom = box = tuple(one)
            if looks.straight(box) and sum(looks.sides(box)) >= 4 * least[place]:
                turned = top, left, bottom, right
                if not (_split(looks.columns, looks.upright, box) or _split(looks.rows, looks.level, turned)):
                    break
        else:
            break
        found.append(box)
        boxes, least = _others(box, boxes[place + 1 :], least[place + 1 :])
    return found


def _others(box: Pixels, boxes: Counts, least: npt.NDArray[np.float64]) -> tuple[Counts, npt.NDArray[np.float64]]:
    """Returns those of some boxes that are others than one."""
    other = ~_same(box, boxes)
    return boxes[other], least[other]


def _framed(looks: Looks) -> tuple[Counts, npt.NDArray[np.float64]]:
    """Returns boxes `[n, 4]` with an edge along each side, or along three and most of the fourth, of which at most one
    is the picture's own, and how straight their sides must be on average; those with the most edge first, and the
    larger sooner."""
    width, height = looks.size
    left, right, start, end = _spans(looks.columns.at, width)
    top, bottom, above, below = _spans(looks.rows.at, height)
    upright, level = looks.columns.cover(above, below), looks.rows.cover(start, end)
    covered = np.stack([upright[0].T[left], upright[0].T[right], level[0][:, top], level[0][:, bottom]])
    clear = np.stack([upright[1].T[left], upright[1].T[right], level[1][:, top], level[1][:, bottom]])
    sides = (clear & (covered >= COVERED)).sum(axis=0)
    own = np.add.outer((start == 0) * 1 + (end == width), (above == 0) * 1 + (below == height))
    first, second = held = np.nonzero((sides == 4) | ((sides == 3) & (own <= 1) & (covered >= FOURTH).all(axis=0)))
    boxes = np.stack([start[first], above[second], end[first], below[second]], axis=1)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / (width * height)
    worth = (sides[held] + covered.mean(axis=0)[held]) * areas**0.1
    order = np.argsort(-worth, kind="stable")
    order = order[areas[order] < LARGEST]
    return boxes[order], np.where(sides[held] == 4, STRAIGHT, STRAIGHTER)[order]


def _spans(lines: Counts, side: int) -> tuple[Counts, Counts, Counts, Counts]:
    """Returns each two lines that are far enough apart to be sides of a panel, by their numbers and by their places."""
    first, second = np.triu_indices(len(lines), 1)
    wide = lines[second] - lines[first] >= LEAST * side
    first, second = first[wide], second[wide]
    return first, second, lines[first], lines[second]


def _grid(looks: Looks) -> list[Pixels]:
    """Returns the cells between lines through the whole picture, each with straight sides where these can be seen."""
    width, height = looks.size
    across = _through(looks.columns, looks.upright, width, height)
    down = _through(looks.rows, looks.level, height, width)
    cells = [(left, top, right, bottom) for top, bottom in down for left, right in across]
    return [cell for cell in cells if looks.straight(cell, 1.0)] if len(cells) >= GRID else []


def _through(lines: Lines, fine: Fine, side: int, length: int) -> list[tuple[int, int]]:
    """Returns what lies between straight lines through the whole picture, of its `side`."""
    whole = _covered(lines, 0, length, THROUGH)
    straight = [at for at in lines.at[whole].tolist() if fine.straight(at, 0, length) >= STRAIGHT]
    return [(start, end) for start, end in pairwise(straight) if end - start >= LEAST * side]


def _covered(lines: Lines, start: int, end: int, least: float) -> npt.NDArray[np.bool_]:
    """Returns bool `[lines]`: which are edge all along a span, or `least` of it."""
    covered, clear = lines.cover(np.array([start]), np.array([end]))
    whole: npt.NDArray[np.bool_] = clear[0] & (covered[0] >= least)
    return whole


def _split(lines: Lines, fine: Fine, box: Pixels) -> bool:
    """Whether one of the lines goes straight through the box from one side to the other."""
    start, end = box[1], box[3]
    inside = _covered(lines, start, end, SPLIT) & (lines.at > box[0] + 4) & (lines.at < box[2] - 4)
    return any(fine.straight(at, start, end, 1.0) >= STRAIGHT for at in lines.at[inside].tolist())
