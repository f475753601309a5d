"""Two whole pictures laid onto one another without keypoints: blurred or smooth ones have none, or text all over."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moderator.search.verify.features import Features, opencv
from moderator.search.verify.geometry import Alignment, Matrix3, plausible

ALIKE = 0.6
"""Least correlation, of the small grey pictures, that a map is sought for."""
SIDES = (48, 96)
"""Sides, in pixels, of the grey pictures by which a turn, a shift or a crop is found, the second from the first."""
CLOSE = 0.98
"""Least correlation of the larger ones that such a map is trusted with: a smooth picture can be bent to much."""
STEPS, GAIN = 40, 1e-4
"""Most steps at a side, and the gain in correlation below which they end."""
UNKNOWN = 3.0
"""What is told of how far keypoints lie from where they should be: none were asked."""


def whole(first: Features, second: Features) -> Alignment | None:
    """Returns the map of the whole of one to the whole of the other, near the closest of eight orientations; None where
    they are not alike as small grey pictures, or the pixels of one are not known."""
    if first.small is None or second.small is None:
        return None
    ours, theirs = first.small, second.small
    closeness = [float((ours * _turned(theirs, turn)).mean()) for turn in range(8)]
    best = int(np.argmax(closeness))
    if closeness[best] < ALIKE:
        return None
    matrix = _orientation(first, second, best)
    nothing = first.points[:0]
    return Alignment(_refined(first, second, matrix), 0, 0, UNKNOWN, nothing, nothing, best >= 4)


def _refined(first: Features, second: Features, matrix: Matrix3) -> Matrix3:
    """Returns the affine map near a first one by which the grey pictures correlate most (Evangelidis and Psarakis,
    2008); the first one where that is too little."""
    cv2 = opencv()
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, STEPS, GAIN)
    close, found = 0.0, matrix
    for side in SIDES:
        ours, theirs = _grid(first, side), _grid(second, side)
        start = (ours @ found @ np.linalg.inv(theirs))[:2].astype(np.float32)
        pictures = second.grey(side), first.grey(side)
        try:
            close, bent = cv2.findTransformECC(*pictures, start, cv2.MOTION_AFFINE, criteria, None, 5)
        except cv2.error:  # the search moves away from any agreement
            return matrix
        found = np.linalg.inv(ours) @ np.vstack([bent, [0.0, 0.0, 1.0]]) @ theirs
    return found if close >= CLOSE and plausible(found, second) else matrix


def _grid(picture: Features, side: int) -> Matrix3:
    """Returns the map from a picture's coordinates to those of its grey picture, pixels being counted by centres."""
    return np.array([[side / picture.width, 0, -0.5], [0, side / picture.height, -0.5], [0, 0, 1.0]])


def _turned(picture: npt.NDArray[np.float64], turn: int) -> npt.NDArray[np.float64]:
    """Returns the picture after up to three quarter turns, from 4 on mirrored before."""
    return np.rot90(picture[:, ::-1] if turn >= 4 else picture, turn % 4)


def _orientation(first: Features, second: Features, turn: int) -> Matrix3:
    """Returns the map of `_turned` between whole pictures."""
    to_unit = np.diag([1 / second.width, 1 / second.height, 1.0])
    mirror = np.array([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]]) if turn >= 4 else np.eye(3)
    quarter = np.array([[0.0, 1, 0], [-1, 0, 1], [0, 0, 1]])  # np.rot90: (x, y) becomes (y, 1 - x)
    turned = np.linalg.matrix_power(quarter, turn % 4)
    matrix: Matrix3 = np.diag([first.width, first.height, 1.0]) @ turned @ mirror @ to_unit
    return matrix
