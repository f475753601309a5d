"""A map between two pictures: how it stretches, what it can be, and how keypoints lie off it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from moderator.search.verify.bend import Bend
from moderator.search.verify.features import Features, Points, opencv

TRACE = 12
"""Fewest keypoints that tell how residuals wander."""
NEIGHBOURS, APART = 6, 4.0
"""A residual is compared with those of its nearest keypoints, less those nearer than so many pixels: one corner that is
found at two scales has one error."""

Matrix3 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """A map from the second picture's coordinates to the first's, and what speaks for it.

    Attributes:
        matrix: float64 `[3, 3]`, a homography.
        tentative: matches before any map was sought.
        inliers: matches that the map explains.
        residual: median distance of the inliers from where they should be, in pixels of the first picture.
        ours, theirs: float32 `[inliers, 2]`, the keypoints that agree.
        mirrored: whether the map turns left into right.
        bend: how the first picture is bent beyond the map, which all else is told of it laid straight.
        elsewhere: matches off the map that agree on another one, as those of a thing do that moved in between.
    """

    matrix: Matrix3
    tentative: int
    inliers: int
    residual: float
    ours: Points
    theirs: Points
    mirrored: bool
    bend: Bend | None = None
    elsewhere: int = 0

    def scale(self, second: Features) -> float:
        """Returns how many pixels of the first picture one of the second covers, near the matched keypoints."""
        middle = self.theirs.mean(axis=0) if len(self.theirs) else np.array([second.width, second.height]) / 2
        return float(np.sqrt(abs(jacobian(self.matrix, middle))))

    def area(self, first: Features, second: Features) -> float:
        """Returns how large the second picture is in the first, as a multiple of the first's own area."""
        return self.scale(second) ** 2 * second.width * second.height / (first.width * first.height)

    def inverse(self, second: Features) -> Alignment:
        """Returns the map from the first picture's coordinates to the second's."""
        matrix: Matrix3 = np.asarray(np.linalg.inv(self.matrix), dtype=np.float64)
        residual = self.residual / self.scale(second) if self.inliers else self.residual
        return replace(self, matrix=matrix, residual=residual, ours=self.theirs, theirs=self.ours)


def wander(alignment: Alignment) -> float:
    """Returns how far neighbouring keypoints lie off the map together, in pixels of the first picture.

    What is left by an edit is noise, each keypoint's own, and a slight bend (a quadratic is taken off). Two views of a
    scene differ by its depth, in one way for all of a thing. Told as the root of the mean product of a residual and the
    mean of its neighbours'; negative where they lie off in opposite ways.
    """
    cv2 = opencv()
    at, rest = _traced(alignment)
    if len(at) < TRACE:
        return 0.0
    places = at.astype(np.float32)
    distances, near = cv2.batchDistance(places, places, cv2.CV_32F, K=NEIGHBOURS)
    others = (distances >= APART)[..., None]
    neighbours = (rest[near] * others).sum(axis=1) / np.maximum(others.sum(axis=1), 1)
    together = float((rest * neighbours).sum(axis=1).mean())
    return float(np.copysign(np.sqrt(abs(together)), together))


def _traced(alignment: Alignment) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Returns the keypoints that agree, each place once, and what a bend leaves of their residuals."""
    places = distinct(alignment.ours)
    at = alignment.ours[places].astype(np.float64)
    away = project(alignment.matrix, alignment.theirs[places]) - at
    if len(at) < TRACE:
        return at, away
    x, y = ((at - at.mean(axis=0)) / max(float(at.std()), 1.0)).T
    bend = np.stack([np.ones(len(at)), x, y, x * x, x * y, y * y], axis=1)
    return at, away - bend @ np.linalg.lstsq(bend, away, rcond=None)[0]


def distinct(points: Points) -> npt.NDArray[np.intp]:
    """Returns where in `points` each different place is first: one corner found at several scales is one."""
    across, down = np.rint(points / 2).astype(np.int64).T
    return np.unique(across << 32 | down, return_index=True)[1]


def project(matrix: Matrix3, points: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Returns points `[n, 2]` mapped by a homography, float64 `[n, 2]`."""
    mapped = points @ matrix[:2, :2].T + matrix[:2, 2]
    depth = points @ matrix[2, :2] + matrix[2, 2]
    projected: npt.NDArray[np.float64] = mapped / np.where(np.abs(depth) < 1e-9, 1e-9, depth)[:, None]
    return projected


def inside(alignment: Alignment, first: Features, second: Features) -> tuple[int, int]:
    """Counts the keypoints of each picture that lie where the other one is."""
    theirs = project(alignment.matrix, second.points)
    ours = project(np.asarray(np.linalg.inv(alignment.matrix), dtype=np.float64), first.points)
    return _within(ours, second), _within(theirs, first)


def _within(points: npt.NDArray[np.float64], picture: Features) -> int:
    return int(((points >= 0) & (points <= (picture.width, picture.height))).all(axis=1).sum())


def jacobian(matrix: Matrix3, at: npt.NDArray[Any]) -> float:
    """Returns by how much a homography stretches areas at a point; negative where it mirrors."""
    depth = float(matrix[2, :2] @ at + matrix[2, 2])
    return float(np.linalg.det(matrix)) / depth**3 if abs(depth) > 1e-9 else 0.0


def plausible(matrix: Matrix3, second: Features) -> bool:
    """Whether a map is one that an edit makes: no picture is stretched more than 3 to 1, 12 times, or folded."""
    corners = np.array([(0, 0), (second.width, 0), (second.width, second.height), (0, second.height)], dtype=float)
    depths = corners @ matrix[2, :2] + matrix[2, 2]
    if depths.min() * depths.max() <= 0 or abs(depths).max() > 3 * abs(depths).min():
        return False
    stretch = np.linalg.svd(matrix[:2, :2] / matrix[2, 2], compute_uv=False)
    return bool(stretch[1] > 1 / 12 and stretch[0] < 12 and stretch[0] < 3 * stretch[1])
