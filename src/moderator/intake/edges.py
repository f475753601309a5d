"""Straight edges in a picture: steps of brightness or colour along one row or column, as where a picture was pasted.

A first look, at a small copy, tells where there may be one; a second, at a larger copy, whether it is straight. The
edge of a shelf, a door or a garment leaves its column there within a few pixels, that of a pasted picture never does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

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
EVERY = 6
"""Pixels between two places at which a line is tried to begin."""
NEAR = 3
"""Places to either side of a straight edge among which its step is the largest, at the finer scale."""
STRAIGHT = 0.5
"""Least share of the steps along a line that are the largest at one and the same place; of texture it is a seventh.
With it, plain photographs have .01 panels where they had .15 to .53 (`benchmarks.panels`)."""
TOLD = 0.15
"""Share of a line along which there is a step at all, at the finer scale, at least."""

Levels = npt.NDArray[np.int16]
Counts = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Edges of one direction: down the picture, or after turning it, across.

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


def edges(steps: Levels) -> Edges:
    """Finds where neighbouring columns differ, most at just this place, from how much they do."""
    padded = np.pad(steps, ((0, 0), (4, 4)))
    around = [padded[:, shift : shift + steps.shape[1] + 2] for shift in range(7)]
    edge = (around[3] >= STEP) & (around[3] >= around[2]) & (around[3] >= around[4])
    plain = largest(around) < PLAIN
    wide = np.pad(edge, ((0, 0), (1, 1)))
    edge = wide[:, :-2] | wide[:, 1:-1] | wide[:, 2:]
    edge[:, [0, -1]], plain[:, [0, -1]] = True, False
    return Edges(_counted(edge), _counted(plain))


def largest(layers: Iterable[Levels]) -> Levels:
    """Returns the elementwise largest of some arrays."""
    return reduce(np.maximum, layers)


class Fine:
    """The second look, at a finer copy, along lines that the first one found.

    Args:
        levels: int16 `[channels, length, width]` of the picture, turned where the lines are across it.
        scale: pixels of it for one of the first look.
    """

    def __init__(self, levels: Levels, scale: float) -> None:
        self._levels = levels
        self._scale = scale
        self._strips: dict[int, tuple[Counts, Counts]] = {}
        self._told: dict[tuple[int, int, int], tuple[float, float]] = {}

    def straight(self, at: int, start: int, end: int, unseen: float = 0.0) -> float:
        """Returns the share of what can be told along a line that is an edge at one place; `unseen` where too little
        can. 1 along the picture's own edge. Places are in pixels of the first look."""
        if at <= 1 or at * self._scale >= self._levels.shape[2] - 1.5 * self._scale:
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
        strip = self._levels[:, :, max(0, at - reach - 1) : at + reach + 1]
        steps = np.abs(np.diff(strip, axis=2)).max(axis=0)
        padded = np.pad(steps, ((0, 0), (NEAR, NEAR)))
        most = largest(padded[:, shift : shift + steps.shape[1]] for shift in range(2 * NEAR + 1))
        told = most >= STEP
        return _counted((steps == most) & told), _counted(told)


def _counted(marks: npt.NDArray[np.bool_]) -> Counts:
    """Returns int32 `[length + 1, places]`: how many there are before each row."""
    return np.pad(np.cumsum(marks, axis=0, dtype=np.int32), ((1, 0), (0, 0)))
