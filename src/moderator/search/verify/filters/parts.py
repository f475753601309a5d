"""What a filter makes of a picture's colours that gives each part a contrast of its own, as the one named HDR does
(contrast limited adaptive histogram equalisation: Zuiderveld, Graphics Gems IV, 1994).

Brightness alone changes, by a line that changes slowly from place to place.
"""

from __future__ import annotations

import numpy as np

from moderator.search.verify.cells import LUMA, Places, Values, trusted
from moderator.search.verify.light import waves

WAVES = 5
"""Waves down, and across, that the line is made of."""
UNIT = 100.0
"""Levels that weigh as much as one that is added: the two numbers of a line are then about as large."""
GAINS = -0.6, 2.0
"""Least and largest gain, less one."""
MOST = 60.0
"""Levels by which a place becomes brighter or darker at most."""
NEAR, ROUNDS, RIDGE = 5.0, 6, 5e-3
"""Levels by which a place may be off before it counts for less, rounds of the fit, and what is added to the mean of
squares, for each wave: it holds the line where nothing tells it."""


def brightened_in_parts(seen: Values, before: Values, at: Places) -> Values:
    """Returns the colours of the second picture's cells by the line of each place that makes their brightness most like
    that seen, fitted at one place of each block."""
    every, luma = waves(before.shape[:2], WAVES), before @ LUMA
    over, wanted = every[at], (seen @ LUMA - luma)[at]
    design = np.concatenate([over * luma[at][:, None] / UNIT, over], axis=1)
    heard, ridge = np.ones((len(wanted), 1)), RIDGE * len(wanted) * np.eye(design.shape[1])
    for _ in range(ROUNDS):
        weighted = (design * heard).T
        numbers = np.linalg.solve(weighted @ design + ridge, weighted @ wanted)
        heard = trusted(wanted - design @ numbers, NEAR)[:, None]
    gain, added = (every @ one for one in np.split(numbers, 2))
    brighter: Values = before + ((gain / UNIT).clip(*GAINS) * luma + added).clip(-MOST, MOST)[..., None]
    return brighter
