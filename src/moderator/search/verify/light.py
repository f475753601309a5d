"""What changes slowly over a picture: the light, which falls off smoothly (a vignette, a shadow), scales brightness and
leaves colours; and the waves that haze and brightness of parts are made of."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from moderator.search.verify.cells import LUMA, Values, trusted
from moderator.search.verify.geometry import Mask

LIGHT = (0.2, 2.5)
"""Least and largest light."""
TRUSTED = 5.0
"""Levels by which a block may be lighter or darker than under the light before it counts for less."""
ROUNDS = 5
"""Rounds of the robust fit."""


def lit(dark: Values, seen: Values, asked: Mask, weight: Values) -> Values:
    """Returns the light under which brightness comes nearest to what is seen, float64 `[rows, columns, 1]`: a plane and
    a bowl over the picture, which may be deeper one way, as that of a crop is.

    Args:
        dark, seen: float64 `[n, 3]`, colours of the blocks asked as they are without it, and as seen.
        asked: bool `[rows, columns]`.
        weight: float64 `[n]`.
    """
    every = bowl(asked.shape)
    design, wanted = every[asked] * (dark @ LUMA)[:, None], seen @ LUMA
    heard = weight
    for _ in range(ROUNDS):
        weighted = design * heard[:, None]
        deep = np.linalg.solve(weighted.T @ design + 1e-3 * np.eye(every.shape[-1]), weighted.T @ wanted)
        heard = weight * trusted(wanted - design @ deep, TRUSTED)
    return (every @ deep).clip(*LIGHT)[..., None]


@lru_cache(64)
def bowl(grid: tuple[int, int]) -> Values:
    """Returns what a light over blocks is made of, float64 `[rows, columns, 5]`: 1, down, across, and their squares."""
    down, across = np.meshgrid(*(np.linspace(-0.5, 0.5, side) for side in grid), indexing="ij")
    return np.stack([np.ones(grid), down, across, down**2, across**2], axis=-1)


@lru_cache(8)  # a megabyte each
def waves(grid: tuple[int, int], count: int) -> Values:
    """Returns what changes slowly over a grid, float64 `[rows, columns, count²]`: products of at most `count` - 1 half
    waves down and across, as in a cosine transform."""
    down, across = (
        np.cos(np.pi * np.arange(count) * (np.arange(side)[:, None] + 0.5) / side) for side in grid
    )
    products: Values = (down[:, None, :, None] * across[None, :, None, :]).reshape(*grid, -1)
    return products
