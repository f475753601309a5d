"""The one change of colours that explains most of how two aligned pictures differ, under a light, by block.

An edit changes all colours in one way: a saturation, then a curve of each channel, which is a line (brightness,
contrast, a cast, no colour at all) with a slight bend (a filter), under a light that falls off smoothly (`light.py`).
What it takes beyond black and white is clipped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from moderator.search.verify.cells import (
    LUMA,
    Places,
    Singles,
    Values,
    at_ends,
    beyond_clipping,
    by_block,
    most,
    spread,
    trusted,
)
from moderator.search.verify.geometry import Mask
from moderator.search.verify.light import lit
from moderator.search.verify.ways import GREYS, MILDNESS, POWERS, TRIED, Ways, toned

GAINS = (0.35, 2.5)
"""Least and largest gain of a channel."""
TINT, SHIFT = 0.35, np.float32(30.0)
"""By how much of their mean the gains of the channels may differ from it, and their offsets by how many levels: white
and one colour could else become any two."""
AWAY = np.float32(25.0)
"""Levels by which a channel may move even the tone, of those from black to white, that it moves least. A change that
leaves no tone about as it was makes a thing of one colour on white, which is clipped, any other, and is no edit's."""
MOVED = 128.0
"""Levels by which it may move the tone that it moves most: more for 1% of 876 copies, most of them equalised, which is
told by itself, and for 7% of 638 variants. Black trousers were white ones."""
BENT, HELD = 20.0, 1e-3
"""Most levels by which the middle tones of a channel are bent, and the variance that is added to what there is of them:
it holds the bend near 0 where all tones are alike."""
FREE = 0.05
"""Share of clipped levels up to which the mean of a block tells what they were."""
UNEVEN, RELIT = 0.15, 3
"""Range of the light from which the change is fitted anew beside it, and how often: each hides a part of the other."""
PROMISING = 30
"""How many ways are tried again under another light, those that explained most before."""
DOUBTED = 0.4
"""Weight of a block that does not agree, beside one that does."""
LEAST, APART = 10, np.float32(4.0)
"""Pairs of cells from which a line is told, and by how many levels the two of one differ."""
RIDGE = 20.0
"""Variance, in levels, that is added to what there is: it holds the gain near 1 where no contrast tells it."""
NEAR = 5.0
"""Levels by which a cell may be off before it counts for less."""
ROUNDS = 3
"""Rounds of the robust fits."""
PLAINLY = 24.0
"""Levels from black or white from which a cell is plainly not clipped."""
FITTED = 240
"""About as many blocks the change is fitted to; it is then held against all."""


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """A saturation, then a power, then a gain, an offset and a bend of each channel.

    Attributes:
        gains, offsets: float64 `[3]`, the latter in levels.
        grey: float64 `[3]`, the weights of the channels in grey.
        bends: float64 `[3]`, the levels that are added to the middle tones; less to others, none to black and white.
        chords: float64 `[2, 3]`, the offset and the gain that a bend of one level would seem to have by itself; they
            are taken off it.
    """

    saturation: float
    gamma: float
    grey: Values
    gains: Values
    offsets: Values
    bends: Values
    chords: Values

    def applied(self, colours: Values) -> Values:
        """Returns changed colours, not clipped."""
        line = toned(colours, self.grey, self.saturation, self.gamma) * self.gains + self.offsets
        changed: Values = line + self.bends * (_middle(line) - self.chords[0] - self.chords[1] * line)
        return changed


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """One picture's colours as a change, and a light over it, make them of the other's.

    Attributes:
        light: float64 `[rows, columns, 1]`, by block.
        seen, expected: float64 `[n * rows, n * columns, 3]`, by cell; what is expected is clipped.
        kept: bool, the channels that the change does not clip, or wrongly.
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
    weight = np.where(agrees[asked], 1.0, DOUBTED)
    light = even = np.ones((*asked.shape, 1))
    some = np.s_[:: max(1, len(shown) // FITTED)]
    ways = Ways.of(given[some])
    for _ in range(1 + RELIT):
        change, best = _fitted((shown / light[asked])[some], clipped[:, some], ways, weight[some])
        light = _light(_explained(change, even, seen, ends, before), asked, agrees)
        if np.ptp(light[asked]) <= UNEVEN:
            break
        ways = ways.among(best[:PROMISING])
    bent = _bent(_explained(change, light, seen, ends, before), before, asked, weight)
    return _explained(bent, light, seen, ends, before)


def unchanged(seen: Values, ends: Values, before: Values) -> Explained:
    """Returns what no change at all explains; see `explained`."""
    same = Change(1.0, 1.0, LUMA, np.ones(3), np.zeros(3), np.zeros(3), np.zeros((2, 3)))
    return _explained(same, np.ones((*ends.shape[1:3], 1)), seen, ends, before)


def _light(told: Explained, asked: Mask, agrees: Mask) -> Values:
    """Returns the light that a change leaves to be explained, which is told without one."""
    dark, kept = (by_block(cells, asked.shape)[asked] for cells in (told.expected, told.kept))
    weight = np.where(agrees[asked] & ((kept >= 0.5).sum(axis=1) >= 2), 1.0, 0.3)
    return lit(dark, dark + told.left[asked], asked, weight)


def _bent(told: Explained, before: Values, asked: Mask, weight: Values) -> Change:
    """Returns the change with the bends that explain most of what it leaves, and leave its gains and offsets."""
    line = told.change.applied(by_block(before, asked.shape)[asked]).T  # [channels, blocks]
    left = (told.left[asked] / told.light[asked]).T
    given = weight * (by_block(told.kept, asked.shape)[asked].T >= 0.5) + 1e-6
    straight = np.stack([np.ones_like(line), line], axis=-1)
    weighted = (given[..., None] * straight).transpose(0, 2, 1)
    middle = _middle(line)[..., None]
    chords = np.linalg.solve(weighted @ straight + 1e-6 * np.eye(2), weighted @ middle).astype(np.float64)
    away = (middle - straight @ chords)[..., 0]
    robust = given
    for _ in range(ROUNDS):
        bends = (robust * away * left).sum(axis=1) / ((robust * away**2).sum(axis=1) + HELD * given.sum(axis=1))
        robust = given * trusted(left - bends[:, None] * away, NEAR)
    return replace(told.change, bends=bends.clip(-BENT, BENT), chords=chords[..., 0].T)


def _middle(levels: Values) -> Values:
    """Returns how far levels are from black and from white: 1 in the middle, 0 at either end."""
    share = (levels / 255).clip(0, 1)
    middle: Values = 4 * share * (1 - share)
    return middle


def _explained(change: Change, light: Values, seen: Values, ends: Values, before: Values) -> Explained:
    raw = change.applied(before) * spread(light, seen)
    expected = raw.clip(0, 255)
    left = beyond_clipping(by_block(seen - expected, ends.shape[1:3]), ends)
    # Where a change would clip what is seen not to be clipped, it is wrong, and that counts.
    kept = np.where(seen < expected, (raw < 259) | (seen < 255 - PLAINLY), (raw > -4) | (seen > PLAINLY))
    return Explained(change, light, seen, expected, kept, left)


def _samples(seen: Values, ends: Values, before: Values, asked: Mask, at: Places) -> tuple[Values, Values, Values]:
    """Returns what a change is fitted to, of each block asked its mean, or where part of it is clipped a cell, which is
    clipped as a whole or not: those seen `[n, 3]`, how much of them is clipped `[2, n, 3]`, and those before."""
    mixed = (ends.sum(axis=0) > FREE)[asked].any(axis=1)[:, None]
    shown, given = (np.where(mixed, one[at], by_block(one, asked.shape)[asked]) for one in (seen, before))
    return shown, np.where(mixed, at_ends(shown), ends[:, asked]), given


def _fitted(after: Values, ends: Values, ways: Ways, weight: Values) -> tuple[Change, npt.NDArray[np.int64]]:
    """Returns the change of some colours into others that explains most, and the places of all ways, the best first.

    For each of them gains and offsets are told by reweighted least squares, less what is clipped, of each channel and
    of all together.
    """
    seen = np.ascontiguousarray(after.T, dtype=np.float32)
    clipped = np.ascontiguousarray(ends.transpose(0, 2, 1), dtype=np.float32)
    weights = weight.astype(np.float32)
    free = clipped.sum(axis=0) <= FREE
    gains, offsets = _line(ways.curved, seen, free)
    curved = np.concatenate([ways.curved, ways.curved])
    for _ in range(ROUNDS):
        _, tells = _held(seen, clipped, free, curved * gains[..., None] + offsets[..., None])
        robust = weights * tells
        total = _together(robust.sum(axis=2))
        mean_before = _together(np.einsum("tcn,tcn->tc", robust, curved)) / total
        mean_after = _together(np.einsum("tcn,cn->tc", robust, seen)) / total
        away = curved - mean_before[..., None]
        weighted = robust * away
        rise = _together(np.einsum("tcn,tcn->tc", weighted, seen - mean_after[..., None]))
        run = _together(np.einsum("tcn,tcn->tc", weighted, away))
        ridge = RIDGE * total
        gains = _tinted((rise + ridge) / (run + ridge))
        meant = mean_after - gains * mean_before
        offsets = _bounded(gains, meant)
        # Where an offset was held back, the gain that explains most beside it is another one.
        beside = (rise + total * mean_before * (mean_after - offsets)) / (run + total * mean_before**2 + 1e-6)
        gains = _tinted(np.where(offsets == meant, gains, beside))
    far = _moved(np.tile(POWERS[ways.numbers], 2), gains, offsets) > MOVED
    gains[far], offsets[far] = 1.0, 0.0
    left, _ = _held(seen, clipped, free, curved * gains[..., None] + offsets[..., None])
    # Of changes that explain as much, the mildest is meant.
    cost = (weights * np.minimum(left, 25.0)).mean(axis=1) + 0.03 * np.tile(MILDNESS[ways.numbers], 2)
    best, count = int(cost.argmin()), len(ways.numbers)
    grey, saturation, gamma = TRIED[ways.numbers[best % count]]
    line = gains[best].astype(np.float64), offsets[best].astype(np.float64)
    order = np.argsort(np.minimum(cost[:count], cost[count:]), kind="stable")
    return Change(saturation, gamma, GREYS[grey], *line, np.zeros(3), np.zeros((2, 3))), order


def _moved(gammas: Values, gains: Singles, offsets: Singles) -> Values:
    """Returns by how many levels each way moves the grey tone, from black to white, that it moves most, `[tried]`."""
    tones = np.linspace(0, 1, 17)
    curved = 255 * tones ** gammas[:, None, None]
    away: Values = np.abs((curved * gains[..., None] + offsets[..., None]).clip(0, 255) - 255 * tones)
    most: Values = away.max(axis=(1, 2))
    return most


def _tinted(gains: npt.NDArray[np.floating[Any]]) -> Singles:
    """Returns gains of channels that differ by no more than `TINT` of their mean."""
    middle = gains.mean(axis=1, keepdims=True).clip(*GAINS)
    return gains.clip(middle * (1 - TINT), middle * (1 + TINT)).astype(np.float32)


def _bounded(gains: Singles, offsets: Singles) -> Singles:
    """Returns offsets that lie together, and with which some tone, black and white among them, becomes about itself."""
    middle = offsets.mean(axis=1, keepdims=True)
    together = offsets.clip(middle - SHIFT, middle + SHIFT)
    white = 255 * (1 - gains)
    near: Singles = together.clip(np.minimum(white, 0) - AWAY, np.maximum(white, 0) + AWAY)
    return near


def _held(seen: Singles, clipped: Singles, free: Mask, raw: Singles) -> tuple[Singles, Singles]:
    """Returns what each way leaves of each cell, in levels, `[tried, cells]`, and how far each channel of it is trusted
    from then on, `[tried, channels, cells]`: what is clipped, or should be, tells nothing but that it is no less."""
    away = np.abs(beyond_clipping(seen - raw.clip(0, 255), clipped))
    left: Singles = most(np.moveaxis(away, 1, -1))
    tells = (raw > 0) & (raw < 255) & (free | (away > 1.0))
    return left, trusted(left, NEAR)[:, None] * np.where(tells, np.float32(1.0), np.float32(1e-4))


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
