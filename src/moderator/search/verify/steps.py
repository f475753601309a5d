"""What posterising makes of a picture's colours: few levels of each channel, which no smooth change explains."""

from __future__ import annotations

from functools import cache

import numpy as np

from moderator.search.verify.cells import Places, Values
from moderator.search.verify.features import opencv

COUNTS = (2, 3, 4, 5, 6, 8)
"""Numbers of levels that a picture is posterised to; more are next to no change."""
SOFT = 6.0
"""Levels by which the pixels of a cell differ from its mean, as a standard deviation: the mean is on no step itself."""
PLAINLY = 0.8
"""Share of the mean difference, one shift of each channel taken off, that posterising may leave at most."""

_ALL = np.arange(256.0)


def posterised(seen: Values, before: Values, at: Places) -> Values | None:
    """Returns the colours of the second picture's cells as they are where it is posterised, if that makes them clearly
    more like those seen; None where it does not. They are compared at one place of each block."""
    shown, given = seen[at], before[at]
    away = shown - given
    plain = np.abs(away - np.median(away, axis=0)).mean()
    curves = _posterising()
    left = [np.abs(shown - np.interp(given, _ALL, curve)).mean() for curve in curves]
    best = int(np.argmin(left))
    return np.interp(before, _ALL, curves[best]) if left[best] < PLAINLY * plain else None


@cache
def _posterising() -> Values:
    """Returns what posterising makes of each level, float64 `[ways, 256]`: editors leave the lowest level of each step,
    or spread the steps from black to white, and those are as wide as each other or have a level in their middle."""
    steps = [(np.floor(_ALL * count / 256), count) for count in COUNTS]
    lowest = [step * 256 / count for step, count in steps]
    spread = [step * 255 / (count - 1) for step, count in steps]
    middle = [np.rint(_ALL * (count - 1) / 255) * 255 / (count - 1) for count in COUNTS]
    cv2, every = opencv(), np.array([*lowest, *spread, *middle])
    soft: Values = cv2.GaussianBlur(every, (0, 1), SOFT, borderType=cv2.BORDER_REPLICATE)
    return soft
