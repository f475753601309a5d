"""How the colours of two aligned pictures differ, once one change for the whole picture has been taken off.

An edit changes all colours in one way: a saturation, then a gain and an offset of each channel (brightness, contrast, a
cast, a filter, no colour at all), under a light that falls off smoothly (a vignette, a shadow). What it takes beyond
black and white is clipped. Where a thing is recoloured, no such change explains it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt

from moderator.search.verify.features import opencv
from moderator.search.verify.photometry import AGREES, Blocks, largest

Values = npt.NDArray[np.float64]
Values32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

SATURATIONS = (0.0, 0.3, 0.6, 1.0, 1.5, 2.3)
"""Saturations that are tried; 0 is greyscale."""
GAMMAS = (0.55, 0.75, 1.0, 1.35, 1.8)
"""Powers that are tried on levels in [0, 1]."""
LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""
CHROMA = np.array([[-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
"""The same of the differences of blue and of red from it (the same source)."""
TONE, HUE = 64.0, 28.0
"""Steps of brightness and of its differences, in levels, by which cells are sorted into colours."""
SHOWN = 0.25
"""Share of the cells of a colour from which on it is shown: text, stickers and captions leave something of it."""
GAINS, LIGHT = (0.35, 2.5), (0.2, 2.5)
"""Least and largest gain of a channel, and of the light."""
TINT = 0.35
"""By how much of their mean the gains of the channels may differ: white and one colour could else become any two."""
LEVELS = 12.0
"""Levels by which a block may differ from what the change for the whole picture explains."""
DARK_MEAN, BRIGHT_MEAN, FREE = 6.0, 249.0, 0.05
"""Levels below and above which a mean of a block is of clipped ones, and the share of clipped levels up to which it
tells what they were."""
BEYOND = 80.0
"""Levels that a clipped level may have been beyond the end."""
PARTS = 4
"""Largest patches that are looked at one by one."""
UNEVEN, TRUSTED = 0.15, 0.06
"""Range of the light from which the change is fitted anew beside it; by how much a block may be lighter than the light
before it counts for less."""
ROUNDS = 3
"""Rounds of the robust fit."""
FITTED = 60
"""About as many blocks the change is fitted to; it is then held against all."""


@dataclass(frozen=True, slots=True)
class Colour:
    """What one change of colours for the whole picture leaves unexplained.

    Shares are of the blocks that agree in texture (`agreeing`) or are plain in both pictures (`plain`), as far as the
    change does not clip them.

    Attributes:
        luma, plain_luma: share of blocks whose brightness differs.
        shading: how uneven the light is, the logarithm of the lightest by the darkest of it.
        chroma, plain_chroma: share of blocks whose colour differs, whatever their brightness.
        left: mean difference of colour, in levels.
        recoloured: the largest connected patch of agreeing blocks that differ in colour or brightness, as a share.
        part: blocks of the largest connected patch, agreeing or plain, that differ so and keep their outline: what is
            laid over a picture brings an outline of its own, a recoloured thing does not.
        part_left: the mean difference of colour there, in levels.
        missing: cells of the one colour of either picture that the other shows next to nowhere there. What is laid over
            a picture hides all colours alike and brings one of its own; of a recoloured thing both colours are missing.
        cast: by how much the gains of the channels differ, as a standard deviation of their logarithms.
        saturation, gamma: of the change.
        contrast: the mean colour of blocks after the change, in levels from grey: how much there was to compare.
        unexplained: what is left as a share of that, a sticker or a text not counted at its full difference.
    """

    luma: float
    plain_luma: float
    shading: float
    chroma: float
    plain_chroma: float
    left: float
    recoloured: float
    part: float
    part_left: float
    missing: float
    cast: float
    saturation: float
    gamma: float
    contrast: float
    unexplained: float


UNKNOWN = Colour(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0)
"""Of pictures that overlap in too few blocks to tell."""


def colour(compared: Blocks) -> Colour:
    """Fits one change of colours to the blocks that agree or are plain in both pictures, and measures what is left.

    Either picture may have been made of the other, and an edit brings back neither colours nor clipped levels: the
    direction is told that leaves less unexplained.
    """
    asked = compared.seen & (compared.agrees | ~compared.textured)
    if asked.sum() < 6:
        return UNKNOWN
    ours, theirs = (one[asked].astype(np.float64) for one in (compared.ours, compared.theirs))
    our_ends, their_ends = (one[:, asked].astype(np.float64) for one in (compared.our_ends, compared.their_ends))
    ways = (
        ((ours, our_ends, theirs), (compared.our_cells, compared.their_cells)),
        ((theirs, their_ends, ours), (compared.their_cells, compared.our_cells)),
    )
    known = ((_told(*way, asked, compared), cells) for way, cells in ways)
    (told, explained), cells = min(known, key=lambda one: (one[0][0].unexplained, one[0][0].left))
    return replace(told, missing=_missing(explained, cells, compared.seen))


def _told(seen: Values, ends: Values, before: Values, asked: Mask, compared: Blocks) -> tuple[Colour, _Explained]:
    """Measures what a change of the second colours into those seen leaves, of the asked blocks."""
    agrees = compared.agrees[asked]
    weight = np.where(agrees, 1.0, 0.4)
    change = _fitted(seen, ends, before, weight)
    light = _light(seen, ends, change.applied(before), asked, agrees)
    if np.ptp(light[asked]) > UNEVEN:
        change = _fitted(seen / light[asked], ends, before, weight)
        light = _light(seen, ends, change.applied(before), asked, agrees)
    raw = change.applied(before) * light[asked]
    known = _known(raw)
    told = known.sum(axis=1) >= 2
    expected = raw.clip(0, 255)
    after = expected + _beyond_clipping(seen - expected, ends)
    difference = (after - expected) @ LUMA
    # Colour is compared at the brightness of each block: that is told by itself.
    scale = ((after * expected).sum(axis=1) / np.maximum((expected**2).sum(axis=1), 1.0)).clip(0.4, 1.6)
    left = np.linalg.norm((after - expected * scale[:, None]) * known, axis=1)
    luma = np.abs(difference) > 1.5 * LEVELS
    off = left > LEVELS
    odd = off | luma
    textured, plain = told & agrees, told & ~agrees
    part, blocks = _part(_spread(asked, odd & told), compared)
    measured = Colour(
        luma=_share(luma, textured),
        plain_luma=_share(luma, plain),
        shading=float(np.log(light[asked].max() / light[asked].min())),
        chroma=_share(off, textured),
        plain_chroma=_share(off, plain),
        left=_mean(left, told),
        recoloured=float(largest(_spread(asked, odd & textured))[asked].mean()),
        part=blocks,
        part_left=_mean(left, part[asked]),
        missing=0.0,
        cast=float(np.log(change.gains).std()),
        saturation=change.saturation,
        gamma=change.gamma,
        contrast=float(_chroma(seen).mean()),
        unexplained=_mean(left.clip(max=2 * LEVELS), told) / max(_mean(_chroma(seen), told), LEVELS),
    )
    return measured, _Explained(change, light)


def _missing(explained: _Explained, cells: tuple[Values32, Values32], seen: Mask) -> float:
    """Returns how many cells the colour has that is missing most; the lesser of the two pictures' numbers."""
    after, before = cells
    side = len(after) // len(seen)
    light, asked = (one.repeat(side, 0).repeat(side, 1) for one in (explained.light, seen))
    shown = after[asked].astype(np.float64)
    expected = (explained.change.applied(before[asked].astype(np.float64)) * light[asked]).clip(0, 255)
    ends = np.stack([shown <= DARK_MEAN, shown >= BRIGHT_MEAN]).astype(np.float64)
    left = _beyond_clipping(shown - expected, ends)
    same = (np.abs(left @ LUMA) < 2 * LEVELS) & (np.linalg.norm(left @ CHROMA.T, axis=1) < LEVELS)
    return min(max(_unshown(one, same, shift) for shift in (0.0, 0.5)) for one in (expected, shown))


def _unshown(colours: Values, same: Mask, shift: float) -> float:
    """Returns the cells of the colour that is least shown in the same place, less those that are; colours are sorted by
    steps that begin `shift` of one later, as one may lie across an edge of two."""
    tones, hues = colours @ LUMA / TONE, (colours @ CHROMA.T + 128.0) / HUE
    across = int(256 / HUE) + 2
    steps = np.floor(np.column_stack([tones, hues]) + shift).astype(np.int64)
    sorted_ = (steps[:, 0] * across + steps[:, 1]) * across + steps[:, 2]
    found, shown = np.bincount(sorted_), np.bincount(sorted_, weights=same)
    return max(0.0, float((found * (1 - shown / np.maximum(found, 1) / SHOWN)).max()))


def _beyond_clipping(difference: Values, ends: Values) -> Values:
    """Returns what is left of a difference of means less what clipping explains: where some of a block's levels were
    clipped at the bright end its mean is lower than told, at the dark end it is higher, by `BEYOND` for each."""
    dark, bright = BEYOND * ends
    left: Values = np.minimum(difference + bright, 0) + np.maximum(difference - dark, 0)
    return left


def _chroma(colours: Values) -> Values:
    """Returns how far colours are from grey, in levels."""
    away: Values = np.linalg.norm(colours - (colours @ LUMA)[:, None], axis=1)
    return away


def _mean(values: Values, among: Mask) -> float:
    return float(values[among].mean()) if among.any() else 0.0


def _share(told: Mask, among: Mask) -> float:
    return int(np.count_nonzero(told & among)) / max(1, int(np.count_nonzero(among)))


def _light(seen: Values, ends: Values, raw: Values, asked: Mask, agrees: Mask) -> Values:
    """Returns by how much each block is lighter than the change alone makes it, as a plane and a bowl over the picture,
    float64 `[rows, columns, 1]`: a vignette or a shadow scales brightness and leaves colours."""
    expected = raw.clip(0, 255)
    lighter = _beyond_clipping(seen - expected, ends) @ LUMA / (expected @ LUMA + 16.0)
    every = _bowl(asked.shape)
    design = every[asked]
    weight = np.where(agrees & (_known(raw).sum(axis=1) >= 2), 1.0, 0.3)
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


def _known(raw: Values) -> Mask:
    """Returns which channels of changed colours are not clipped."""
    return (raw > -4) & (raw < 259)


def _spread(asked: Mask, values: Mask) -> Mask:
    """Returns values of the asked blocks as a mask over all blocks."""
    spread = np.zeros(asked.shape, dtype=np.bool_)
    spread[asked] = values
    return spread


def _part(odd: Mask, compared: Blocks) -> tuple[Mask, float]:
    """Returns the patch of odd blocks that has the most of them, and how many: plain ones count by the share of the
    blocks around the patch that are clear in both pictures and correlate, were it with light and dark exchanged."""
    cv2 = opencv()
    agrees = compared.agrees
    outline = compared.seen & compared.clear & (np.abs(compared.correlation) >= AGREES)
    _, labels, found, _ = cv2.connectedComponentsWithStats(odd.astype(np.uint8), connectivity=8)
    best, most = np.zeros_like(odd), 0.0
    for label in 1 + np.argsort(-found[1:, cv2.CC_STAT_AREA])[:PARTS]:
        patch = labels == label
        around = cv2.dilate(patch.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_) & ~patch
        agreeing = int((patch & agrees).sum())
        size = agreeing + _share(outline, around) * (int(patch.sum()) - agreeing)
        if size > most:
            best, most = patch, size
    return best, most


@dataclass(frozen=True, slots=True, eq=False)
class _Explained:
    """A change of colours, and the light over it by block, float64 `[rows, columns, 1]`."""

    change: _Change
    light: Values


@dataclass(frozen=True, slots=True, eq=False)
class _Change:
    saturation: float
    gamma: float
    gains: Values
    offsets: Values

    def applied(self, colours: Values) -> Values:
        """Returns changed colours, not clipped."""
        return _curved(colours, self.saturation, self.gamma) * self.gains + self.offsets


def _curved(colours: Values, saturation: float | Values, gamma: float | Values) -> Values:
    grey = (colours @ LUMA)[:, None]
    saturated = (grey + (colours - grey) * saturation).clip(0, 255)
    curved: Values = 255 * (saturated / 255) ** gamma
    return curved


TRIED = tuple(product(SATURATIONS, GAMMAS))
MILDNESS = np.array([abs(np.log(max(saturation, 0.1))) + abs(np.log(gamma)) for saturation, gamma in TRIED])
"""By how much a change is one, apart from its gains."""


def _fitted(after: Values, ends: Values, before: Values, weight: Values) -> _Change:
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
        away = np.abs(_beyond_clipping(after - (curved * gains[..., None] + offsets[..., None]).clip(0, 255), ends))
        left = away.max(axis=1)
        huber = weights * np.minimum(np.float32(1.0), np.float32(5.0) / np.maximum(left, np.float32(1e-6)))
        # What is clipped tells nothing but that it is no less.
        robust = huber[:, None] * np.where(away > 1.0, np.float32(1.0), inside)
    # Of changes that explain as much, the mildest is meant.
    cost = (weights * np.minimum(left, 25.0)).mean(axis=1) + 0.05 + 0.03 * MILDNESS
    best = int(cost.argmin())
    return _Change(*TRIED[best], gains[best].astype(np.float64), offsets[best].astype(np.float64))
