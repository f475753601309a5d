"""Verifies one pair: aligns, measures, and says what it is with one probability and where the two agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moderator.models import Region
from moderator.search.verify import geometry, probability, signs
from moderator.search.verify.bend import Bend
from moderator.search.verify.cells import most, spread
from moderator.search.verify.colour import UNKNOWN, colour
from moderator.search.verify.features import SIDE, Features, opencv
from moderator.search.verify.photometry import BLOCK, Blocks, largest


@dataclass(frozen=True, slots=True)
class Verification:
    """What verification says of a pair.

    Attributes:
        copy: probability that one picture is the other one, edited, in [0, 1].
        variant: probability that both are one picture in which a thing has another colour.
        region: where the two agree; None where they could not be aligned.
        note: how it was told, in a few words.
        misfit: by how many of 255 levels the two differ on average where one change of all colours has been taken off,
            whatever was laid over them; None where the pixels of both were not compared.
    """

    copy: float
    variant: float
    region: Region | None
    note: str
    misfit: float | None = None

    @property
    def same(self) -> float:
        """Probability that both are one picture, in whatever colours."""
        return self.copy + self.variant


UNLIKELY = 0.02
"""Probability of one picture below which colours and region are not asked for: that of a copy is at most as much."""
NOWHERE = Verification(0.0, 0.0, None, "no part of one is found in the other")
TOO_SMALL = Verification(0.0, 0.0, None, "too small, or too long, for its parts to be compared")
FEW = 36
"""Blocks that both pictures show below which other colours are not told from an edit of the whole: no change of colours
can be fitted to an icon, nor was the model fitted to any."""
DIFFERS, STRAY = 32.0, 0.1
"""Levels by which a cell differs in colour, and which share of so few may, that the colours are the same."""


def comparable(width: int, height: int) -> bool:
    """Whether a picture has two blocks a side in the size at which it is compared: it is no icon, and no thin strip."""
    return round(min(width, height) * min(1.0, SIDE / max(width, height))) >= 2 * BLOCK


def verify(first: Features, second: Features) -> Verification:
    """Verifies a pair; see `Verification`. At least one must have its pixels; which is named first changes nothing."""
    ways = signs.measure(first, second)
    if not ways:
        return NOWHERE if all(comparable(one.width, one.height) for one in (first, second)) else TOO_SMALL
    same, measured = probability.likeliest(ways)
    alignment = measured.alignment
    found = f"{alignment.inliers} keypoints agree" if alignment.inliers else "laid onto one another as wholes"
    if same < UNLIKELY:
        apart = "what is around them does not" if alignment.inliers else "they do not agree"
        return Verification(same, 0.0, None, f"{found}, {apart}")
    tones = colour(measured.fine)
    few = tones is UNKNOWN or (not measured.stored and measured.fine.seen.sum() < FEW)
    if few and not _of_one_colour(measured.fine):
        copy = variant = same / 2  # which of the two, so few blocks do not tell
    else:
        model = probability.model(stored=measured.stored)
        copy, variant = model.copy_and_variant(same, signs.coloured(measured, tones))
    region = _region(measured, measured.fine if tones.among is None else measured.fine.among(tones.among))
    if region is not None and measured.turned:
        region = region.reversed
    note = f"{found}, mirrored" if alignment.mirrored else found
    if alignment.bend is not None:
        note += ", one picture bent"
    if tones.words:
        note += f", {tones.words}"
    if measured.stored:
        note += "; told by stored features alone, as one file is gone or unreadable"
    elif first.thumbnail or second.thumbnail:
        note += "; told by a thumbnail, as one file is gone or unreadable"
    return Verification(copy, variant, region, note, None if measured.stored else round(tones.misfit, 4))


def _of_one_colour(compared: Blocks) -> bool:
    """Whether next to all that both pictures show has the same colour in both."""
    apart = most(np.abs(compared.ours - compared.theirs))[spread(compared.seen, compared.ours)]
    return bool((apart >= DIFFERS).mean() < STRAY)


def _region(measured: signs.Measured, compared: Blocks) -> Region | None:
    """Returns the convex hull of the blocks that agree, or are plain in both, around the largest patch."""
    cv2 = opencv()
    first, second = measured.onto, measured.laid
    patch = largest(compared.asked)
    if not patch.any():
        return None
    rows, columns = patch.shape
    # Of a row of blocks only the outermost can be corners of the hull.
    down = np.flatnonzero(patch.any(axis=1))
    left, right = patch[down].argmax(axis=1), columns - patch[down, ::-1].argmax(axis=1)
    corners = np.concatenate((left, right) * 2), np.concatenate((down, down, down + 1, down + 1))
    hull = cv2.convexHull(np.stack(corners, axis=1).astype(np.float32))[:, 0].astype(np.float64)
    there = hull / (columns, rows) * (second.width, second.height)
    here = geometry.project(measured.alignment.matrix, there)
    onto, laid = measured.bends
    ours = _shared(here, onto, first)
    theirs = _shared(there, laid, second)
    return Region(_polygon(ours), _polygon(theirs), _covered(ours), _covered(theirs), measured.alignment.mirrored)


def _shared(corners: npt.NDArray[np.float64], bend: Bend | None, picture: Features) -> npt.NDArray[np.float64]:
    """Returns corners as shares of the sides of the picture as it is, bent or not."""
    at = corners if bend is None else corners + bend.away(corners)
    shares: npt.NDArray[np.float64] = (at / (picture.width, picture.height)).clip(0.0, 1.0)
    return shares


def _polygon(corners: npt.NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(x), 4), round(float(y), 4)) for x, y in corners)


def _covered(corners: npt.NDArray[np.float64]) -> float:
    """Returns the area of a polygon in the unit square."""
    x, y = corners.T
    next_x, next_y = (np.concatenate((one[1:], one[:1])) for one in (x, y))
    return round(min(1.0, abs(float(x @ next_y - y @ next_x)) / 2), 4)
