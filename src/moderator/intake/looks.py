"""A picture as it is looked at for panels: a small copy, its steps and lines, and a finer copy beside these."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt
from PIL import Image

from moderator.intake import edges
from moderator.intake.edges import STEP, STRAIGHT, Edges, Fine

SIDE = 320
"""Longer side, in pixels, of the copy that is looked at."""
FINE = 1024
"""Longer side, in pixels, of the copy on which edges are looked at a second time: at least half of it."""
BLANK, RIM = 0.01, 4
"""Least share of a panel, but for this many pixels along its sides, that has something to see."""

Pixels = tuple[int, int, int, int]
"""Left, top, right and bottom in the small copy."""


class Looks:
    """A picture as it is looked at: the steps of a small copy and their edges, and where asked those of a finer one.

    Attributes:
        levels: the small copy, uint8 `[3, height, width]`.
        across, down: how much its neighbouring columns and rows differ.
        columns, rows: the longest lines down it and across it.
    """

    def __init__(self, picture: Image.Image, size: tuple[int, int]) -> None:
        self.size = size
        # Whole boxes of pixels are averaged in a fraction of the time; where these fit, it comes to the same.
        gap = 1.0 if not any(side % new for side, new in zip(picture.size, size, strict=True)) else 1.5
        self.levels = levels = edges.channels(picture.resize(size, Image.Resampling.BOX, reducing_gap=gap))
        self.across = edges.steps(levels[:, :, 1:], levels[:, :, :-1])
        self.down = edges.steps(levels[:, 1:], levels[:, :-1])
        self.columns, self.rows = Edges(self.across).lines, Edges(np.ascontiguousarray(self.down.T)).lines
        factor = -(-max(picture.size) // FINE)
        scale = max(picture.size) / factor / max(size)
        self.upright, self.level = Fine(picture, factor, scale), Fine(picture, factor, scale, turned=True)

    def sides(self, box: Pixels, unseen: float = 0.0) -> Iterator[float]:
        """Yields how straight each of the four sides is, one along which nothing can be told being `unseen`."""
        left, top, right, bottom = box
        yield from (self.upright.straight(at, top, bottom, unseen) for at in (left, right))
        yield from (self.level.straight(at, left, right, unseen) for at in (top, bottom))

    def straight(self, box: Pixels, unseen: float = 0.0) -> bool:
        """Whether all four sides are."""
        return all(side >= STRAIGHT for side in self.sides(box, unseen))

    @cached_property
    def drawn(self) -> npt.NDArray[np.bool_]:
        """Where there is a step to the next column or row, `[height, width]`."""
        drawn = np.zeros(self.levels.shape[1:], np.bool_)
        drawn[:, :-1] = self.across >= STEP
        drawn[:-1] |= self.down >= STEP
        return drawn

    def blank(self, box: Pixels) -> bool:
        """Whether there is next to nothing within a box, its rim aside."""
        left, top, right, bottom = box
        inside = self.drawn[top + RIM : bottom - RIM, left + RIM : right - RIM]
        return not inside.size or bool(inside.mean() < BLANK)
