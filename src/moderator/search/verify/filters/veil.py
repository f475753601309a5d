"""What a gradient laid over a picture, and seen through, makes of its colours.

One plane scales all channels, and one is added to each: twelve numbers, by which no thing in its midst is recoloured.
"""

from __future__ import annotations

import numpy as np

from moderator.search.verify.cells import Places, Values, most, trusted
from moderator.search.verify.light import bowl

UNIT = 100.0
"""Levels that weigh as much as the plane that is added: both are then about as large."""
THROUGH = 0.4
"""Least share by which the picture is seen through it: through less, black would be white."""
NEAR, ROUNDS, RIDGE = 5.0, 6, 1e-3
"""Levels by which a place may be off before it counts for less, rounds of the fit, and what keeps it solvable."""


def veiled(seen: Values, before: Values, at: Places) -> Values:
    """Returns the colours of the second picture's cells under the gradient that makes them most like those seen, fitted
    at one place of each block; as they are where it would hide them."""
    plane = bowl(before.shape[:2])[..., :3]
    over, given, wanted = plane[at], before[at] / UNIT, seen[at]
    design = np.zeros((len(over), 3, 12))
    for channel in range(3):
        design[:, channel, :3] = over * given[:, channel, None]
        design[:, channel, 3 * channel + 3 : 3 * channel + 6] = over
    heard = np.ones((len(over), 1))
    for _ in range(ROUNDS):
        weighted = (design * heard[..., None]).reshape(-1, 12)
        system = weighted.T @ design.reshape(-1, 12) + RIDGE * np.eye(12)
        numbers = np.linalg.solve(system, weighted.T @ wanted.ravel())
        heard = trusted(most(np.abs(wanted - design @ numbers)), NEAR)[:, None]
    scale, *added = numbers.reshape(4, 3)
    if (over @ scale).min() < THROUGH * UNIT or (over @ scale).max() > UNIT / THROUGH:
        return before
    veil: Values = before / UNIT * (plane @ scale)[..., None] + np.stack([plane @ one for one in added], axis=-1)
    return veil
