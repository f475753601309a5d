"""What is tried before the lines of a change of colours are fitted: saturations, greys and powers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from moderator.search.verify.cells import LUMA, Singles, Values

SATURATIONS = (0.0, 0.3, 0.6, 1.0, 1.5, 2.3, 3.4)
"""Saturations that are tried; 0 is greyscale."""
GREYS = np.array([LUMA, [0.2126, 0.7152, 0.0722], [1 / 3, 1 / 3, 1 / 3]])
"""Weights of the channels in grey: those of brightness (ITU-R BT.601), by which every other saturation is tried too,
those of BT.709, as browsers take them, and their mean."""
GAMMAS = (0.55, 0.75, 1.0, 1.35, 1.8)
"""Powers that are tried on levels in [0, 1]."""
TRIED = (*product([0], SATURATIONS, GAMMAS), *product(range(1, len(GREYS)), [0.0], GAMMAS))
"""Numbers of `GREYS`, saturations and powers."""
POWERS = np.array([gamma for *_, gamma in TRIED])
"""The powers of `TRIED`."""
MILDNESS = np.array([abs(np.log(max(saturation, 0.1))) + abs(np.log(gamma)) for _, saturation, gamma in TRIED])
"""By how much a change is one, apart from its gains."""


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """Colours after each grey, saturation and power that are tried: float32 `[tried, channels, cells]`, and which of
    `TRIED` they are."""

    curved: Singles
    numbers: npt.NDArray[np.int64]

    @classmethod
    def of(cls, before: Values) -> Ways:
        """Returns what every one of `TRIED` makes of colours, float64 `[cells, 3]`."""
        saturations, gammas = np.array(SATURATIONS)[:, None, None, None], np.array(GAMMAS)[:, None, None]
        every = [toned(before, LUMA, saturations, gammas), *(toned(before, grey, 0.0, gammas) for grey in GREYS[1:])]
        curved = np.concatenate([one.reshape(-1, *before.shape) for one in every]).transpose(0, 2, 1)
        return cls(np.ascontiguousarray(curved, dtype=np.float32), np.arange(len(TRIED)))

    def among(self, places: npt.NDArray[np.int64]) -> Ways:
        """Returns those at some places."""
        return Ways(self.curved[places], self.numbers[places])


def toned(colours: Values, weights: Values, saturation: float | Values, gamma: float | Values) -> Values:
    """Returns colours after a saturation, towards the grey of some weights, and a power on levels in [0, 1]."""
    grey = (colours @ weights)[..., None]
    saturated = (grey + (colours - grey) * saturation).clip(0, 255)
    curved: Values = 255 * (saturated / 255) ** gamma
    return curved
