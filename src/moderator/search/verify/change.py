"""The one change of colours that explains most of how two aligned pictures differ, under a light, by block.

An edit changes all colours in one way: a saturation, then a gain and an offset of each channel (brightness, contrast, a
cast, a filter, no colour at all), under a light that falls off smoothly (a vignette, a shadow). What it takes beyond
black and white is clipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt

from moderator.search.verify.geometry import Mask

Values = npt.NDArray[np.float64]

SATURATIONS = (0.0, 0.3, 0.6, 1.0, 1.5, 2.3)
"""Saturations that are tried; 0 is greyscale."""
GAMMAS = (0.55, 0.75, 1.0, 1.35, 1.8)
"""Powers that are tried on levels in [0, 1]."""
LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""
CHROMA = np.array([[-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
"""The same of the differences of blue and of red from it (the same source)."""
GAINS, LIGHT = (0.35, 2.5), (0.2, 2.5)
"""Least and largest gain of a channel, and of the light."""
TINT = 0.35
"""By how much of their mean the gains of the channels may differ: white and one colour could else become any two."""
DARK_MEAN, BRIGHT_MEAN, FREE = 6.0, 249.0, 0.05
"""Levels below and above which a mean of a block is of clipped ones, and the share of clipped levels up to which it
tells what they were."""
BEYOND = 80.0
"""Levels that a clipped level may have been beyond the end."""
UNEVEN, TRUSTED = 0.15, 0.06
"""Range of the light from which the change is fitted anew beside it; by how much a block may be lighter than the light
before it counts for less."""
ROUNDS = 3
"""Rounds of the robust fit."""
FITTED = 60
"""About as many blocks the change is fitted to; it is then held against all."""


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """A saturation, then a power, then a gain and an offset in levels of each channel, float64 `[3]`."""

    saturation: float
    gamma: float
    gains: Values
    offsets: Values

    def applied(self, colours: Values) -> Values:
        """Returns changed colours, not clipped."""
        return _curved(colours, self.saturation, self.gamma) * self.gains + self.offsets


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """A change of colours, and the light over it by block, float64 `[rows, columns, 1]`."""

    change: Change
    light: Values


def explained(seen: Values, ends: Values, before: Values, asked: Mask, agrees: Mask) -> Explained:
    """Returns the change, and the light, of the second colours into those seen.

    Args:
        seen, before: float64 `[n, 3]`, colours of the blocks `asked`, those that agree counting for more.
        ends: float64 `[2, n, 3]`, the share of levels of those seen that stand at 0, and at 255.
        asked: bool `[rows, columns]`, where the n blocks lie.
        agrees: bool `[n]`.
    """
    weight = np.where(agrees, 1.0, 0.4)
    change = _fitted(seen, ends, before, weight)
    light = _light(seen, ends, change.applied(before), asked, agrees)
    if np.ptp(light[asked]) > UNEVEN:
        change = _fitted(seen / light[asked], ends, before, weight)
        light = _light(seen, ends, change.applied(before), asked, agrees)
    return Explained(change, light)


def beyond_clipping(difference: Values, ends: Values) -> Values:
    """Returns what is left of a difference of means less what clipping explains: where some of a block's levels were
    clipped at the bright end its mean is lower than told, at the dark end it is higher, by `BEYOND` for each."""
    dark, bright = BEYOND * ends
    left: Values = np.minimum(difference + bright, 0) + np.maximum(difference - dark, 0)
    return left


def unclipped(raw: Values) -> Mask:
    """Returns which channels of changed colours are not clipped."""
    return (raw > -4) & (raw < 259)


def _light(seen: Values, ends: Values, raw: Values, asked: Mask, agrees: Mask) -> Values:
    """Returns by how much each block is lighter than the change alone makes it, as a plane and a bowl over the picture,
    float64 `[rows, columns, 1]`: a vignette or a shadow scales brightness and leaves colours."""
    expected = raw.clip(0, 255)
    lighter = beyond_clipping(seen - expected, ends) @ LUMA / (expected @ LUMA + 16.0)
    every = _bowl(asked.shape)
    design = every[asked]
    weight = np.where(agrees & (unclipped(raw).sum(axis=1) >= 2), 1.0, 0.3)
    smooth, plane = np.zeros(len(design)), np.zeros(4)
    for _ in range(ROUNDS):
        trusted = weight * np.minimum(1.0, TRUSTED / np.maximum(np.abs(lighter - smooth), 1e-6))
        weighted = design * trusted[:, None]
        plane = np.linalg.solve(weighted.T @ design + 1e-3 * np.eye(4), weighted.T @ lighter)
        smooth = design @ plane
    return (1.0 + every @ plane).clip(*LIGHT)[..., None]


@lru_cache(64)
def _bowl(grid: tuple[int, int]) -> Values:
    """Returns what a light over blocks is made of, float64 `[rows, columns, 4]`: 1, down, across, and a bowl."""
    down, across = (np.linspace(-0.5, 0.5, side) for side in grid)
    down, across = np.meshgrid(down, across, indexing="ij")
    return np.stack([np.ones(grid), down, across, down**2 + across**2], axis=-1)


def _curved(colours: Values, saturation: float | Values, gamma: float | Values) -> Values:
    grey = (colours @ LUMA)[:, None]
    saturated = (grey + (colours - grey) * saturation).clip(0, 255)
    curved: Values = 255 * (saturated / 255) ** gamma
    return curved


TRIED = tuple(product(SATURATIONS, GAMMAS))
MILDNESS = np.array([abs(np.log(max(saturation, 0.1))) + abs(np.log(gamma)) for saturation, gamma in TRIED])
"""By how much a change is one, apart from its gains."""


def _fitted(after: Values, ends: Values, before: Values, weight: Values) -> Change:
    """Returns the change of the second colours into the first that explains most: for each saturation and power, gains
    and offsets by reweighted least squares, less what is clipped."""
    every = max(1, len(after) // FITTED)
    after, ends, before, weight = after[::every], ends[:, ::every], before[::every], weight[::every]
    saturations, gammas = np.array(SATURATIONS)[:, None, None, None], np.array(GAMMAS)[:, None, None]
    every_way = _curved(before, saturations, gammas).reshape(len(TRIED), *before.shape)
    curved = np.ascontiguousarray(every_way.transpose(0, 2, 1), dtype=np.float32)  # [tried, channels, blocks]
    after = np.ascontiguousarray(after.T, dtype=np.float32)
    weights = weight.astype(np.float32)
    ends = np.ascontiguousarray(ends.transpose(0, 2, 1), dtype=np.float32)
    free = (after > DARK_MEAN) & (after < BRIGHT_MEAN) & (ends.sum(axis=0) < FREE)
    inside = np.where(free, np.float32(1.0), np.float32(0.01))
    robust = np.broadcast_to(weights * inside, curved.shape)
    for _ in range(ROUNDS):
        total = robust.sum(axis=2)
        mean_before = np.einsum("tcn,tcn->tc", robust, curved) / total
        mean_after = np.einsum("tcn,cn->tc", robust, after) / total
        away = curved - mean_before[..., None]
        weighted = robust * away
        # The ridge holds the gain near 1 where there is no contrast to fit it to.
        ridge = np.float32(20.0) * total
        gains = (np.einsum("tcn,cn->tc", weighted, after) + ridge) / (
            np.einsum("tcn,tcn->tc", weighted, away) + ridge
        )
        middle = gains.mean(axis=1, keepdims=True).clip(*GAINS)
        gains = gains.clip(middle * (1 - TINT), middle * (1 + TINT))
        offsets = mean_after - gains * mean_before
        away = np.abs(beyond_clipping(after - (curved * gains[..., None] + offsets[..., None]).clip(0, 255), ends))
        left = away.max(axis=1)
        huber = weights * np.minimum(np.float32(1.0), np.float32(5.0) / np.maximum(left, np.float32(1e-6)))
        # What is clipped tells nothing but that it is no less.
        robust = huber[:, None] * np.where(away > 1.0, np.float32(1.0), inside)
    # Of changes that explain as much, the mildest is meant.
    cost = (weights * np.minimum(left, 25.0)).mean(axis=1) + 0.05 + 0.03 * MILDNESS
    best = int(cost.argmin())
    return Change(*TRIED[best], gains[best].astype(np.float64), offsets[best].astype(np.float64))
