"""Where a picture shows other pictures: tiles of a collage, posts of a feed, a photograph in a screenshot.

Boxes whose four sides are straight steps of brightness or colour (`moderator.intake.edges`), as the edge of a pasted
picture is, and the edge of hardly anything photographed; and the cells between blank bands of one colour (the X-Y cut
of Nagy and Seth, ICPR 1984), for pictures on white that are set on white. A photograph has neither, as a rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from moderator.intake.edges import BESIDE, LEAST, STEP, STRAIGHT, Counts, Edges, Fine, Levels, edges, largest
from moderator.parts import Box

MOST = 12
"""Most panels of one picture: more than the tiles of a collage of three by three."""
QUARTERS: tuple[Box, ...] = (
    (0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 1.0, 0.5), (0.0, 0.5, 0.5, 1.0), (0.5, 0.5, 1.0, 1.0), (0.25, 0.25, 0.75, 0.75),
)  # fmt: skip
"""The parts of every picture that `tiles` adds: its quarters and its middle."""
SIDE = 320
"""Longer side, in pixels, of the copy that is looked at."""
FINE = 1024
"""Longer side, in pixels, of the copy on which edges are looked at a second time: at least half of it."""
LARGEST = 0.92
"""Largest area of a panel, of the picture's own: more is the picture itself."""
SPLIT = 0.93
"""Share of a line across a panel that is edge, from which on it parts the panel."""
THROUGH = 0.85
"""Share of a line through the whole picture that is edge: such lines part tiles though one is white beside white."""
GRID = 4
"""Fewest cells of a grid: a horizon makes two."""
BLANK, RIM = 0.01, 4
"""Least share of a panel, but for this many pixels along its sides, that has something to see."""
BAND = 0.02
"""Least breadth of a blank band, of the picture's side."""
ONE_COLOUR = 10
"""Most levels of a channel between two places of the blank bands that part cells."""
SAME = 0.7
"""Share of their union that two boxes have in common from which on they are one."""

Pixels = tuple[int, int, int, int]


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
    looks = _Looks(picture, (width, height))
    found: list[Pixels] = []
    for box in (*_edged(looks), *_cells(looks)):
        if len(found) < MOST and not looks.blank(box) and all(_overlap(box, other) < SAME for other in found):
            found.append(box)
    return [(left / width, top / height, right / width, bottom / height) for left, top, right, bottom in found]


class _Looks:
    """A picture as it is looked at: the steps of a small copy, and the edges of that and, where asked, of a finer one.

    Attributes:
        levels: the small copy, int16 `[3, height, width]`.
        across, down: how much its neighbouring columns and rows differ.
    """

    def __init__(self, picture: Image.Image, size: tuple[int, int]) -> None:
        self.size = size
        self._picture = picture
        self.levels = _levels(picture.resize(size, Image.Resampling.BOX, reducing_gap=2.0))
        self.across, self.down = (largest(np.abs(np.diff(self.levels, axis=axis))) for axis in (2, 1))
        self.upright, self.level = edges(self.across), edges(np.ascontiguousarray(self.down.T))

    @cached_property
    def fine(self) -> tuple[Fine, Fine]:
        """The second look: down the picture, and across it."""
        factor = -(-max(self._picture.size) // FINE)
        levels = _levels(self._picture.reduce(factor) if factor > 1 else self._picture)
        scale = max(levels.shape) / max(self.size)
        return Fine(levels, scale), Fine(np.ascontiguousarray(levels.transpose(0, 2, 1)), scale)

    def straight(self, box: Pixels, unseen: float = 0.0) -> bool:
        """Whether all four sides are straight, one along which nothing can be told counting as `unseen`."""
        left, top, right, bottom = box
        upright, level = self.fine
        return all(upright.straight(at, top, bottom, unseen) >= STRAIGHT for at in (left, right)) and all(
            level.straight(at, left, right, unseen) >= STRAIGHT for at in (top, bottom)
        )

    @cached_property
    def drawn(self) -> npt.NDArray[np.bool_]:
        """Where there is a step to the next column or row, `[height, width]`."""
        return np.maximum(np.pad(self.across, ((0, 0), (0, 1))), np.pad(self.down, ((0, 1), (0, 0)))) >= STEP

    def blank(self, box: Pixels) -> bool:
        """Whether there is next to nothing within a box, its rim aside."""
        left, top, right, bottom = box
        return bool(self.drawn[top + RIM : bottom - RIM, left + RIM : right - RIM].mean() < BLANK)


def _levels(picture: Image.Image) -> Levels:
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1), dtype=np.int16)


def _overlap(one: Sequence[int], other: Sequence[int]) -> float:
    """Returns the share of the union of two boxes that they have in common."""
    across = max(0, min(one[2], other[2]) - max(one[0], other[0]))
    down = max(0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return across * down / (areas - across * down)


# Boxes with four edges


def _edged(looks: _Looks) -> list[Pixels]:
    """Returns the cells of a grid, and boxes with an edge along each side that no line across would split."""
    width, height = looks.size
    upright, level = looks.upright, looks.level
    columns, rows = upright.lines(), level.lines()
    found = _grid(
        looks,
        *(
            one[edges.cover(one, 0, length, THROUGH) > 0]
            for edges, one, length in ((upright, columns, height), (level, rows, width))
        ),
    )
    left, right = (one[:, None] for one in _spans(columns, width))
    top, bottom = (one[None] for one in _spans(rows, height))
    sides = np.stack(
        np.broadcast_arrays(
            upright.cover(left, top, bottom), upright.cover(right, top, bottom),
            level.cover(top, left, right), level.cover(bottom, left, right),
        )
    )  # fmt: skip
    areas = (right - left) * (bottom - top) / (width * height)
    first, second = held = np.nonzero((sides.min(axis=0) > 0) & (areas < LARGEST))
    boxes = np.stack([left[first, 0], top[0, second], right[first, 0], bottom[0, second]], axis=1)
    worth = sides.mean(axis=0)[held] * areas[held] ** 0.1
    for one in boxes[np.argsort(-worth, kind="stable")]:
        box = tuple(one.tolist())
        if any(_overlap(box, other) >= SAME for other in found) or not looks.straight(box):
            continue
        if not (_split(upright, columns, one) or _split(level, rows, one[[1, 0, 3, 2]])):
            found.append(box)
            if len(found) == MOST:
                break
    return found


def _grid(looks: _Looks, columns: Counts, rows: Counts) -> list[Pixels]:
    """Returns the cells between lines through the whole picture, each with straight sides where these can be seen."""
    width, height = looks.size
    upright, level = looks.fine
    across = [at for at in columns.tolist() if upright.straight(at, 0, height) >= STRAIGHT]
    down = [at for at in rows.tolist() if level.straight(at, 0, width) >= STRAIGHT]
    across = [(a, b) for a, b in pairwise(across) if b - a >= LEAST * width]
    down = [(a, b) for a, b in pairwise(down) if b - a >= LEAST * height]
    cells = [(left, top, right, bottom) for top, bottom in down for left, right in across]
    return [cell for cell in cells if looks.straight(cell, 1.0)] if len(cells) >= GRID else []


def _spans(lines: Counts, side: int) -> tuple[Counts, Counts]:
    """Returns each two lines that are far enough apart to be sides of a panel."""
    first, second = np.triu_indices(len(lines), 1)
    wide = lines[second] - lines[first] >= LEAST * side
    return lines[first][wide], lines[second][wide]


def _split(edges: Edges, lines: Counts, box: Counts) -> bool:
    """Whether one of the lines goes through the box from one side to the other."""
    inside = lines[(lines > box[0] + 4) & (lines < box[2] - 4)]
    return bool((edges.cover(inside, box[1], box[3], SPLIT) > 0).any())


# Cells between blank bands


def _cells(looks: _Looks) -> Iterator[Pixels]:
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


def _cut(looks: _Looks, box: Pixels, axis: int) -> list[Pixels]:
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
