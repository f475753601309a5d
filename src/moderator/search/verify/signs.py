"""What is measured on an aligned pair, as numbers that a small model weighs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moderator.search.verify.colour import UNKNOWN, Colour, colour
from moderator.search.verify.features import Features, opencv
from moderator.search.verify.geometry import Alignment, Mask, inside, wander
from moderator.search.verify.photometry import COARSE, FINE, Blocks, blocks, stored_blocks

SIGNS = (
    "inliers", "agreed", "kept", "residual", "wander", "stretch",
    "textured", "agreeing", "fine_share", "fine_correlation", "weakest", "dense", "patch",
    "coarse_share", "coarse_correlation", "overlap", "overlap_first",
    "luma", "plain_luma", "shading", "chroma", "plain_chroma", "left", "recoloured", "cast", "saturation", "gamma",
    "contrast", "unexplained", "plain",
)  # fmt: skip
"""Names of the numbers in `Measured.signs`, in order."""
TONES = slice(SIGNS.index("luma"), SIGNS.index("unexplained") + 1)
"""Those of colour."""

WEAK, FEW = 0.2, 6
"""Which share of the clear blocks may correlate less, and how few are too few to tell."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """An aligned pair.

    Attributes:
        signs: float64 `[len(SIGNS)]`; those of colour are `UNKNOWN`, as they take longest: `coloured` has them.
        fine: the pair in blocks of the second picture.
        stored: whether the second picture was known only by what is stored.
    """

    alignment: Alignment
    fine: Blocks
    signs: np.ndarray[tuple[int], np.dtype[np.float64]]
    stored: bool


def measure(first: Features, second: Features, alignment: Alignment) -> Measured | None:
    """Measures an aligned pair; None where the two hardly overlap. The first picture has its pixels."""
    if first.pixels is None:
        return None
    stored = second.pixels is None
    if second.pixels is None:
        fine = coarse = stored_blocks(first, second, alignment)
    else:
        fine = blocks(first, second, alignment, FINE)
        coarse = blocks(first, second, alignment, COARSE) or fine
    if fine is None or coarse is None or not fine.seen.any():
        return None
    return Measured(alignment, fine, _signs(first, second, alignment, (fine, coarse)), stored)


def _signs(
    first: Features, second: Features, alignment: Alignment, grids: tuple[Blocks, Blocks]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    fine, coarse = grids
    ours, theirs = inside(alignment, first, second)
    singular = np.linalg.svd(alignment.matrix[:2, :2], compute_uv=False)
    share, correlation = _agreement(fine)
    coarse_share, coarse_correlation = _agreement(coarse)
    dense, patch = _patch(fine)
    asked = fine.seen & fine.textured
    return np.array(
        (
            np.log1p(alignment.inliers),
            alignment.inliers / max(1, alignment.tentative), alignment.inliers / max(1, min(ours, theirs)),
            alignment.residual, wander(alignment), np.log(singular[0] / singular[1]),
            np.log1p(asked.sum()), np.log1p(fine.agrees.sum()), share, correlation, weakest(fine),
            dense, np.log1p(patch),
            coarse_share, coarse_correlation,
            float(fine.seen.mean()), min(1.0, float(fine.seen.mean()) * _area(first, second, alignment)),
            *_tones(UNKNOWN),
            1.0 - float(asked.sum() / fine.seen.sum()),
        )
    )  # fmt: skip


def coloured(measured: Measured) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Returns the signs of an aligned pair with those of its colours, float64 `[len(SIGNS)]`."""
    signs = measured.signs.copy()
    signs[TONES] = _tones(colour(measured.fine))
    return signs


def _tones(tones: Colour) -> tuple[float, ...]:
    return (
        tones.luma, tones.plain_luma, tones.shading, tones.chroma, tones.plain_chroma, float(np.log1p(tones.left)),
        tones.recoloured, tones.cast, tones.saturation, tones.gamma, float(np.log1p(tones.contrast)), tones.unexplained,
    )  # fmt: skip


def _area(first: Features, second: Features, alignment: Alignment) -> float:
    """How large the second picture is in the first, as a multiple of the first's own area."""
    return alignment.scale(second) ** 2 * second.width * second.height / (first.width * first.height)


def _agreement(compared: Blocks) -> tuple[float, float]:
    asked = compared.seen & compared.textured
    if not asked.any():
        return 0.0, 0.0
    return float(compared.agrees.sum() / asked.sum()), float(compared.correlation[asked].clip(-1, 1).mean())


def weakest(compared: Blocks) -> float:
    """Returns the correlation that all but a fifth of the blocks of clear texture reach; of all textured blocks, where
    few are clear. What an edit lays over a picture is seldom more; what moved or is another thing seldom is less."""
    clear = compared.seen & compared.clear
    asked = clear if clear.sum() >= FEW else compared.seen & compared.textured
    return float(np.quantile(compared.correlation[asked], WEAK)) if asked.any() else 0.0


def _patch(compared: Blocks) -> tuple[float, int]:
    """Returns how much of the box around the largest patch of agreeing blocks agrees, and the blocks of the patch."""
    patch = largest(compared.agrees)
    if not patch.any():
        return 0.0, 0
    down, across = np.nonzero(patch)
    box = np.s_[down.min() : down.max() + 1, across.min() : across.max() + 1]
    asked = (compared.seen & compared.textured)[box]
    return float(compared.agrees[box].sum() / max(1, asked.sum())), int(patch.sum())


def largest(mask: Mask) -> Mask:
    """Returns the largest connected patch of a mask."""
    cv2 = opencv()
    count, labels, found, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros_like(mask)
    patch: Mask = labels == 1 + found[1:, cv2.CC_STAT_AREA].argmax()
    return patch
