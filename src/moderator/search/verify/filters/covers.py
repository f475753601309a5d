"""What patches of one colour, laid over a picture or seen through, make of its colours: a strip, a badge, a sticker.

Each has an outline of its own, where the picture itself shows no edge. So no recoloured thing is explained by it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moderator.search.verify.cells import Values, jump, most
from moderator.search.verify.features import opencv
from moderator.search.verify.filters.bands import MOVED, layer_of
from moderator.search.verify.geometry import Mask

PATCHES, LEAST = 6, 12
"""Most patches that are looked at, the largest first, and fewest cells of one."""
STEP = 24.0
"""Levels within which cells are of one colour, when the most frequent one is sought."""
JUMP, FAINT, FAINT_SHARE = 16.0, (10.0, 30.0), 0.35
"""Levels between neighbouring cells from which a difference has an edge there, and the share of that edge, and the
least and most levels, below which the picture itself shows none."""
OWN = 0.45
"""Least share of a patch's outline that is its own."""


def covered(seen: Values, before: Values, shown: Mask) -> Values:
    """Returns the colours of the second picture's cells under the patches that make them most like those seen; as they
    are where there are none.

    Args:
        shown: bool, the cells that both pictures show.
    """
    away = seen - before
    left = shown & (most(np.abs(away)) > MOVED)
    steps, itself = (jump(one.astype(np.float32)) for one in (away, before))
    laid = before.copy()
    for _ in range(PATCHES):
        patch = _largest(left)
        if patch.sum() < LEAST:
            break
        by = (_under(seen, before, patch, among) for among in (patch, _one_colour(seen, patch)))
        told, under = max(by, key=lambda one: int(one[0].sum()))
        left &= ~(told if told.any() else patch)
        if told.sum() >= LEAST and _own(told, steps, itself, shown) >= OWN:
            _lay(laid, told, under, seen)
    return laid


def _largest(left: Mask) -> Mask:
    """Returns the largest patch of cells, less what hangs on it by a thread."""
    cv2 = opencv()
    opened = cv2.morphologyEx(left.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    _, labels, found, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if len(found) < 2:
        return np.zeros_like(left)
    largest: Mask = (labels == 1 + found[1:, cv2.CC_STAT_AREA].argmax()) & left
    return largest


def _one_colour(seen: Values, patch: Mask) -> Mask:
    """Returns the cells of a patch that have about its most frequent colour."""
    steps = (seen[patch] / STEP).astype(np.int64) @ (1 << np.array([0, 8, 16]))
    _, places, counts = np.unique(steps, return_inverse=True, return_counts=True)
    mean = seen[patch][places == counts.argmax()].mean(axis=0)
    same: Mask = patch & (most(np.abs(seen - mean)) <= STEP)
    return same


def _under(seen: Values, before: Values, patch: Mask, among: Mask) -> tuple[Mask, Values]:
    """Returns the cells of a patch that one colour over the picture explains, told by some of them, and what it makes
    of the picture."""
    under = before + layer_of(seen, before, among)
    return _largest(patch & (most(np.abs(seen - under)) <= MOVED)), under


def _lay(laid: Values, patch: Mask, under: Values, seen: Values) -> None:
    """Lays a patch, with what is written on it, and as much of it as is seen of the cells on its outline."""
    cv2, around = opencv(), np.ones((3, 3), np.uint8)
    filled = cv2.morphologyEx(patch.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)).astype(np.bool_)
    edge = cv2.dilate(filled.astype(np.uint8), around).astype(np.bool_) & ~filled
    way = (under - laid)[edge]
    share = ((seen - laid)[edge] * way).sum(axis=1) / np.maximum((way**2).sum(axis=1), 1.0)
    laid[edge] += share.clip(0, 1)[:, None] * way
    laid[patch] = under[patch]
    written = filled & ~patch
    laid[written] = seen[written]


def _own(patch: Mask, steps: npt.NDArray[np.float32], itself: npt.NDArray[np.float32], shown: Mask) -> float:
    """Returns the share of a patch's outline, strong edges counting for more, where the picture shows none itself."""
    cv2 = opencv()
    around = np.ones((3, 3), np.uint8)
    filled = cv2.morphologyEx(patch.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    outline = cv2.morphologyEx(filled, cv2.MORPH_GRADIENT, around).astype(np.bool_)
    outline &= cv2.erode(shown.astype(np.uint8), around, borderValue=1).astype(np.bool_)
    strength = (steps - JUMP).clip(min=0) * outline
    bare = itself < (FAINT_SHARE * steps).clip(*FAINT)
    return float(strength[bare].sum() / max(strength.sum(), 1.0))
