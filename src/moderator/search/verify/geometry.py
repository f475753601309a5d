"""Where one picture lies in another: matched keypoints, and the affine map or homography that most of them agree on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from moderator.search.verify.features import Features, Points, mirrored, opencv

RATIO = 0.88
"""A match must be this much closer than the next best (Lowe's ratio test; .8 in the paper, looser for RootSIFT)."""
NEAR = 3.0
"""Pixels within which a mapped keypoint counts as where it should be."""
LOOSE = 12.0
"""Pixels within which a keypoint is kept for the homography, which bends what the affine map cannot."""
LEAST = 4
"""Fewest keypoints that a map is trusted with: three fix an affine map, so three prove nothing."""

TRACE = 12
"""Fewest keypoints that tell how residuals wander."""
NEIGHBOURS, APART = 6, 4.0
"""A residual is compared with those of its nearest keypoints, less those nearer than so many pixels: one corner that is
found at two scales has one error."""

SURE = 40
"""Keypoints that agree upright from which on a mirrored map is not tried."""
FEW = 10
"""Keypoints that agree below which the whole pictures are compared."""
ALIKE = 0.6
"""Least correlation, for that, of the small pictures."""

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
    """

    matrix: Matrix3
    tentative: int
    inliers: int
    residual: float
    ours: Points
    theirs: Points
    mirrored: bool

    def scale(self, second: Features) -> float:
        """Returns how many pixels of the first picture one of the second covers, near the matched keypoints."""
        middle = self.theirs.mean(axis=0) if len(self.theirs) else np.array([second.width, second.height]) / 2
        return float(np.sqrt(abs(jacobian(self.matrix, middle))))


def align(first: Features, second: Features) -> Alignment | None:
    """Returns the best map from the second picture to the first, upright or mirrored; None where there is none.

    Where few keypoints agree, the whole of one may still be the whole of the other: blurred, or with text all over.
    """
    best = _aligned(first, second, mirror=False)
    if best is None or best.inliers < SURE:
        turned = _aligned(first, second, mirror=True, beyond=best.inliers if best else 0)
        if turned is not None and (best is None or turned.inliers > best.inliers):
            best = turned
    if best is None or best.inliers < FEW:
        return whole(first, second) or best
    return best


def whole(first: Features, second: Features) -> Alignment | None:
    """Returns the map of the whole of one to the whole of the other in the closest of eight orientations; None where
    they are not alike as small grey pictures, or the pixels of one are not known."""
    if first.small is None or second.small is None:
        return None
    ours, theirs = first.small, second.small
    closeness = [float((ours * _turned(theirs, turn)).mean()) for turn in range(8)]
    best = int(np.argmax(closeness))
    if closeness[best] < ALIKE:
        return None
    nothing = first.points[:0]
    return Alignment(_orientation(first, second, best), 0, 0, NEAR, nothing, nothing, best >= 4)


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


def _aligned(first: Features, second: Features, *, mirror: bool, beyond: int = 0) -> Alignment | None:
    """Returns the best map; None where no more than `beyond` keypoints can agree on one."""
    cv2 = opencv()
    ours, theirs = _matches(first, second, mirror=mirror)
    if len(ours) < max(LEAST, beyond + 1):
        return None
    affine, mask = cv2.estimateAffine2D(
        theirs, ours, method=cv2.RANSAC, ransacReprojThreshold=NEAR, maxIters=3000, confidence=0.999
    )
    if affine is None or not mask.any():
        return None
    matrix = np.vstack([affine, [0.0, 0.0, 1.0]])
    if not plausible(matrix, second) or (np.linalg.det(matrix[:2, :2]) < 0) != mirror:
        return None
    matrix = _bent(cv2, matrix, ours, theirs, second)
    away = np.linalg.norm(project(matrix, theirs) - ours, axis=1)
    near = away <= NEAR
    count = _distinct(ours[near])
    if count < LEAST:
        return None
    return Alignment(matrix, len(ours), count, float(np.median(away[near])), ours[near], theirs[near], mirror)


def wander(alignment: Alignment) -> float:
    """Returns how far neighbouring keypoints lie off the map together, in pixels of the first picture.

    What is left by an edit is noise, each keypoint's own, and a slight bend (a quadratic is taken off). Two views of a
    scene differ by its depth, in one way for all of a thing. Told as the root of the mean product of a residual and the
    mean of its neighbours'; negative where they lie off in opposite ways.
    """
    from scipy.spatial import cKDTree

    at, rest = _traced(alignment)
    if len(at) < TRACE:
        return 0.0
    distances, near = cKDTree(at).query(at, k=NEIGHBOURS)
    others = (distances >= APART)[..., None]
    neighbours = (rest[near] * others).sum(axis=1) / np.maximum(others.sum(axis=1), 1)
    together = float((rest * neighbours).sum(axis=1).mean())
    return float(np.copysign(np.sqrt(abs(together)), together))


def _traced(alignment: Alignment) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Returns the keypoints that agree, each place once, and what a bend leaves of their residuals."""
    across, down = np.rint(alignment.ours / 2).astype(np.int64).T
    _, places = np.unique(across << 32 | down, return_index=True)
    at = alignment.ours[places].astype(np.float64)
    away = project(alignment.matrix, alignment.theirs[places]) - at
    if len(at) < TRACE:
        return at, away
    x, y = ((at - at.mean(axis=0)) / max(float(at.std()), 1.0)).T
    bend = np.stack([np.ones(len(at)), x, y, x * x, x * y, y * y], axis=1)
    return at, away - bend @ np.linalg.lstsq(bend, away, rcond=None)[0]


def _matches(first: Features, second: Features, *, mirror: bool) -> tuple[Points, Points]:
    """Returns keypoints of both that are each other's nearest, clearly nearer than any other."""
    if min(len(first.points), len(second.points)) < LEAST:
        return first.points[:0], second.points[:0]
    a = first.descriptors.astype(np.float32)
    b = (mirrored(second.descriptors) if mirror else second.descriptors).astype(np.float32)
    closeness = a @ b.T
    nearest = closeness.max(axis=0)
    best = closeness.argmax(axis=1)
    rows = np.arange(len(a))
    top = closeness[rows, best]
    back = top >= nearest[best]
    closeness[rows, best] = -1.0
    next_best = closeness.argmax(axis=1)
    lengths, others = np.einsum("ij,ij->i", a, a), np.einsum("ij,ij->i", b, b)
    near = np.maximum(lengths + others[best] - 2 * top, 0)
    far = np.maximum(lengths + others[next_best] - 2 * closeness[rows, next_best], 1e-12)
    good = back & (near < RATIO**2 * far)
    return first.points[good], second.points[best[good]]


def _bent(cv2: Any, matrix: Matrix3, ours: Points, theirs: Points, second: Features) -> Matrix3:
    """Returns a homography instead of the affine map where it explains clearly more of the matches."""
    away = np.linalg.norm(project(matrix, theirs) - ours, axis=1)
    near, loose = int((away <= NEAR).sum()), away <= LOOSE
    if loose.sum() < 12:
        return matrix
    bent, _ = cv2.findHomography(theirs[loose], ours[loose], cv2.RANSAC, NEAR, maxIters=1000, confidence=0.995)
    if bent is None or not plausible(bent, second):
        return matrix
    explained = int((np.linalg.norm(project(bent, theirs) - ours, axis=1) <= NEAR).sum())
    return bent if explained > 1.1 * near + 2 else matrix


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


def _distinct(points: Points) -> int:
    """Counts keypoints at different places: one corner found at several scales is one."""
    return len(np.unique(np.rint(points / 2).astype(np.int32), axis=0))
