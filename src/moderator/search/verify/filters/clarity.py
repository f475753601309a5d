"""What a filter makes of a picture's colours that sets each place off from those around it, as an unsharp mask does.

How much is one number, so no recoloured thing is explained by it.
"""

from __future__ import annotations

import numpy as np

from moderator.search.verify.cells import LUMA, Places, Values, at_ends, trusted
from moderator.search.verify.features import opencv

RADII = (0.02, 0.04, 0.08)
"""Radii of what is around a place, as a share of the longer side: a Gaussian's standard deviation."""
AMOUNTS = (-0.9, 3.0)
"""Least and largest amount; a negative one takes contrast away, as when the other picture was filtered."""
NEAR, ROUNDS, RIDGE = 5.0, 5, 100.0
"""Levels by which a place may be off before it counts for less, rounds of the robust fit, and the sum of squares that
is added to what there is: it holds the amount near 0 where nothing stands out."""


def clearer(seen: Values, before: Values, at: Places) -> Values:
    """Returns the colours of the second picture's cells after the filter that makes them most like those seen, of each
    channel or of brightness alone; they are compared at one place of each block."""
    cv2 = opencv()
    wanted = (seen - before)[at]
    heard = 1.0 - at_ends(seen[at]).sum(axis=0)
    best, least = before, np.inf
    for radius in RADII:
        around = cv2.GaussianBlur(before.astype(np.float32), (0, 0), radius * max(before.shape[:2]))
        each = before - around
        for away in (each, np.broadcast_to((each @ LUMA)[..., None], each.shape)):
            amount = _amount(away[at], wanted, heard)
            left = float(np.abs(heard * (wanted - amount * away[at])).mean())
            if left < least:
                best, least = before + amount * away, left
    return best


def _amount(away: Values, wanted: Values, heard: Values) -> float:
    """Returns how many times `away` comes nearest to what is wanted, most places that are heard being right (Huber,
    1964)."""
    amount, weight = 0.0, heard
    for _ in range(ROUNDS):
        amount = float((weight * away * wanted).sum() / ((weight * away**2).sum() + RIDGE))
        weight = heard * trusted(wanted - amount * away, NEAR)
    return float(np.clip(amount, *AMOUNTS))
