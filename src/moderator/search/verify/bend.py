"""How a picture is bent beyond what one map explains, as if it were printed on rubber, and the picture laid straight.

A thin-plate spline (Bookstein, 1989) is grown from the keypoints that agree on a map: each round it explains more of
those next to them. It has no folds, and is asked only where it brings many keypoints that one map does not explain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from moderator.search.verify.features import Features, opencv

Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]

LEAST = 8
"""Fewest keypoints that agree on one map for a bend to be grown from them."""
MORE, MORE_TIMES = 10, 1.25
"""How many keypoints more, and how many times as many, a bend must explain."""
MOST = 0.5
"""Share of the matches that a bend must explain: two views of a scene leave more of them open, where one thing stands
before another."""
ROUNDS = 10
"""Most rounds in which it grows."""
LOOSE = 10.0
"""Pixels within which a keypoint is where it should be while the bend grows; it is not known exactly there yet."""
REACH = 1 / 8
"""How far beyond keypoints that agree it grows in a round, as a share of the longer side."""
SPANNED = 250
"""Most keypoints that it is drawn through, those that are clearest in their part of the picture."""
SMOOTH = 1e-3
"""How far it may pass keypoints by, to be smooth."""
LEVEL = 1e-9
"""What holds a plane that points on one line leave open."""
FOLDS = 0.8
"""How far it may move two neighbouring points towards or past each other, as a share of their distance."""
STEP = 16
"""Pixels between the points at which it is reckoned; in between it is a line."""


@dataclass(frozen=True, slots=True, eq=False)
class Bend:
    """A smooth displacement of points of a straight picture to where they lie in the bent one, in pixels.

    Attributes:
        through: float64 `[n, 2]`, the straight points that it is drawn through, over the longer side.
        weights: float64 `[n + 3, 2]`, of their splines and of a plane.
        side: the longer side of the picture.
        amount: how far it moves those points beyond what an affine map does, as a share of the side: the root of the
            mean square.
    """

    through: Values
    weights: Values
    side: float
    amount: float

    def away(self, points: npt.NDArray[Any]) -> Values:
        """Returns by how much points `[n, 2]` are moved."""
        at = np.asarray(points, dtype=np.float64) / self.side
        return _spline(_squares(at, self.through)) @ self.weights[:-3] + _plane(at) @ self.weights[-3:]

    def straightened(self, picture: Features) -> Features:
        """Returns the bent picture, which must have its pixels, laid straight."""
        cv2 = opencv()
        across, down = (np.arange(0, side + STEP, STEP) for side in (picture.width, picture.height))
        nodes = np.stack(np.meshgrid(across, down), axis=-1)
        away = self.away(nodes.reshape(-1, 2)).reshape(nodes.shape).astype(np.float32)
        at = np.indices((picture.height, picture.width), dtype=np.float32)[::-1].transpose(1, 2, 0)
        places = at + cv2.remap(away, at / np.float32(STEP), None, cv2.INTER_LINEAR)
        pixels = cv2.remap(picture.pixels, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        # A bend is smooth: taken off where a point lies in the bent picture, it is next to the same.
        points = picture.points - self.away(picture.points).astype(np.float32)
        return replace(picture, points=points, pixels=pixels)


def grown(at: Values, moved: Values, near: Mask, side: float, close: float) -> tuple[Bend, Mask] | None:
    """Returns the bend that explains most matches, and which; None where none explains many more than the map.

    Args:
        at: where a map puts keypoints of the other picture, `[n, 2]`, in pixels.
        moved: how far from there the keypoints lie that match them.
        near: which of them the map explains.
        side: the longer side of the picture.
        close: pixels within which a keypoint counts as explained.
    """
    known = int(near.sum())
    asked = max(known + MORE, MORE_TIMES * known, MOST * len(near))
    if known < LEAST or asked > len(near):
        return None
    squares = _squares(at / side, at / side)
    spline, plane = _spline(squares), _plane(at / side)
    held = near
    for _ in range(ROUNDS):
        drawn = np.flatnonzero(held)[:SPANNED]
        weights = _through(spline[np.ix_(drawn, drawn)], plane[drawn], moved[drawn])
        left = np.linalg.norm(moved - spline[:, drawn] @ weights[:-3] - plane @ weights[-3:], axis=1)
        more = (left <= LOOSE) & (squares[:, held].min(axis=1) <= REACH**2)
        if more.sum() < LEAST or (more == held).all():
            break
        held = more
    explained = left <= close
    if explained.sum() < asked:
        return None
    beyond = moved[drawn] - plane[drawn] @ np.linalg.lstsq(plane[drawn], moved[drawn], rcond=None)[0]
    amount = float(np.sqrt((beyond**2).sum(axis=1).mean())) / side
    bend = Bend(at[drawn] / side, weights, side, amount)
    return None if _folded(bend, at[explained]) else (bend, explained)


def _squares(some: Values, others: Values) -> Values:
    """Returns the square of the distance of each point to each of the others."""
    squares: Values = np.maximum((some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * some @ others.T, 0)
    return squares


def _spline(squares: Values) -> Values:
    """Returns r² log r² of squared distances."""
    spline: Values = squares * np.log(squares + 1e-12)
    return spline


def _plane(at: Values) -> Values:
    return np.column_stack([np.ones(len(at)), at])


def _through(spline: Values, plane: Values, moved: Values) -> Values:
    """Returns the weights of the smoothed thin-plate spline through points."""
    count = len(spline)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = spline + SMOOTH * np.eye(count)
    system[:count, count:], system[count:, :count] = plane, plane.T
    system[count:, count:] = -LEVEL * np.eye(3)
    weights: Values = np.linalg.solve(system, np.concatenate([moved, np.zeros((3, 2))]))
    return weights


def _folded(bend: Bend, at: Values) -> bool:
    """Whether the bend moves points near some keypoints past each other."""
    here = bend.away(at)
    return any(np.abs(bend.away(at + step) - here).max() > FOLDS * STEP for step in STEP * np.eye(2))
