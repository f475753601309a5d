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

_ALL = np.arange(256.0)


def posterised(seen: Values, before: Values, at: Places) -> Values:
    """Returns the colours of the second picture's cells posterised in the way that makes them most like those seen;
    they are compared at one place of each block."""
    curves = _posterising()
    left = [np.abs(seen[at] - np.interp(before[at], _ALL, curve)).mean() for curve in curves]
    stepped: Values = np.interp(before, _ALL, curves[int(np.argmin(left))])
    return stepped


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
