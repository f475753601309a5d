"""What equalising makes of a picture's colours: levels as frequent as each other, which no smooth change explains.

The curve follows from the picture, so nothing is fitted, and no recoloured thing is explained by it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moderator.search.verify.cells import LUMA, Places, Values
from moderator.search.verify.geometry import Mask

Levels = npt.NDArray[np.int64]


def equalised(seen: Values, before: Values, shown: Mask, at: Places) -> Values:
    """Returns the colours of the second picture's cells equalised in the way that makes them most like those seen.

    Args:
        shown: bool, the cells that both pictures show, whose levels are counted.
        at: one place of each block, at which they are compared.
    """
    channels = [_curves(_levels(one)) for one in before[shown].T]
    ways = [(True, np.stack(curves)) for curves in zip(*channels, strict=True)]
    ways += [(False, curve[None]) for curve in _curves(_levels(before[shown] @ LUMA))]
    left = [np.abs(seen[at] - _equalised(before[at], *way)).mean() for way in ways]
    return _equalised(before, *ways[int(np.argmin(left))])


def _equalised(colours: Values, each: bool, curves: Values) -> Values:
    """Returns colours after a curve of each channel, or of brightness alone."""
    if each:
        return np.stack([curve[_levels(colours[..., place])] for place, curve in enumerate(curves)], axis=-1)
    luma = colours @ LUMA
    brighter: Values = (colours + (curves[0][_levels(luma)] - luma)[..., None]).clip(0, 255)
    return brighter


def _levels(values: Values) -> Levels:
    return np.rint(values).astype(np.int64)


def _curves(levels: Levels) -> Values:
    """Returns what equalising makes of each level, float64 `[2, 256]`: editors count the levels below one, or up to it,
    those of the last, or the first, aside."""
    counts = np.bincount(levels, minlength=256)
    total = np.cumsum(counts)
    first, last = counts[np.flatnonzero(counts)[[0, -1]]]
    below = (total - counts) / max(1, total[-1] - last)
    upto = (total - first) / max(1, total[-1] - first)
    return 255 * np.stack([below, upto]).clip(0, 1)
