"""Verifies a pair of which one picture may show the other in a part: as wholes, and the part alone.

Alone, a part has as many keypoints as a whole picture, and what surrounds it is not counted against it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from moderator.models import Polygon, Region
from moderator.parts import Box
from moderator.search.verify.features import Features, extract
from moderator.search.verify.verify import Verification, verify

SURE = 0.99
"""Probability of a copy from which on the wholes tell enough."""
LEAST = 48
"""Least side of a part that is looked at alone, in pixels of the working picture."""

Boxes = tuple[Box | None, Box | None]
"""The part of each of two pictures that is closest to the other; None for the whole."""


def verify_within(first: Features, second: Features, boxes: Boxes) -> Verification:
    """Verifies a pair of which at least one has its pixels, as wholes and by its parts.

    That is told which shows more surely that both are one picture, in whatever colours: colours are compared best where
    most is known to be the same."""
    whole = verify(first, second)
    if boxes == (None, None) or whole.copy >= SURE:
        return whole
    ours, theirs = part_of(first, boxes[0]), part_of(second, boxes[1])
    if ours is None or theirs is None:
        return whole
    alone = verify(ours, theirs)
    if alone.same <= whole.same:
        return whole
    return replace(alone, region=alone.region and _moved(alone.region, boxes), note=f"{alone.note}, in a part of one")


def part_of(picture: Features, box: Box | None) -> Features | None:
    """Returns the features of a part; None where its pixels are not known, or are too few."""
    if box is None:
        return picture
    if picture.pixels is None:
        return None
    left, top, right, bottom = np.rint(np.array(box) * ([picture.width, picture.height] * 2)).astype(int).tolist()
    if min(right - left, bottom - top) < LEAST:
        return None
    return extract(np.ascontiguousarray(picture.pixels[top:bottom, left:right]))


def _moved(region: Region, boxes: Boxes) -> Region:
    """Returns a region of two parts as one of the whole pictures."""
    image, share = _placed(region.image, boxes[0])
    match, match_share = _placed(region.match, boxes[1])
    return replace(
        region,
        image=image,
        match=match,
        image_coverage=round(region.image_coverage * share, 4),
        match_coverage=round(region.match_coverage * match_share, 4),
    )


def _placed(corners: Polygon, box: Box | None) -> tuple[Polygon, float]:
    left, top, right, bottom = box or (0.0, 0.0, 1.0, 1.0)
    width, height = right - left, bottom - top
    return tuple((round(left + x * width, 4), round(top + y * height, 4)) for x, y in corners), width * height
