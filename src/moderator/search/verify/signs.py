"""What is measured on an aligned pair, as numbers that a small model weighs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moderator.search.verify.align import align
from moderator.search.verify.bend import Bend
from moderator.search.verify.colour import UNKNOWN, Colour
from moderator.search.verify.features import Features
from moderator.search.verify.geometry import Alignment, inside, wander
from moderator.search.verify.photometry import COARSE, FINE, Blocks, blocks, largest, stored_blocks

SIGNS = (
    "inliers", "agreed", "kept", "residual", "wander", "stretch", "elsewhere", "elsewhere_share",
    "textured", "agreeing", "fine_share", "fine_correlation", "weakest", "dense", "patch",
    "coarse_share", "coarse_correlation", "overlap", "overlap_first",
    "luma", "plain_luma", "shading", "chroma", "plain_chroma", "left", "recoloured", "cast", "saturation", "gamma",
    "contrast", "part", "part_left", "missing", "bare", "thing", "unexplained", "moved", "mostly", "plain", "bent",
)  # fmt: skip
"""Names of the numbers in `Measured.signs`, in order."""
TONES = slice(SIGNS.index("luma"), SIGNS.index("mostly") + 1)
"""Those of colour."""

WEAK, FEW = 0.2, 6
"""Which share of the clear blocks may correlate less, and how few are too few to tell."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """An aligned pair.

    Attributes:
        onto, laid: the pair; the second is laid onto the first, in which it is the smaller or only partly known.
        alignment: the map from the second one's coordinates to the first's.
        fine: the pair in blocks of the second one.
        signs: float64 `[len(SIGNS)]`; those of colour are `UNKNOWN`, as they take longest: `coloured` adds them.
        stored: whether the second one was known only by what is stored.
        turned: whether the second of the two is the one that was named first.
        bends: how each of the two is bent, where it was laid straight.
    """

    onto: Features
    laid: Features
    alignment: Alignment
    fine: Blocks
    signs: np.ndarray[tuple[int], np.dtype[np.float64]]
    stored: bool
    turned: bool
    bends: tuple[Bend | None, Bend | None]


def measure(one: Features, other: Features) -> list[Measured]:
    """Aligns and measures a pair of which at least one has its pixels, by each map between them by which they more than
    hardly overlap. Which of the two is named first changes nothing."""
    first, second = sorted((one, other), key=_order)
    maps = [] if first.pixels is None else align(first, second)
    measured = (_measured(first, second, alignment, turned=first is not one) for alignment in maps)
    return [each for each in measured if each is not None]


def _measured(first: Features, second: Features, alignment: Alignment, *, turned: bool) -> Measured | None:
    bends: tuple[Bend | None, Bend | None] = alignment.bend, None
    if alignment.bend is not None:
        first = alignment.bend.straightened(first)
    stored = second.pixels is None
    if stored:
        fine = coarse = stored_blocks(first, second, alignment)
    else:
        if alignment.area(first, second) > 1:
            first, second, alignment = second, first, alignment.inverse(second)
            turned, bends = not turned, bends[::-1]
        fine = blocks(first, second, alignment, FINE)
        coarse = blocks(first, second, alignment, COARSE) or fine
    if fine is None or coarse is None or not fine.seen.any():
        return None
    told = _signs(first, second, alignment, (fine, coarse))
    return Measured(first, second, alignment, fine, told, stored, turned, bends)


def _order(picture: Features) -> tuple[bool, int, int, int, bytes, bytes]:
    """The order in which two pictures are compared, whatever they are called: what is only stored comes second."""
    size = len(picture.points), picture.width, picture.height
    return picture.pixels is None, *size, picture.tones.tobytes(), picture.points.tobytes()


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
            np.log1p(alignment.elsewhere), alignment.elsewhere / max(1, alignment.elsewhere + alignment.inliers),
            np.log1p(asked.sum()), np.log1p(fine.agrees.sum()), share, correlation, weakest(fine),
            dense, np.log1p(patch),
            coarse_share, coarse_correlation,
            float(fine.seen.mean()), min(1.0, float(fine.seen.mean()) * alignment.area(first, second)),
            *_tones(UNKNOWN),
            1.0 - float(asked.sum() / fine.seen.sum()),
            float(np.log1p(100 * alignment.bend.amount)) if alignment.bend else 0.0,
        )
    )  # fmt: skip


def coloured(measured: Measured, tones: Colour) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Returns the signs of an aligned pair with those of its colours, float64 `[len(SIGNS)]`."""
    signs = measured.signs.copy()
    signs[TONES] = _tones(tones)
    return signs


def _tones(tones: Colour) -> tuple[float, ...]:
    return (
        tones.luma, tones.plain_luma, tones.shading, tones.chroma, tones.plain_chroma, float(np.log1p(tones.left)),
        tones.recoloured, tones.cast, tones.saturation, tones.gamma, float(np.log1p(tones.contrast)),
        float(np.log1p(tones.part)), float(np.log1p(tones.part_left)), float(np.log1p(tones.missing)),
        tones.bare, float(np.log1p(tones.thing)), tones.unexplained, float(np.log1p(tones.moved)),
        float(np.log1p(tones.mostly)),
    )  # fmt: skip


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
