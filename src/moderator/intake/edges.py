"""Straight edges in a picture: steps of brightness or colour along one row or column, as where a picture was pasted.

A first look, at a small copy, tells where there may be one; a second, at a larger copy, whether it is straight. The
edge of a shelf, a door or a garment leaves its column there within a few pixels, that of a pasted picture never does.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, reduce
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

LEAST = 1 / 7
"""Least width and height of a panel, of the picture's own."""
STEP = 7
"""Least difference, in levels of any channel, of two neighbouring pixels across an edge."""
PLAIN = 3
"""Least difference below which nothing is to be seen on either side, so that an edge cannot be told from none."""
COVERED = 0.9
"""Share of a line that is edge at least, of where one could be seen."""
SEEN = 0.35
"""Share of a line along which an edge is seen at least."""
ABOVE_CHANCE = 3.0
"""Standard deviations by which a line has more edge than texture beside it would give it by chance."""
BESIDE = 5
"""How far beside a line that is looked for, in pixels."""
LINES = 20
"""Most lines of one direction, the longest."""
EVERY = 3
"""Pixels between two places at which a line is tried to begin."""
NEAR = 3
"""Places to either side of a straight edge among which its step is the largest, at the finer scale."""
STRAIGHT = 0.5
"""Least share of the steps along a line that are the largest at one and the same place; of texture it is a seventh.
With it, plain photographs have .01 panels where they had .15 to .53 (`benchmarks.panels`)."""
TOLD = 0.15
"""Share of a line along which there is a step at all, at the finer scale, at least."""

Levels = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.integer[Any]]
Marks = npt.NDArray[np.bool_]


class Edges:
    """Edges of one direction: down the picture, or after turning it, across.

    The places are those between two pixels, and both ends of the picture, which count as edges.

    Args:
        steps: uint8 `[length, places - 2]`: how much neighbouring columns differ, most at an edge.
    """

    def __init__(self, steps: Levels) -> None:
        length, inner = steps.shape
        padded = np.zeros((length, inner + 8), np.uint8)
        padded[:, 4:-4] = steps
        around = [padded[:, shift : shift + inner + 2] for shift in range(7)]
        edge = np.zeros((length, inner + 4), np.bool_)
        edge[:, 1:-1] = (around[3] >= STEP) & (around[3] >= around[2]) & (around[3] >= around[4])
        self._edge = edge[:, :-2] | edge[:, 1:-1] | edge[:, 2:]
        self._plain = largest(around) < PLAIN
        self._edge[:, [0, -1]], self._plain[:, [0, -1]] = True, False

    @cached_property
    def lines(self) -> Lines:
        """The longest lines: both ends of the picture, and those at which a line of the least length stands out
        somewhere."""
        length, places = self._edge.shape
        span = max(1, int(length * LEAST) // EVERY)
        seen, plain = (_windows(marks, span) for marks in (self._edge, self._plain))
        long = span * EVERY
        begin, at = np.nonzero((seen >= SEEN * long) & (seen >= COVERED * (long - plain)))
        beside = np.zeros((2, len(at)), np.int64)
        for row, there in enumerate((at - BESIDE, at + BESIDE)):
            inside = (there > 0) & (there < places - 1)
            beside[row, inside] = seen[begin[inside], there[inside]]
        met, blank = seen[begin, at].astype(np.int64), plain[begin, at].astype(np.int64)
        _, clear = _cover(met, blank, beside.max(axis=0), long)
        strength = np.bincount(at[clear], minlength=places).astype(np.float64)
        strength[strength > 0] += self._edge.mean(axis=0)[strength > 0]
        strength[[0, -1]] = np.inf
        kept: list[int] = []
        for place in np.argsort(-strength, kind="stable")[: np.count_nonzero(strength)].tolist():
            if all(abs(place - other) > 3 for other in kept):
                kept.append(place)
                if len(kept) == LINES:
                    break
        return Lines(np.array(sorted(kept), dtype=np.int64), self._edge, self._plain)


class Lines:
    """Some places of edges of one direction, and how much of each is edge.

    Attributes:
        at: their places, int64 `[lines]`, ascending.
    """

    def __init__(self, at: Counts, edge: Marks, plain: Marks) -> None:
        self.at = at
        last = edge.shape[1] - 1
        there = np.concatenate([at, at - BESIDE, at + BESIDE])
        marks = edge[:, there.clip(0, last)]
        marks[:, len(at) :] &= (there[len(at) :] > 0) & (there[len(at) :] < last)
        self._counts = _counted(np.concatenate([marks, plain[:, at]], axis=1)).reshape(len(edge) + 1, 4, len(at))
        self._ends = (at == 0) | (at == last)

    def cover(self, start: Counts, end: Counts) -> tuple[npt.NDArray[np.float64], Marks]:
        """Returns how much of each line is edge in each span from `start` to `end`, `[spans]`, of where one could be
        seen, and whether enough is, and more than beside it: both `[spans, lines]`."""
        seen, above, below, plain = (self._counts[end] - self._counts[start]).swapaxes(0, 1)
        covered, clear = _cover(seen, plain, np.maximum(above, below), (end - start)[:, None])
        return covered, clear & (seen >= SEEN * (end - start)[:, None]) | self._ends


def _cover(seen: Counts, plain: Counts, beside: Counts, length: Any) -> tuple[npt.NDArray[np.float64], Marks]:
    """Returns what share of lines is edge, and whether more is than beside them."""
    covered = seen / np.maximum(length - plain, 1)
    rough = beside / length
    return covered, covered - rough >= ABOVE_CHANCE * np.sqrt(np.maximum(rough * (1 - rough), 0.01) / length)


def _windows(marks: Marks, span: int) -> Counts:
    """Returns uint8 `[beginnings, places]`: how many marks there are in each window of `span` times `EVERY` rows."""
    blocks = len(marks) // EVERY
    rows = marks[: blocks * EVERY].view(np.uint8).reshape(blocks, EVERY, -1)
    counts = np.zeros((blocks + 1, marks.shape[1]), np.uint8)
    np.cumsum(rows.sum(axis=1, dtype=np.uint8), axis=0, dtype=np.uint8, out=counts[1:])
    return counts[span:] - counts[:-span]  # less than 256 apart, so that it does not matter where they wrapped


def largest(layers: Iterable[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Returns the elementwise largest of some arrays."""
    return reduce(np.maximum, layers)


def channels(picture: Image.Image) -> Levels:
    """Returns the levels of an RGB picture, uint8 `[3, height, width]`."""
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))


def steps(first: Levels, second: Levels) -> Levels:
    """Returns how much levels `[3, height, width]` differ, in any of the channels."""
    return largest(np.maximum(first, second) - np.minimum(first, second))


class Fine:
    """The second look, at a finer copy, along lines that the first one found: only beside these is it made.

    Args:
        picture: the whole picture, RGB.
        factor: pixels of it for one of the finer copy.
        scale: pixels of the finer copy for one of the first look.
        turned: whether the lines are across the picture.
    """

    def __init__(self, picture: Image.Image, factor: int, scale: float, *, turned: bool = False) -> None:
        self._picture = picture
        self._factor = factor
        self._scale = scale
        self._turned = turned
        self._places = -(-picture.size[turned] // factor)
        self._strips: dict[int, tuple[Counts, Counts]] = {}
        self._told: dict[tuple[int, int, int], tuple[float, float]] = {}

    def straight(self, at: int, start: int, end: int, unseen: float = 0.0) -> float:
        """Returns the share of what can be told along a line that is an edge at one place; `unseen` where too little
        can. 1 along the picture's own edge. Places are in pixels of the first look."""
        if at <= 1 or at * self._scale >= self._places - 1.5 * self._scale:
            return 1.0
        if (at, start, end) not in self._told:
            self._told[at, start, end] = self._along(at, start, end)
        told, share = self._told[at, start, end]
        return share if told >= TOLD else unseen

    def _along(self, at: int, start: int, end: int) -> tuple[float, float]:
        """Returns how much of a line can be told, and how much of that is an edge at the best place."""
        if at not in self._strips:
            self._strips[at] = self._strip(round(at * self._scale))
        hits, told = self._strips[at]
        first, last = (min(round(place * self._scale), len(hits) - 1) for place in (start, end))
        met, seen = hits[last] - hits[first], told[last] - told[first]
        share = met / np.maximum(seen, 1)
        share[seen < TOLD * (last - first)] = 0.0
        return float(seen.max()) / max(1, last - first), float(share.max())

    def _strip(self, at: int) -> tuple[Counts, Counts]:
        """Returns running counts `[length + 1, places]` near a line: of where a step is the largest, and is at all."""
        reach = int(np.ceil(2 * self._scale)) + NEAR
        levels = self._levels(max(0, at - reach - 1), min(self._places, at + reach + 1))
        across = steps(levels[:, :, 1:], levels[:, :, :-1])
        length, places = across.shape
        padded = np.zeros((length, places + 2 * NEAR), np.uint8)
        padded[:, NEAR:-NEAR] = across
        most = largest(padded[:, shift : shift + places] for shift in range(2 * NEAR + 1))
        told = most >= STEP
        counts = _counted(np.concatenate([(across == most) & told, told], axis=1))
        return counts[:, :places], counts[:, places:]

    def _levels(self, first: int, last: int) -> Levels:
        """Returns the finer copy between two places, `[3, length, last - first]`."""
        width, height = self._picture.size
        start, end = first * self._factor, last * self._factor
        box = (0, start, width, min(end, height)) if self._turned else (start, 0, min(end, width), height)
        levels = channels(self._picture.crop(box).reduce(self._factor))
        return np.ascontiguousarray(levels.swapaxes(1, 2)) if self._turned else levels


def _counted(marks: Marks) -> Counts:
    """Returns int32 `[length + 1, places]`: how many there are before each row."""
    counts = np.zeros((len(marks) + 1, marks.shape[1]), np.int32)
    np.cumsum(marks, axis=0, dtype=np.int32, out=counts[1:])
    return counts
