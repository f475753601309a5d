"""Filters that no smooth change of colours explains, and what each makes of a picture's colours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from moderator.search.verify.cells import Places, Values
from moderator.search.verify.filters.bands import banded
from moderator.search.verify.filters.clarity import clearer
from moderator.search.verify.filters.even import equalised
from moderator.search.verify.filters.jpeg import crushed
from moderator.search.verify.filters.palette import indexed
from moderator.search.verify.filters.steps import posterised
from moderator.search.verify.filters.veil import veiled
from moderator.search.verify.geometry import Mask

PLAINLY = 0.8
"""Share of the mean difference, one shift of each channel taken off, that a filter may leave at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Filtered:
    """What a filter makes of colours.

    Attributes:
        colours: float64 `[rows, columns, 3]`, by cell, not clipped.
        leaves: how many times as much as a smooth change it may leave and is meant all the same: the less, the freer it
            is to make one colour another.
        alone: whether no smooth change is sought beside it.
    """

    colours: Values
    leaves: float
    alone: bool


def filtered(seen: Values, before: Values, shown: Mask, at: Places) -> Iterator[Filtered]:
    """Yields what those filters make of the second picture's colours that bring them clearly nearer to those seen.

    Args:
        shown: bool, the cells that both pictures show.
        at: one place of each block, at which they are compared.
    """
    away = (seen - before)[at]
    most = PLAINLY * np.abs(away - np.median(away, axis=0)).mean()
    for one in (
        Filtered(posterised(seen, before, at), 2.5, alone=False),
        Filtered(equalised(seen, before, shown, at), 2.0, alone=True),
        Filtered(crushed(seen, before, at), 1.0, alone=True),
        Filtered(indexed(seen, before, at), 1.0, alone=True),
        Filtered(clearer(seen, before, at), 0.5, alone=True),
        Filtered(veiled(seen, before, at), 0.2, alone=True),
        Filtered(banded(seen, before, shown), 0.2, alone=True),
    ):
        if np.abs(seen - one.colours.clip(0, 255))[at].mean() < most:
            yield one
