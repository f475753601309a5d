"""Filters that no smooth change of colours explains, and what each makes of a picture's colours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from moderator.search.verify.cells import Places, Values
from moderator.search.verify.filters.bands import banded
from moderator.search.verify.filters.clarity import clearer
from moderator.search.verify.filters.covers import covered
from moderator.search.verify.filters.even import equalised
from moderator.search.verify.filters.haze import GLOW, SHADE, hazed
from moderator.search.verify.filters.hue import turned
from moderator.search.verify.filters.jpeg import crushed
from moderator.search.verify.filters.palette import indexed
from moderator.search.verify.filters.parts import brightened_in_parts
from moderator.search.verify.filters.split import drawn_apart
from moderator.search.verify.filters.steps import posterised
from moderator.search.verify.filters.veil import veiled
from moderator.search.verify.geometry import Mask

PLAINLY = 0.8
"""Share of the mean difference, one shift of each channel taken off, that a filter may leave at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Filtered:
    """What a filter makes of colours.

    Attributes:
        words: what it did, for a person.
        colours: float64 `[rows, columns, 3]`, by cell, not clipped.
        leaves: how many times as much as a smooth change it may leave and is meant all the same: the less, the freer it
            is to make one colour another.
        alone: whether no smooth change is sought beside it.
    """

    words: str
    colours: Values
    leaves: float
    alone: bool = True


def filtered(seen: Values, before: Values, shown: Mask, at: Places) -> Iterator[Filtered]:
    """Yields what those filters make of the second picture's colours that bring them clearly nearer to those seen.

    Args:
        shown: bool, the cells that both pictures show.
        at: one place of each block, at which they are compared.
    """
    away = (seen - before)[at]
    most = PLAINLY * np.abs(away - np.median(away, axis=0)).mean()
    for one in (
        Filtered("one posterised", posterised(seen, before, at), 2.5, alone=False),
        Filtered("one equalised", equalised(seen, before, shown, at), 2.0),
        Filtered("one at the lowest quality of JPEG", crushed(seen, before, at), 1.0),
        Filtered("one in few colours of its own", indexed(seen, before, at), 1.0),
        Filtered("red, green and blue of one drawn apart", drawn_apart(seen, before), 1.0),
        Filtered("patches of one colour over one", covered(seen, before, shown), 1.0),
        Filtered("one in other local contrast", clearer(seen, before, at), 0.5),
        Filtered("parts of one brightened or darkened", brightened_in_parts(seen, before, at), 0.4),
        Filtered("one under a gradient", veiled(seen, before, at), 0.2),
        Filtered("one under bands", banded(seen, before, shown), 0.2),
        Filtered("one under haze", hazed(seen, before, at), 0.4),
        Filtered("light fallen into one", hazed(seen, before, at, GLOW), 0.4),
        Filtered("one in shade", hazed(seen, before, at, SHADE), 0.4),
        Filtered("one in other hues", turned(seen, before, shown, at), 0.5),
    ):
        if np.abs(seen - one.colours.clip(0, 255))[at].mean() < most:
            yield one
