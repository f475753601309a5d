"""The outlines of what differs between two pictures, and colours that one of them does not show.

What is laid over a picture, or seen through, ends anywhere and hides all colours alike; a recoloured thing ends where
the thing does in both, and its colour is gone.
"""

from __future__ import annotations

import numpy as np

from moderator.search.verify.cells import CHROMA, LUMA, Values, at_ends, beyond_clipping, jump, most, spread
from moderator.search.verify.change import Explained
from moderator.search.verify.features import opencv
from moderator.search.verify.geometry import Mask
from moderator.search.verify.photometry import Blocks

LEVELS = 12.0
"""Levels by which a cell or a block may differ from what the change for the whole picture explains."""
TONE, HUE = 64.0, 28.0
"""Steps of brightness and of its differences, in levels, by which cells are sorted into colours."""
SHOWN = 0.25
"""Share of the cells of a colour from which on it is shown: text, stickers and captions leave something of it."""
AMONG = 0.7
"""Share of the blocks around an edge that agree or are plain, for it to be asked: where a picture meets what it is set
into, one of the two always has an edge."""
JUMP = 16.0
"""Levels between neighbouring cells from which a difference has an edge there."""
FAINT, FAINT_SHARE = 10.0, 0.25
"""Levels between those cells, and the share of that edge, below which a picture shows none itself."""


def missing(fit: Explained, seen: Mask) -> float:
    """Returns how many cells the colour has that is missing most; the lesser of the two pictures' numbers."""
    cells = spread(seen, fit.seen)
    shown, expected = fit.seen[cells], fit.expected[cells]
    left = beyond_clipping(shown - expected, at_ends(shown))
    same = (np.abs(left @ LUMA) < 2 * LEVELS) & (np.linalg.norm(left @ CHROMA.T, axis=1) < LEVELS)
    return min(_unshown(one, same) for one in (expected, shown))


def edge(fit: Explained, compared: Blocks) -> tuple[Values, Mask]:
    """Returns how strong the edges are between cells that differ and cells that do not, in levels above `JUMP`, and
    where one of the pictures shows none. Within what is seen through, the picture's own edges differ, and are not
    asked; nor is the border of what both pictures show."""
    cv2, around = opencv(), np.ones((3, 3), np.uint8)
    left = beyond_clipping(fit.seen - fit.expected, at_ends(fit.seen)).astype(np.float32)
    odd = cv2.medianBlur((most(np.abs(left)) > LEVELS).astype(np.uint8), 3)
    among = cv2.blur(compared.asked.astype(np.float32), (5, 5), borderType=cv2.BORDER_CONSTANT) >= AMONG
    outline = cv2.morphologyEx(odd, cv2.MORPH_GRADIENT, around) & spread(among, odd)
    away, *shown = (jump(one) for one in (left, compared.ours, compared.theirs))
    return (away - JUMP).clip(min=0) * outline, np.minimum(*shown) < np.maximum(FAINT, FAINT_SHARE * away)


def bare_share(patch: Mask, edge: Values, bare: Mask) -> float:
    """Returns the share of a patch's edge that is bare, strong edges counting for more; 0 where it has none."""
    near = opencv().dilate(patch.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
    strength = edge * spread(near, edge)
    return float(strength[bare].sum() / max(strength.sum(), 1.0))


def _unshown(colours: Values, same: Mask) -> float:
    """Returns the cells of the colour that is least shown in the same place, less those that are; colours are sorted by
    steps, and again by steps that begin half of one later, as one may lie across an edge of two."""
    steps = np.column_stack([colours @ LUMA / TONE, (colours @ CHROMA.T + 128.0) / HUE])
    across = int(256 / HUE) + 2
    most = 0.0
    for shift in (0.0, 0.5):
        tone, blue, red = np.floor(steps + shift).astype(np.int64).T
        number = (tone * across + blue) * across + red
        found, shown = np.bincount(number), np.bincount(number, weights=same)
        most = max(most, float((found * (1 - shown / np.maximum(found, 1) / SHOWN)).max()))
    return most
