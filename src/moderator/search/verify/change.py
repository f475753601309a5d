"""The one change of colours that explains most of how two aligned pictures differ, under a light, by block.

An edit changes all colours in one way: a saturation, then a gain and an offset of each channel (brightness, contrast, a
cast, a filter, no colour at all), under a light that falls off smoothly (a vignette, a shadow). What it takes beyond
black and white is clipped. Colours are those of cells, small enough that few hold both what is clipped and what is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from moderator.search.verify.features import opencv
from moderator.search.verify.geometry import Mask

Values = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Places = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Rows and columns of cells."""
Levels = TypeVar("Levels", Values, Singles)
AnyArray = TypeVar("AnyArray", Values, Mask)

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
"""Levels up to and from which a mean is of clipped ones, and the share of clipped levels up to which it tells what they
were."""
BEYOND = 80.0
"""Levels that a clipped level may have been beyond the end."""
UNEVEN, TRUSTED = 0.15, 0.06
"""Range of the light from which the change is fitted anew beside it; by how much a block may be lighter than the light
before it counts for less."""
LEAST, APART = 10, np.float32(4.0)
"""Pairs of cells from which a line is told, and by how many levels the two of one differ."""
RIDGE = 20.0
"""Variance, in levels, that is added to what there is: it holds the gain near 1 where no contrast tells it."""
ALL = np.arange(256.0)
"""All levels of a channel."""
POSTERISED = (2, 3, 4, 5, 6, 8)
"""Numbers of levels that a picture is posterised to."""
SOFT = 6.0
"""Levels by which the pixels of a cell differ from its mean, as a standard deviation: its mean is no level of its own."""
PLAINLY = 0.8
"""The share of the least difference from which on two pictures are that posterising must leave at most."""
ROUNDS = 3
"""Rounds of the robust fit."""
FITTED = 240
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
    """One picture's colours as a change, and a light over it, make them of the other's.

    Attributes:
        light: float64 `[rows, columns, 1]`, by block.
        seen, expected: float64 `[n * rows, n * columns, 3]`, by cell; what is expected is clipped.
        kept: bool, the channels that the change does not clip.
        left: float64 `[rows, columns, 3]`, by how much what is seen of a block is more than what is expected, beyond
            clipping.
    """

    change: Change
    light: Values
    seen: Values
    expected: Values
    kept: Mask
    left: Values


def explained(seen: Values, ends: Values, before: Values, asked: Mask, agrees: Mask, at: Places) -> Explained:
    """Returns the change, and the light, of the second picture's colours into those seen.

    Args:
        seen, before: float64 `[n * rows, n * columns, 3]`, by cell.
        ends: float64 `[2, rows, columns, 3]`, the share of levels of those seen that stand at 0, and at 255.
        asked: bool `[rows, columns]`, the blocks that are fitted to, those that agree counting for more.
        agrees: bool `[rows, columns]`.
        at: where a cell of each of them lies that stands for it where it is partly clipped; see `amid`.
    """
    shown, clipped, given = _samples(seen, ends, before, asked, at)
    weight = np.where(agrees[asked], 1.0, 0.4)
    change, even = _fitted(shown, clipped, given, weight), np.ones((*asked.shape, 1))
    light = _light(_explained(change, even, seen, ends, before), asked, agrees)
    if np.ptp(light[asked]) > UNEVEN:
        change = _fitted(shown / light[asked], clipped, given, weight)
        light = _light(_explained(change, even, seen, ends, before), asked, agrees)
    return _explained(change, light, seen, ends, before)


def _explained(change: Change, light: Values, seen: Values, ends: Values, before: Values) -> Explained:
    raw = change.applied(before) * spread(light, seen)
    expected = raw.clip(0, 255)
    left = beyond_clipping(by_block(seen - expected, ends.shape[1:3]), ends)
    return Explained(change, light, seen, expected, (raw > -4) & (raw < 259), left)


def amid(ours: Values, theirs: Values, asked: Mask) -> Places:
    """Returns where the cell lies, of each block asked, that is most like those around it in both pictures: it holds no
    edge of what is clipped."""
    cv2 = opencv()
    around = np.ones((3, 3), np.uint8)
    levels = (one.astype(np.uint8) for one in (ours, theirs))
    edges = (cv2.morphologyEx(one, cv2.MORPH_GRADIENT, around).max(axis=2) for one in levels)
    rough = np.add(*edges, dtype=np.int64)
    (rows, columns), side = asked.shape, len(ours) // len(asked)
    inside = rough.reshape(rows, side, columns, side).transpose(0, 2, 1, 3).reshape(rows, columns, -1)
    down, across = (one[asked] for one in np.divmod(inside.argmin(axis=2), side))
    row, column = np.nonzero(asked)
    return side * row + down, side * column + across


def posterised(seen: Values, before: Values, at: Places) -> Values | None:
    """Returns the colours of the second picture's cells as they are where it is posterised, if that makes them clearly
    more like those seen; None where it does not. They are compared at one place of each block."""
    shown, given = seen[at], before[at]
    away = shown - given
    plain = np.abs(away - np.median(away, axis=0)).mean()
    curves = _posterising()
    left = [np.abs(shown - np.interp(given, ALL, curve)).mean() for curve in curves]
    best = int(np.argmin(left))
    return np.interp(before, ALL, curves[best]) if left[best] < PLAINLY * plain else None


@cache
def _posterising() -> Values:
    """Returns what posterising makes of each level, float64 `[ways, 256]`: editors leave the lowest level of each step,
    or spread the steps from black to white, and those are as wide as each other or have a level in their middle."""
    steps = [(np.floor(ALL * count / 256), count) for count in POSTERISED]
    lowest = [step * 256 / count for step, count in steps]
    spread = [step * 255 / (count - 1) for step, count in steps]
    middle = [np.rint(ALL * (count - 1) / 255) * 255 / (count - 1) for count in POSTERISED]
    cv2 = opencv()
    soft: Values = cv2.GaussianBlur(np.array([*lowest, *spread, *middle]), (0, 1), SOFT, borderType=cv2.BORDER_REPLICATE)
    return soft


def _samples(seen: Values, ends: Values, before: Values, asked: Mask, at: Places) -> tuple[Values, Values, Values]:
    """Returns what a change is fitted to, of each block asked its mean, or where part of it is clipped a cell, which is
    clipped as a whole or not: those seen `[n, 3]`, how much of them is clipped `[2, n, 3]`, and those before."""
    mixed = (ends.sum(axis=0) > FREE)[asked].any(axis=1)[:, None]
    shown, given = (np.where(mixed, one[at], by_block(one, asked.shape)[asked]) for one in (seen, before))
    return shown, np.where(mixed, at_ends(shown), ends[:, asked]), given


def at_ends(means: Values) -> Values:
    """Returns which means are of levels that stand at 0, and which at 255, as shares of 0 and 1, float64 `[2, ...]`."""
    return np.stack([means <= DARK_MEAN, means >= BRIGHT_MEAN]).astype(np.float64)


def spread(blocks: AnyArray, cells: npt.NDArray[Any]) -> AnyArray:
    """Returns values of blocks `[rows, columns, ...]` for each of their cells."""
    side = len(cells) // len(blocks)
    every: AnyArray = blocks.repeat(side, axis=0).repeat(side, axis=1)
    return every


def by_block(cells: npt.NDArray[Any], grid: tuple[int, ...]) -> Values:
    """Returns the mean of the cells of each block, of so many rows and columns, float64 `[rows, columns, channels]`."""
    cv2 = opencv()
    rows, columns = grid
    # A third of the time of a mean over two axes.
    means: Values = cv2.resize(cells.astype(np.float64), (columns, rows), interpolation=cv2.INTER_AREA)
    return means


def beyond_clipping(difference: Levels, ends: Levels) -> Levels:
    """Returns what is left of a difference of means less what clipping explains: where some of the levels were clipped
    at the bright end the mean is lower than told, at the dark end it is higher, by `BEYOND` for each."""
    dark, bright = BEYOND * ends
    left: Levels = np.minimum(difference + bright, 0) + np.maximum(difference - dark, 0)
    return left


def _light(told: Explained, asked: Mask, agrees: Mask) -> Values:
    """Returns by how much each block is lighter than the change alone makes it, as a plane and a bowl over the picture,
    float64 `[rows, columns, 1]`: a vignette or a shadow scales brightness and leaves colours."""
    expected, kept = (by_block(cells, asked.shape)[asked] for cells in (told.expected, told.kept))
    left = told.left[asked]
    lighter = left @ LUMA / (expected @ LUMA + 16.0)
    every = _bowl(asked.shape)
    design = every[asked]
    weight = np.where(agrees[asked] & ((kept >= 0.5).sum(axis=1) >= 2), 1.0, 0.3)
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
    grey = (colours @ LUMA)[..., None]
    saturated = (grey + (colours - grey) * saturation).clip(0, 255)
    curved: Values = 255 * (saturated / 255) ** gamma
    return curved


TRIED = tuple(product(SATURATIONS, GAMMAS))
MILDNESS = np.array([abs(np.log(max(saturation, 0.1))) + abs(np.log(gamma)) for saturation, gamma in TRIED])
"""By how much a change is one, apart from its gains."""


def _fitted(after: Values, ends: Values, before: Values, weight: Values) -> Change:
    """Returns the change of the second colours into the first that explains most: for each saturation and power, gains
    and offsets by reweighted least squares, less what is clipped, of each channel and of all together."""
    every = max(1, len(after) // FITTED)
    after, ends, before, weight = after[::every], ends[:, ::every], before[::every], weight[::every]
    saturations, gammas = np.array(SATURATIONS)[:, None, None, None], np.array(GAMMAS)[:, None, None]
    every_way = _curved(before, saturations, gammas).reshape(len(TRIED), *before.shape)
    curved = np.ascontiguousarray(every_way.transpose(0, 2, 1), dtype=np.float32)  # [tried, channels, cells]
    seen = np.ascontiguousarray(after.T, dtype=np.float32)
    clipped = np.ascontiguousarray(ends.transpose(0, 2, 1), dtype=np.float32)
    weights = weight.astype(np.float32)
    free = clipped.sum(axis=0) <= FREE
    gains, offsets = _line(curved, seen, free)
    curved = np.concatenate([curved, curved])
    for _ in range(ROUNDS):
        _, trusted = _held(seen, clipped, free, curved * gains[..., None] + offsets[..., None])
        robust = weights * trusted
        total = _together(robust.sum(axis=2))
        mean_before = _together(np.einsum("tcn,tcn->tc", robust, curved)) / total
        mean_after = _together(np.einsum("tcn,cn->tc", robust, seen)) / total
        away = curved - mean_before[..., None]
        weighted = robust * away
        rise = _together(np.einsum("tcn,tcn->tc", weighted, seen - mean_after[..., None]))
        run = _together(np.einsum("tcn,tcn->tc", weighted, away))
        ridge = RIDGE * total
        gains = _tinted((rise + ridge) / (run + ridge))
        offsets = mean_after - gains * mean_before
    left, _ = _held(seen, clipped, free, curved * gains[..., None] + offsets[..., None])
    # Of changes that explain as much, the mildest is meant.
    cost = (weights * np.minimum(left, 25.0)).mean(axis=1) + 0.03 * np.tile(MILDNESS, 2)
    best = int(cost.argmin())
    return Change(*TRIED[best % len(TRIED)], gains[best].astype(np.float64), offsets[best].astype(np.float64))


def _tinted(gains: npt.NDArray[np.floating[Any]]) -> Singles:
    """Returns gains of channels that differ by no more than `TINT` of their mean."""
    middle = gains.mean(axis=1, keepdims=True).clip(*GAINS)
    return gains.clip(middle * (1 - TINT), middle * (1 + TINT)).astype(np.float32)


def _held(seen: Singles, clipped: Singles, free: Mask, raw: Singles) -> tuple[Singles, Singles]:
    """Returns what each way leaves of each cell, in levels, `[tried, cells]`, and how far each channel of it is trusted
    from then on, `[tried, channels, cells]`: what is clipped, or should be, tells nothing but that it is no less."""
    away = np.abs(beyond_clipping(seen - raw.clip(0, 255), clipped))
    left = away.max(axis=1)
    trusted = np.minimum(np.float32(1.0), np.float32(5.0) / np.maximum(left, np.float32(1e-6)))
    tells = (raw > 0) & (raw < 255) & (free | (away > 1.0))
    return left, trusted[:, None] * np.where(tells, np.float32(1.0), np.float32(1e-4))


def _line(curved: Singles, seen: Singles, free: Mask) -> tuple[Singles, Singles]:
    """Returns the gain and the offset, `[2 * tried, 1]`, of most pairs of cells that are not clipped (Theil, 1950; Sen,
    1968), from which the fit starts: cells that hold an edge of what is clipped are few, but lie far out."""
    first = np.arange(seen.shape[1])
    rises, runs = [], []
    for shift in (len(first) // 3, len(first) // 2):
        second = np.roll(first, shift)
        channel, at = np.nonzero(free & free[:, second])
        rises.append(seen[channel, at] - seen[channel, second[at]])
        runs.append(curved[:, channel, at] - curved[:, channel, second[at]])
    rise, run = np.concatenate(rises), np.concatenate(runs, axis=1)
    apart = np.abs(rise) > APART
    gain = np.ones(len(curved), np.float32)
    if np.count_nonzero(apart) >= LEAST:
        rise, run = rise[apart], run[:, apart]
        gain = np.median(rise * np.sign(run) / np.maximum(np.abs(run), APART), axis=1).clip(*GAINS)
    channel, at = np.nonzero(free)
    between = seen[channel, at] - curved[:, channel, at] * gain[:, None]
    offset = np.median(between, axis=1) if len(at) else np.zeros_like(gain)
    return np.tile(gain, 2)[:, None], np.tile(offset, 2)[:, None]


def _together(sums: Singles) -> Singles:
    """Adds up the channels of the second half of what is tried, which has one gain and one offset for all of them: a
    thing of one colour on white tells that better than a gain of each channel."""
    half = len(sums) // 2
    sums[half:] = sums[half:].sum(axis=1, keepdims=True)
    return sums
