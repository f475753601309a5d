"""What bands of one colour, laid across a picture and seen through, make of its colours.

A band goes from border to border, and its edges are its own: what they cross shows none there. So no recoloured thing
is explained by it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from moderator.search.verify.cells import Values, most, trusted
from moderator.search.verify.geometry import Mask

MOVED = 12.0
"""Levels by which a cell differs that may lie under a band."""
SHARE = (0.01, 0.75)
"""Least and largest share of the cells that do."""
THROUGH = 0.75
"""Largest share by which the picture is seen through a band: through more, next to nothing is laid over it."""
TURNS, FINER = 24, 4
"""Directions that are tried, and those around the best one that are tried then, of each side."""
FAINT, OWN_STEP = 4.0, 0.35
"""Levels by which a band's edge is a step that is seen, and the share of that by which the picture itself may step
there, on average over the whole edge."""
BESIDE, FEW = 2, 8
"""Places from a band's edge at which its two sides are compared, and fewest cells of each."""
OWN = 0.3
"""Least share of a band's edge that is its own."""
NEAR, ROUNDS, RIDGE = 5.0, 4, 100.0
"""Levels by which a cell may be off before it counts for less, rounds of the robust fit, and what is added to the sum
of squares: it holds a band away where nothing tells it."""

Numbers = npt.NDArray[np.int64]


def banded(seen: Values, before: Values, shown: Mask) -> Values:
    """Returns the colours of the second picture's cells under the bands that make them most like those seen; as they
    are where there are none.

    Args:
        shown: bool, the cells that both pictures show.
    """
    away = seen - before
    moved = shown & (most(np.abs(away)) > MOVED)
    if not SHARE[0] * shown.sum() < moved.sum() < SHARE[1] * shown.sum():
        return before
    under = moved
    for _ in range(2):
        layer = layer_of(seen, before, under)
        bins, covers = _turned(away, layer, shown)
        under = shown & (covers[bins] > 0.99)
        if not under.any():
            return before
    if _own(layer, before, covers, bins, shown) < OWN:
        return before
    laid: Values = before + covers[bins][..., None] * layer
    return laid


def layer_of(seen: Values, before: Values, under: Mask) -> Values:
    """Returns what one colour, seen through, adds to every cell, by the cells that lie under it (Huber, 1964)."""
    wanted, given = seen[under], before[under]
    heard = np.ones(len(given))
    through, added = 0.0, np.zeros(3)
    for _ in range(ROUNDS):
        mean, meant = (heard @ one / heard.sum() for one in (given, wanted))
        apart = given - mean
        weighted = heard[:, None] * apart
        through = float(np.vdot(weighted, wanted - meant) / (np.vdot(weighted, apart) + RIDGE))
        through = min(max(through, 0.0), THROUGH)
        added = (meant - through * mean).clip(0, 255 * (1 - through))
        heard = trusted(most(np.abs(wanted - through * given - added)), NEAR)
    layer: Values = (through - 1) * before + added
    return layer


def _turned(away: Values, layer: Values, shown: Mask) -> tuple[Numbers, Values]:
    """Returns which place across the bands each cell has, in the direction in which they explain most, and how much of
    each place lies under one, float64 `[places]`, in [0, 1]."""
    wanted, most = (np.einsum("rcx,rcx->rc", one, layer)[shown] for one in (away, layer))

    def covers(turn: float) -> tuple[Values, float]:
        """Returns those shares, and by how much less they leave than no band, as a sum of squares, negative."""
        every = _bins(shown.shape, turn)
        cover, whole = (np.bincount(every[shown], one, minlength=every.max() + 1) for one in (wanted, most))
        share = (cover / (whole + RIDGE)).clip(0, 1)
        return share, float((share**2 * whole - 2 * share * cover).sum())

    first = min(range(TURNS), key=lambda one: covers(one / TURNS)[1]) / TURNS
    finer = first + np.arange(-FINER, FINER + 1) / (TURNS * (FINER + 1))
    best = min(finer.tolist(), key=lambda turn: covers(turn)[1])
    return _bins(shown.shape, best), _sharp(covers(best)[0])


@lru_cache(256)
def _bins(grid: tuple[int, int], turn: float) -> Numbers:
    """Returns how far each cell lies across bands that are turned by a share of half a turn, from 0, in cells."""
    down, across = np.indices(grid)
    far = down * np.cos(np.pi * turn) + across * np.sin(np.pi * turn)
    bins: Numbers = np.floor(far - far.min()).astype(np.int64)
    return bins


def _sharp(covers: Values) -> Values:
    """Returns shares of places with what lies in part under a band only where one begins or ends."""
    under = covers > 0.5
    padded = np.pad(under, 1, mode="edge")
    edge = (padded[:-2] != under) | (padded[2:] != under)
    return np.where(edge, covers, under.astype(np.float64))


def _own(layer: Values, before: Values, covers: Values, bins: Numbers, shown: Mask) -> float:
    """Returns the share of the bands' edges, strong ones counting for more, across which the picture itself is of about
    one colour on average; 0 where none is seen."""
    count = np.bincount(bins.ravel(), shown.ravel())
    laid, colours = (_lines(one, bins, shown) / np.maximum(count, 1)[:, None] for one in (layer, before))
    under = covers > 0.5
    told = total = 0.0
    for place in np.flatnonzero(np.diff(under.astype(np.int64))):
        sides = np.arange(place - BESIDE, place - BESIDE + 2), np.arange(place + BESIDE, place + BESIDE + 2)
        if sides[0][0] < 0 or sides[1][-1] >= len(count) or min(count[side].min() for side in sides) < FEW:
            continue
        step = float(np.abs(laid[np.concatenate(sides)].mean(axis=0)).max())
        itself = float(np.abs(np.subtract(*(colours[side].mean(axis=0) for side in sides))).max())
        strength = max(step - FAINT, 0.0) * float(min(count[side].min() for side in sides))
        total += strength
        told += strength * (itself < OWN_STEP * step)
    return told / max(total, 1.0)


def _lines(values: Values, bins: Numbers, shown: Mask) -> Values:
    """Returns the sum of each place across the bands, float64 `[places, channels]`."""
    places = bins.ravel()
    return np.stack([np.bincount(places, (one * shown).ravel()) for one in np.moveaxis(values, 2, 0)], axis=1)
