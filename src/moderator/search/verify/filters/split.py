"""What a filter makes of a picture that draws red, green and blue apart, as a broken screen does.

It moves each channel as a whole, so no recoloured thing is explained by it.
"""

from __future__ import annotations

import numpy as np

from moderator.search.verify.cells import Values
from moderator.search.verify.features import opencv

FARTHEST = 0.04
"""Most by which a channel is moved, as a share of the longer side."""
CLEAR = 0.1
"""Least response, of at most 1, at which a move is trusted."""


def drawn_apart(seen: Values, before: Values) -> Values:
    """Returns the second picture's cells with each channel moved to where it is seen."""
    cv2 = opencv()
    window = cv2.createHanningWindow(before.shape[1::-1], cv2.CV_64F)
    ours, theirs = (np.ascontiguousarray(np.moveaxis(one, 2, 0)) for one in (seen, before))
    return np.stack([_moved(*pair, window) for pair in zip(ours, theirs, strict=True)], axis=-1)


def _moved(seen: Values, before: Values, window: Values) -> Values:
    """Returns a channel moved, by a part of a cell too (phase correlation: Kuglin and Hines, 1975)."""
    cv2 = opencv()
    # It writes into what it is given, where the sides are products of small primes.
    (across, down), response = cv2.phaseCorrelate(before.copy(), seen.copy(), window)
    if response < CLEAR or max(abs(across), abs(down)) > FARTHEST * max(before.shape):
        return before
    by = np.array([[1, 0, across], [0, 1, down]])
    drawn: Values = cv2.warpAffine(before, by, before.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    return drawn
