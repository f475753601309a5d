"""What a cloud of one colour over a picture makes of its colours: fog, smoke, light that fell in.

How thick it is changes slowly from place to place, so the outline of a recoloured thing is none of it.
"""

from __future__ import annotations

import numpy as np

from moderator.search.verify.cells import Places, Values, trusted
from moderator.search.verify.light import waves

WAVES = 5
"""Waves down, and across, that thickness is made of."""
THICKEST = 0.7
"""Most of a picture that a cloud may hide: under more, black would be white."""
SHOWS, SHOWN = 50.0, 0.5
"""Levels by which a cloud would change a place if it hid all of it, for it to be seen there, and the share of places
where it must be: white fog on white is not, and a dark thing before it could become any lighter one."""
HIDES = 0.5
"""Least share of a channel that a cloud hides where it is thickest: light that falls in adds more than it hides."""
NEAR, ROUNDS = 5.0, 8
"""Levels by which a place may be off before it counts for less, and rounds of the fit."""
RIDGE = 400.0
"""What is added to the sum of squares, in levels, for each wave: it holds the cloud thin where nothing tells it."""
HELD = np.array([1e-2, 1e-2 * 255**2])
"""The same for its colour, which is then white, and for what it hides, which is then all."""


def hazed(seen: Values, before: Values, at: Places) -> Values:
    """Returns the colours of the second picture's cells under the cloud that makes them most like those seen, fitted at
    one place of each block in turns, how thick it is and its colour; as they are where it would hardly be seen."""
    every = waves(before.shape[:2], WAVES)
    over, given, wanted = every[at], before[at], (seen - before)[at]
    colour, hides = np.full(3, 255.0), np.ones(3)
    heard = np.ones((len(given), 1))
    for _ in range(ROUNDS):
        numbers = _thickness(over, colour - hides * given, wanted, heard)
        thick = (over @ numbers).clip(0, THICKEST)[:, None]
        colour, hides = _colour(thick, given, wanted, heard)
        heard = trusted(np.abs(wanted - thick * (colour - hides * given)).max(axis=1, keepdims=True), NEAR)
    full = colour - hides * given
    if (np.abs(full).max(axis=1) > SHOWS).mean() < SHOWN:
        return before
    cloud = (every @ _thickness(over, full, wanted, heard)).clip(0, THICKEST)[..., None]
    hazy: Values = before + cloud * (colour - hides * before)
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
    return added.clip(0, 255), hides.clip(HIDES, 1.0)
