"""How two pictures lie: by the keypoints that agree on one map, or as wholes where too few do."""

from __future__ import annotations

from typing import Any

import numpy as np

from moderator.search.verify.bend import Bend, grown
from moderator.search.verify.features import Features, Points, mirrored, opencv
from moderator.search.verify.geometry import Alignment, Mask, Matrix3, distinct, inside, jacobian, plausible, project
from moderator.search.verify.whole import whole

RATIO = 0.88
"""A match must be this much closer than the next best (Lowe's ratio test; .8 in the paper, looser for RootSIFT)."""
NEAR = 3.0
"""Pixels within which a mapped keypoint counts as where it should be."""
LOOSE = 12.0
"""Pixels within which a keypoint is kept for the homography, which bends what the affine map cannot."""
LEAST = 4
"""Fewest keypoints that a map is trusted with: three fix an affine map, so three prove nothing."""
FEW = 10
"""Keypoints that agree below which the whole pictures are compared."""
OFF, TWICE = 6.0, 2.0
"""Pixels from where it should be from which on a keypoint lies off a map, and how many times as large or small as by
the map a thing may be that moved."""
KEPT = 0.3
"""Least share of the keypoints of either picture, where it shows the other, that a bend explains. (It is more for 95%
of 607 bent copies, and for 3% of 619 other pairs that a bend brought nearer, most of them two views of a scene.)"""


def align(first: Features, second: Features) -> list[Alignment]:
    """Returns the best map from the second picture to the first, upright or mirrored; none where there is none.

    Where few keypoints agree, the whole of one may still be the whole of the other: blurred, or with text all over.
    There are then two maps, as those few may be right, and the whole laid onto a part of it.
    """
    best = _aligned(first, second, mirror=False)
    # However many agree upright: of a mirrored pair of shoes each looks like the other one. (A millisecond of 55.)
    turned = _aligned(first, second, mirror=True, beyond=best.inliers if best else 0)
    if turned is not None and (best is None or turned.inliers > best.inliers):
        best = turned
    laid = whole(first, second) if best is None or best.inliers < FEW else None
    return [one for one in (laid, best) if one is not None]


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
    matrix = _tilted(cv2, matrix, ours, theirs, second)
    at = project(matrix, theirs)
    near = np.linalg.norm(ours - at, axis=1) <= NEAR
    if np.count_nonzero(near) < LEAST:
        return None

    def agreeing(ours: Points, near: Mask, bend: Bend | None) -> Alignment:
        residual = float(np.median(np.linalg.norm(ours - at, axis=1)[near]))
        count, moved = len(distinct(ours[near])), _elsewhere(cv2, matrix, ours, theirs)
        return Alignment(matrix, len(ours), count, residual, ours[near], theirs[near], mirror, bend, moved)

    if (bent := grown(at, ours - at, near, max(first.width, first.height), NEAR)) is not None:
        bend, known = bent
        straight = agreeing(ours - bend.away(at).astype(np.float32), known, bend)
        if straight.inliers >= KEPT * min(inside(straight, first, second)):
            return straight
    told = agreeing(ours, near, None)
    return told if told.inliers >= LEAST else None


def _elsewhere(cv2: Any, matrix: Matrix3, ours: Points, theirs: Points) -> int:
    """Returns how many keypoints that lie off a map agree on another one."""
    off = np.linalg.norm(ours - project(matrix, theirs), axis=1) > OFF
    if np.count_nonzero(off) < LEAST:
        return 0
    affine, mask = cv2.estimateAffine2D(
        theirs[off], ours[off], method=cv2.RANSAC, ransacReprojThreshold=NEAR, maxIters=2000, confidence=0.99
    )
    if affine is None:
        return 0
    stretch = np.linalg.svd(affine[:, :2], compute_uv=False) / np.sqrt(abs(jacobian(matrix, theirs[off].mean(axis=0))))
    return len(distinct(ours[off][mask.ravel() > 0])) if stretch[1] > 1 / TWICE and stretch[0] < TWICE else 0


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


def _tilted(cv2: Any, matrix: Matrix3, ours: Points, theirs: Points, second: Features) -> Matrix3:
    """Returns a homography instead of the affine map where it explains clearly more of the matches."""
    away = np.linalg.norm(project(matrix, theirs) - ours, axis=1)
    near, loose = int((away <= NEAR).sum()), away <= LOOSE
    if loose.sum() < 12:
        return matrix
    tilted, _ = cv2.findHomography(theirs[loose], ours[loose], cv2.RANSAC, NEAR, maxIters=1000, confidence=0.995)
    if tilted is None or not plausible(tilted, second):
        return matrix
    explained = int((np.linalg.norm(project(tilted, theirs) - ours, axis=1) <= NEAR).sum())
    return tilted if explained > 1.1 * near + 2 else matrix
