"""What JPEG leaves of a picture's colours at the lowest qualities: few levels of brightness and of colour, as the mean
of each block of pixels is rounded to a step.

The steps follow from the quality and move no level by more than half of one, so no recoloured thing is explained by it.
"""

from __future__ import annotations

import numpy as np

from moderator.search.verify.cells import CHROMA, LUMA, Places, Values

QUALITIES = range(2, 13)
"""Qualities (libjpeg's, of 100) that are tried; better ones are next to no change."""
BASE = 16, 17
"""What means of brightness and of colour are rounded to at quality 50, times eight (ITU-T T.81, annex K)."""
_APART = np.stack([LUMA, *CHROMA])
_BACK = np.linalg.inv(_APART)
"""From red, green and blue to brightness and the two differences of colour, and from those back."""


def crushed(seen: Values, before: Values, at: Places) -> Values:
    """Returns the colours of the second picture's cells as the quality leaves them that makes them most like those
    seen; they are compared at one place of each block."""
    apart = before @ _APART.T - [128, 0, 0]
    steps = [_steps(quality) for quality in QUALITIES]
    left = [np.abs(seen[at] - _rounded(apart[at], step)).mean() for step in steps]
    return _rounded(apart, steps[int(np.argmin(left))])


def _rounded(apart: Values, steps: Values) -> Values:
    rounded: Values = (np.rint(apart / steps) * steps + [128, 0, 0]) @ _BACK.T
    return rounded


def _steps(quality: int) -> Values:
    """Returns the steps of brightness and of both differences of colour, in levels (libjpeg, jcparam.c)."""
    luma, chroma = (min(255, max(1, (base * (5000 // quality) + 50) // 100)) / 8 for base in BASE)
    return np.array([luma, chroma, chroma])
