"""Where the background of a picture was replaced, around a thing that is as it was: a product cut out of a photograph.

What differs then reaches all along the border and leaves the thing in its midst. Of a recoloured thing, and of another
one on the same floor, it is the midst that differs.
"""

from __future__ import annotations

import numpy as np

from moderator.search.verify.cells import Values, border, most
from moderator.search.verify.features import opencv
from moderator.search.verify.outline import LEVELS
from moderator.search.verify.photometry import Blocks

ALONG = 0.6
"""Least share of the border that differs."""
KNOWN = 0.1
"""Least share of the blocks that must still agree: the thing is known by its texture."""


def without_background(compared: Blocks, left: Values) -> Blocks | None:
    """Returns the blocks that the thing covers; None where no background was replaced.

    Args:
        left: float64 `[rows, columns, 3]`, by how much blocks differ, beyond clipping, as the pictures are.
    """
    cv2, around = opencv(), np.ones((3, 3), np.uint8)
    seen = compared.seen
    other = seen & ~compared.agrees & (compared.textured | (most(np.abs(left)) > LEVELS))
    edge = border(seen, 1)
    _, labels = cv2.connectedComponents(other.astype(np.uint8), connectivity=8)
    behind = other & np.isin(labels, labels[edge & other])
    if (behind & edge).sum() < ALONG * edge.sum() or compared.agrees.sum() < KNOWN * seen.sum():
        return None
    # What lies next to it holds a part of it.
    return compared.among(~cv2.dilate(behind.astype(np.uint8), around).astype(np.bool_))
