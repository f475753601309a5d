"""Where a picture shows other pictures: tiles of a collage, posts of a feed, a photograph in a screenshot.

Two looks at a small copy of the picture. Boxes whose four sides are straight steps of brightness or colour, as the
edge of a pasted picture is, and the edge of hardly anything photographed; and the cells between blank bands (the X-Y
cut of Nagy and Seth, ICPR 1984), for pictures on white that are set on white. A photograph has neither, as a rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from moderator.parts import Box

MOST = 12
"""Most panels of one picture: more than the tiles of a collage of three by three."""
QUARTERS: tuple[Box, ...] = (
    (0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 1.0, 0.5), (0.0, 0.5, 0.5, 1.0), (0.5, 0.5, 1.0, 1.0), (0.25, 0.25, 0.75, 0.75),
)  # fmt: skip
"""The parts of every picture that `tiles` adds: its quarters and its middle."""
SIDE = 320
"""Longer side, in pixels, of the copy that is looked at."""
LEAST = 1 / 7
"""Least width and height of a panel, of the picture's own."""
LARGEST = 0.92
"""Largest area of a panel, of the picture's own: more is the picture itself."""
STEP = 7
"""Least difference, in levels of any channel, of two neighbouring pixels across an edge."""
PLAIN = 3
"""Least difference below which nothing is to be seen on either side, so that an edge cannot be told from none."""
COVERED = 0.9
"""Share of a side along which there is an edge, of where one could be seen; of a line across a panel that splits it,
`SPLIT`."""
SPLIT = 0.93
SEEN = 0.35
"""Share of a side along which an edge is seen at least."""
ABOVE_CHANCE = 3.0
"""Standard deviations by which a line has more edge than texture beside it would give it by chance."""
BESIDE = 5
"""How far beside a line that is looked for, in pixels."""
LINES = 20
"""Most lines of one direction, the longest."""
THROUGH = 0.85
"""Share of a line through the whole picture that is edge: such lines part tiles though one is white beside white."""
GRID = 4
"""Fewest cells of a grid: a horizon makes two."""
EVERY = 6
"""Pixels between two places at which a line is tried to begin."""
BAND = 0.02
"""Least breadth of a blank band, of the picture's side."""
SAME = 0.7
"""Share of their union that two boxes have in common from which on they are one."""

Levels = npt.NDArray[np.int16]
Counts = npt.NDArray[np.integer[Any]]
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
    small = picture.resize((width, height), Image.Resampling.BOX, reducing_gap=2.0)
    levels = np.asarray(small).transpose(2, 0, 1).astype(np.int16)
    across, down = (_largest(np.abs(np.diff(levels, axis=axis))) for axis in (2, 1))
    found: list[Pixels] = []
    for box in (*_edged(across, down), *_cells(across, down)):
        if len(found) < MOST and all(_overlap(box, other) < SAME for other in found):
            found.append(box)
    return [(left / width, top / height, right / width, bottom / height) for left, top, right, bottom in found]


def _overlap(one: Sequence[int], other: Sequence[int]) -> float:
    """Returns the share of the union of two boxes that they have in common."""
    across = max(0, min(one[2], other[2]) - max(one[0], other[0]))
    down = max(0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return across * down / (areas - across * down)


# Boxes with four edges


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """Straight edges of one direction: down the picture, or after turning it, across.

    Attributes:
        seen, plain: int32 `[length + 1, places]`, running counts along each line between two pixels (and at both ends
            of the picture, which count as edges) of where there is an edge, and where nothing can be told.
    """

    seen: Counts
    plain: Counts

    def cover(self, at: Counts, start: Any, end: Any, least: float = COVERED) -> npt.NDArray[np.float64]:
        """Returns how much of the lines at some places is edge between `start` and `end`, of where one could be seen;
        0 where it is less than `least`, too little is seen, or what is beside is as rough."""
        last = self.seen.shape[1] - 1
        length = end - start
        seen = self.seen[end, at] - self.seen[start, at]
        told = length - (self.plain[end, at] - self.plain[start, at])
        covered = seen / np.maximum(told, 1)
        beside = np.zeros(np.broadcast(at, start, end).shape)
        for there in (at - BESIDE, at + BESIDE):
            inside = (there > 0) & (there < last)
            place = there.clip(0, last)
            beside = np.maximum(beside, inside * (self.seen[end, place] - self.seen[start, place]) / length)
        chance = ABOVE_CHANCE * np.sqrt(np.maximum(beside * (1 - beside), 0.01) / length)
        holds = (covered >= least) & (seen >= SEEN * length)
        holds &= (covered - beside >= chance) | (at == 0) | (at == last)
        return np.where(holds, covered, 0.0)

    def through(self, at: Counts) -> npt.NDArray[np.bool_]:
        """Returns which lines are edge from one end of the picture to the other."""
        return self.cover(at, 0, len(self.seen) - 1, THROUGH) > 0

    def lines(self) -> Counts:
        """Returns the places of the longest lines, ascending: both ends of the picture, and those at which a line of
        the least length stands out somewhere."""
        length, places = self.seen.shape[0] - 1, self.seen.shape[1]
        least = max(8, int(length * LEAST))
        start = np.arange(0, length - least + 1, EVERY)[:, None]
        at = np.arange(places)[None]
        strength = (self.cover(at, start, start + least) > 0).sum(axis=0).astype(np.float64)
        strength[[0, -1]] = np.inf
        kept: list[int] = []
        for place in np.argsort(-strength, kind="stable").tolist():
            if strength[place] == 0 or len(kept) == LINES:
                break
            if all(abs(place - other) > 3 for other in kept):
                kept.append(place)
        return np.array(sorted(kept), dtype=np.int64)


def _edges(steps: Levels) -> _Edges:
    """Finds where neighbouring columns differ, most at just this place, from how much they do."""
    padded = np.pad(steps, ((0, 0), (4, 4)))
    around = [padded[:, shift : shift + steps.shape[1] + 2] for shift in range(7)]
    edge = (around[3] >= STEP) & (around[3] >= around[2]) & (around[3] >= around[4])
    plain = _largest(around) < PLAIN
    wide = np.pad(edge, ((0, 0), (1, 1)))
    edge = wide[:, :-2] | wide[:, 1:-1] | wide[:, 2:]
    edge[:, [0, -1]], plain[:, [0, -1]] = True, False
    return _Edges(*(np.pad(np.cumsum(one, axis=0, dtype=np.int32), ((1, 0), (0, 0))) for one in (edge, plain)))


def _largest(layers: Iterable[Levels]) -> Levels:
    """Returns the elementwise largest of some arrays."""
    return reduce(np.maximum, layers)


def _edged(across: Levels, down: Levels) -> list[Pixels]:
    """Returns the cells of a grid, and boxes with an edge along each side that no line across would split."""
    height, width = len(across), down.shape[1]
    upright, level = _edges(across), _edges(np.ascontiguousarray(down.T))
    columns, rows = upright.lines(), level.lines()
    found = _grid(*(one[edges.through(one)] for edges, one in ((upright, columns), (level, rows))))
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
    for box in boxes[np.argsort(-worth, kind="stable")]:
        if any(_overlap(box.tolist(), other) >= SAME for other in found):
            continue
        if not (_split(upright, columns, box) or _split(level, rows, box[[1, 0, 3, 2]])):
            found.append(tuple(box.tolist()))
            if len(found) == MOST:
                break
    return found


def _grid(columns: Counts, rows: Counts) -> list[Pixels]:
    """Returns the cells between lines through the whole picture."""
    width, height = columns[-1], rows[-1]
    across = [(a, b) for a, b in pairwise(columns.tolist()) if b - a >= LEAST * width]
    down = [(a, b) for a, b in pairwise(rows.tolist()) if b - a >= LEAST * height]
    cells = [(left, top, right, bottom) for top, bottom in down for left, right in across]
    return cells if len(cells) >= GRID else []


def _spans(lines: Counts, side: int) -> tuple[Counts, Counts]:
    """Returns each two lines that are far enough apart to be sides of a panel."""
    first, second = np.triu_indices(len(lines), 1)
    wide = lines[second] - lines[first] >= LEAST * side
    return lines[first][wide], lines[second][wide]


def _split(edges: _Edges, lines: Counts, box: Counts) -> bool:
    """Whether one of the lines goes through the box from one side to the other."""
    inside = lines[(lines > box[0] + 4) & (lines < box[2] - 4)]
    return bool((edges.cover(inside, box[1], box[3]) >= SPLIT).any())


# Cells between blank bands


def _cells(across: Levels, down: Levels) -> Iterator[Pixels]:
    """Yields the cells that blank bands leave when the picture is cut along their middles, down and across by turns."""
    height, width = len(across), down.shape[1]
    drawn = np.maximum(np.pad(across, ((0, 0), (0, 1))), np.pad(down, ((0, 1), (0, 0)))) >= STEP
    waiting = [((0, 0, width, height), 0)]
    while waiting:
        box, depth = waiting.pop()
        halves = _cut(drawn, box, depth % 2) or _cut(drawn, box, 1 - depth % 2) if depth < 4 else []
        if halves:
            waiting += [(half, depth + 1) for half in halves]
        elif depth:
            yield box


def _cut(drawn: npt.NDArray[np.bool_], box: Pixels, axis: int) -> list[Pixels]:
    """Returns what is left of a box when it is cut at blank rows (axis 0) or columns (1): two cells or more, else
    nothing."""
    left, top, right, bottom = box
    used = np.flatnonzero(drawn[top:bottom, left:right].any(axis=1 - axis))
    side = drawn.shape[axis]
    gaps = np.flatnonzero(np.diff(used) >= max(3.0, BAND * side))
    at = [int(used[gap] + used[gap + 1] + 1) // 2 for gap in gaps.tolist()]
    ends = [0, *at, (bottom - top, right - left)[axis]]
    spans = [(start, end) for start, end in pairwise(ends) if end - start >= LEAST * side]
    if len(spans) < 2:
        return []
    if axis == 0:
        return [(left, top + start, right, top + end) for start, end in spans]
    return [(left + start, top, left + end, bottom) for start, end in spans]
