"""How the colours of two aligned pictures differ, once one change for the whole picture has been taken off.

An edit changes all colours in one way: a saturation, then a gain and an offset of each channel (brightness, contrast, a
cast, a filter, no colour at all). Where a thing is recoloured, no such change explains it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from moderator.search.verify.features import opencv
from moderator.search.verify.photometry import Blocks

Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SATURATIONS = (0.0, 0.3, 0.6, 1.0, 1.5, 2.3)
"""Saturations that are tried; 0 is greyscale."""
GAMMAS = (0.55, 0.75, 1.0, 1.35, 1.8)
"""Powers that are tried on levels in [0, 1]."""
LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""
GAINS = (0.35, 2.5)
"""Least and largest gain of a channel."""
TINT = 0.35
"""By how much of their mean the gains of the channels may differ: white and one colour could else become any two."""
LEVELS = 12.0
"""Levels by which a block may differ from what the change for the whole picture explains."""
ROUNDS = 4
"""Rounds of the robust fit."""
FITTED = 120
"""About as many blocks the change is fitted to; it is then held against all."""


@dataclass(frozen=True, slots=True)
class Colour:
    """What one change of colours for the whole picture leaves unexplained.

    Shares are of the blocks that agree in texture (`agreeing`) or are plain in both pictures (`plain`), as far as the
    change does not clip them.

    Attributes:
        luma, plain_luma: share of blocks whose brightness differs.
        shading: the same, when brightness may also change smoothly over the picture (a vignette, a shadow).
        chroma, plain_chroma: share of blocks whose colour differs, whatever their brightness.
        left: mean difference of colour, in levels.
        recoloured: the largest connected patch of agreeing blocks that differ in colour or brightness, as a share.
        cast: by how much the gains of the channels differ, as a standard deviation of their logarithms.
        saturation, gamma: of the change.
        contrast: the mean colour of the second picture's blocks, in levels from grey: how much there was to compare.
    """

    luma: float
    plain_luma: float
    shading: float
    chroma: float
    plain_chroma: float
    left: float
    recoloured: float
    cast: float
    saturation: float
    gamma: float
    contrast: float


UNKNOWN = Colour(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0)
"""Of pictures that overlap in too few blocks to tell."""


def colour(compared: Blocks) -> Colour:
    """Fits one change of colours to the blocks that agree or are plain in both pictures, and measures what is left."""
    asked = compared.seen & (compared.agrees | ~compared.textured)
    if asked.sum() < 6:
        return UNKNOWN
    ours, theirs = compared.ours[asked].astype(np.float64), compared.theirs[asked].astype(np.float64)
    agrees = compared.agrees[asked]
    change = _fitted(ours, theirs, np.where(agrees, 1.0, 0.4))
    raw = change.applied(theirs)
    told = ((raw > -4) & (raw < 259)).all(axis=1)
    expected = raw.clip(0, 255)
    bright, dark = ours @ LUMA, expected @ LUMA
    # A vignette or a shadow scales a block's brightness and leaves its colour.
    scale = ((ours * expected).sum(axis=1) / np.maximum((expected**2).sum(axis=1), 1.0)).clip(0.4, 1.6)
    left = np.linalg.norm(ours - expected * scale[:, None], axis=1)
    luma = np.abs(bright - dark) > 1.5 * LEVELS
    shaded = np.abs(_smooth(bright - dark, asked, told & agrees)) > 1.5 * LEVELS
    odd = (left > LEVELS) | shaded
    textured, plain = told & agrees, told & ~agrees
    return Colour(
        luma=_share(luma, textured),
        plain_luma=_share(luma, plain),
        shading=_share(shaded, textured),
        chroma=_share(left > LEVELS, textured),
        plain_chroma=_share(left > LEVELS, plain),
        left=float(left[told].mean()) if told.any() else 0.0,
        recoloured=_patch(asked, odd & textured),
        cast=float(np.log(change.gains).std()),
        saturation=change.saturation,
        gamma=change.gamma,
        contrast=float(np.linalg.norm(theirs - (theirs @ LUMA)[:, None], axis=1).mean()),
    )


def _share(differs: Mask, among: Mask) -> float:
    return float(differs[among].mean()) if among.any() else 0.0


def _smooth(left: Values, asked: Mask, trusted: Mask) -> Values:
    """Returns what a plane and a bowl over the picture leave of a difference in brightness."""
    rows, columns = np.nonzero(asked)
    down, across = rows / max(asked.shape[0] - 1, 1) - 0.5, columns / max(asked.shape[1] - 1, 1) - 0.5
    design = np.stack([np.ones(len(left)), down, across, down**2 + across**2], axis=1)
    rest = left
    for _ in range(ROUNDS):
        weight = np.where(trusted, 1.0, 0.3) * np.minimum(1.0, 8.0 / np.maximum(np.abs(rest), 1e-6))
        weighted = design * weight[:, None]
        rest = left - design @ np.linalg.solve(weighted.T @ design + 1e-3 * np.eye(4), weighted.T @ left)
    return rest


def _patch(asked: Mask, differs: Mask) -> float:
    cv2 = opencv()
    odd = np.zeros(asked.shape, dtype=np.uint8)
    odd[asked] = differs
    count, _, found, _ = cv2.connectedComponentsWithStats(odd, connectivity=8)
    return float(found[1:, cv2.CC_STAT_AREA].max() / asked.sum()) if count > 1 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Change:
    saturation: float
    gamma: float
    gains: Values
    offsets: Values

    def applied(self, colours: Values) -> Values:
        """Returns changed colours, not clipped."""
        return _curved(colours, self.saturation, self.gamma) * self.gains + self.offsets


def _curved(colours: Values, saturation: float, gamma: float) -> Values:
    grey = (colours @ LUMA)[:, None]
    saturated = (grey + (colours - grey) * saturation).clip(0, 255)
    curved: Values = 255 * (saturated / 255) ** gamma
    return curved


TRIED = tuple(product(SATURATIONS, GAMMAS))


def _fitted(ours: Values, theirs: Values, weight: Values) -> _Change:
    """Returns the change that explains most: for each saturation and power, gains and offsets by reweighted least
    squares, less what would be clipped."""
    every = max(1, len(ours) // FITTED)
    ours, theirs, weight = ours[::every], theirs[::every], weight[::every]
    every_way = np.stack([_curved(theirs, *one) for one in TRIED])
    curved = np.ascontiguousarray(every_way.transpose(0, 2, 1), dtype=np.float32)  # [tried, channels, blocks]
    inside = ((ours > 6) & (ours < 249)).all(axis=1)
    weights = (weight * np.where(inside, 1.0, 0.1)).astype(np.float32)
    ours = np.ascontiguousarray(ours.T, dtype=np.float32)
    robust = np.broadcast_to(weights, (len(TRIED), len(weights)))
    for _ in range(ROUNDS):
        total = robust.sum(axis=1, keepdims=True)
        mean_theirs = np.einsum("tn,tcn->tc", robust, curved) / total
        mean_ours = robust @ ours.T / total
        away = curved - mean_theirs[..., None]
        weighted = robust[:, None] * away
        # The ridge holds the gain near 1 where there is no contrast to fit it to.
        ridge = np.float32(20.0) * total
        gains = (np.einsum("tcn,cn->tc", weighted, ours) + ridge) / (
            np.einsum("tcn,tcn->tc", weighted, away) + ridge
        )
        middle = gains.mean(axis=1, keepdims=True).clip(*GAINS)
        gains = gains.clip(middle * (1 - TINT), middle * (1 + TINT))
        offsets = mean_ours - gains * mean_theirs
        left = np.abs(ours - (curved * gains[..., None] + offsets[..., None]).clip(0, 255)).max(axis=1)
        robust = weights * np.minimum(np.float32(1.0), np.float32(5.0) / np.maximum(left, np.float32(1e-6)))
    # Of changes that explain as much, the mildest is meant.
    mildness = [abs(np.log(max(saturation, 0.1))) + abs(np.log(gamma)) for saturation, gamma in TRIED]
    cost = (weights * np.minimum(left, 25.0)).mean(axis=1) + 0.05 + 0.03 * np.array(mildness)
    best = int(cost.argmin())
    return _Change(*TRIED[best], gains[best].astype(np.float64), offsets[best].astype(np.float64))
