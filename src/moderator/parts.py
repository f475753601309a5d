"""Parts of a picture as views of their own: their labels, and which views are compared with which.

A part is compared with whole pictures only: so a picture that is shown inside another one is found, from either side,
and two pictures that merely share a part of something else are not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from moderator.models import Region

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in [0, 1] of a picture's width and height, from its upper left."""

_LABEL = re.compile(r"part (0\.\d{4}|1\.0000) (0\.\d{4}|1\.0000) (0\.\d{4}|1\.0000) (0\.\d{4}|1\.0000)")


def label_of(box: Box) -> str:
    """Returns the label of the view that shows this part: `part 0.2500 0.0000 0.5000 0.3333`."""
    return f"part {' '.join(f'{side:.4f}' for side in box)}"


def box_of(label: str) -> Box | None:
    """Returns which part of a picture a view shows; None for a view of the whole."""
    found = _LABEL.fullmatch(label)
    return None if found is None else (float(found[1]), float(found[2]), float(found[3]), float(found[4]))


def region_of(views: Sequence[str]) -> Region | None:
    """Returns what two views of two pictures show of them; None where both show the whole."""
    boxes = [box_of(view) for view in views]
    if boxes == [None, None]:
        return None
    first, second = (box or (0.0, 0.0, 1.0, 1.0) for box in boxes)
    return Region(_corners(first), _corners(second), _area(first), _area(second))


def _corners(box: Box) -> tuple[tuple[float, float], ...]:
    left, top, right, bottom = box
    return (left, top), (right, top), (right, bottom), (left, bottom)


def _area(box: Box) -> float:
    return round((box[2] - box[0]) * (box[3] - box[1]), 4)


def are_parts(labels: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Returns bool `[n]`: which views show a part of their picture."""
    return np.fromiter((label.startswith("part ") for label in labels), np.bool_, len(labels))


def closeness(
    products: npt.NDArray[np.float32], ours: Sequence[str], theirs: Sequence[str], *, whole: bool = False
) -> npt.NDArray[np.float32]:
    """Returns cosines `[ours, theirs]` with -1 where two views are not compared; `whole` compares no part at all."""
    first, second = are_parts(ours)[:, None], are_parts(theirs)[None]
    return np.where(first | second if whole else first & second, np.float32(-1), products)
