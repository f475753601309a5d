"""What a cloud of one colour over a picture makes of its colours: fog, light that fell in, shade around a spotlight.

How thick it is changes slowly from place to place, so the outline of a recoloured thing is none of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moderator.search.verify.cells import Places, Values, most, trusted
from moderator.search.verify.light import waves
from moderator.search.verify.photometry import WHITE

WAVES = 6
"""Waves down, and across, that thickness is made of."""
SHOWS, SHOWN = 50.0, 0.5
"""Levels by which a cloud would change a place if it hid all of it, for it to be seen there, and the share of places
where it must be: white fog and any light on white are not, and a dark thing before it could become any lighter one."""
NEAR, ROUNDS = 5.0, 8
"""Levels by which a place may be off before it counts for less, and rounds of the fit."""
RIDGE = 400.0
"""What is added to the sum of squares, in levels, for each wave: it holds the cloud thin where nothing tells it."""
HELD = np.array([1e-2, 1e-2 * 255**2])
"""The same for its colour, which is then white, and for what it hides, which is then all."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """A kind of cloud.

    Attributes:
        thickest: most of a picture that it may hide: under more, black would be white.
        hides: least share of a channel that it hides where it is thickest.
        black: whether it is black and hides all channels alike; else its colour is fitted, from white on.
    """

    thickest: float
    hides: float
    black: bool = False


FOG, GLOW, SHADE = Cloud(0.7, 0.5), Cloud(0.95, 0.0), Cloud(0.85, 1.0, black=True)
"""Fog hides what is behind it, light that falls in adds more than it hides, shade adds nothing."""


def hazed(seen: Values, before: Values, at: Places, cloud: Cloud = FOG) -> Values:
    """Returns the colours of the second picture's cells under the cloud that makes them most like those seen, fitted at
    one place of each block in turns, how thick it is and its colour; as they are where it would hardly be seen."""
    every = waves(before.shape[:2], WAVES)
    over, given, wanted = every[at], before[at], (seen - before)[at]
    colour, hides = np.full(3, 0.0 if cloud.black else 255.0), np.ones(3)
    heard = np.ones((len(given), 1))
    for _ in range(ROUNDS):
        numbers = _thickness(over, colour - hides * given, wanted, heard)
        thick = (over @ numbers).clip(0, cloud.thickest)[:, None]
        if not cloud.black:
            colour, hides = _colour(thick, given, wanted, heard)
            hides = hides.clip(cloud.hides, 1.0)
        adds = thick * (colour - hides * given)
        left = np.where((given + adds >= WHITE) & (given + wanted >= WHITE), 0.0, np.abs(wanted - adds))
        heard = trusted(most(left), NEAR)[:, None]
    full = colour - hides * given
    if (most(np.abs((given + full).clip(0, 255) - given)) > SHOWS).mean() < SHOWN:
        return before
    thickness = (every @ _thickness(over, full, wanted, heard)).clip(0, cloud.thickest)[..., None]
    hazy: Values = before + thickness * (colour - hides * before)
    return hazy


def _thickness(over: Values, full: Values, wanted: Values, heard: Values) -> Values:
    """Returns how much of each wave is in a cloud that would change places by `full` if it hid all of them."""
    weighted = over * (heard * full**2).sum(axis=1, keepdims=True)
    numbers: Values = np.linalg.solve(
        weighted.T @ over + RIDGE * np.eye(over.shape[1]), over.T @ (heard * full * wanted).sum(axis=1)
    )
    return numbers


def _colour(thick: Values, given: Values, wanted: Values, heard: Values) -> tuple[Values, Values]:
    """Returns what a cloud so thick adds to each channel where it is thickest, and the share that it hides of it."""
    design = np.stack([np.broadcast_to(thick, given.shape), -thick * given], axis=-1).transpose(1, 0, 2)
    weighted = (design * heard).transpose(0, 2, 1)
    aim = (weighted @ wanted.T[..., None])[..., 0] + HELD * (255.0, 1.0)
    added, hides = np.linalg.solve(weighted @ design + np.diag(HELD), aim[..., None])[..., 0].T
    return added.clip(0, 255), hides
