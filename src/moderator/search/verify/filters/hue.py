"""What other hues make of a picture's colours: all of them turned, by one slider, or channels exchanged.

On white, a thing whose hues are turned is a thing in another colour. So it counts only where the picture has colours
along its border too, which turn with it.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from moderator.search.verify.cells import CHROMA, Places, Singles, Values, border
from moderator.search.verify.features import opencv
from moderator.search.verify.geometry import Mask

TURNS = 36
"""Parts of a whole turn, each of which is tried."""
BORDER, COLOURED, ALONG = 0.12, 10.0, 0.5
"""How wide the border is, as a share of the shorter side, the levels from grey of a cell that has a colour, and the
least share of the border's cells that must have one."""
_ORDERS = ((0, 2, 1), (1, 0, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1))
_GREY = np.tile([0.213, 0.715, 0.072], (3, 1))
_AROUND = np.array([[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]])
"""What browsers turn hues by (W3C Filter Effects, `hueRotate`): the grey that stays, and a quarter turn around it."""


def turned(seen: Values, before: Values, shown: Mask, at: Places) -> Values:
    """Returns the colours of the second picture's cells in the hues that make them most like those seen, told at one
    place of each block; as they are where its border has no colours.

    Args:
        shown: bool, the cells that both pictures show.
    """
    if not _coloured_along(before, shown):
        return before
    given, wanted = before[at], seen[at]
    matrix = min(_mixes(), key=lambda one: float(np.abs(wanted - _mixed(given, one)).mean()))
    hues = _hues(given)
    turn = min(range(1, TURNS), key=lambda one: float(np.abs(wanted - _in_hues(hues, one)).mean()))
    both = _mixed(before, matrix), _in_hues(_hues(before), turn)
    return min(both, key=lambda one: float(np.abs(wanted - one[at]).mean()))


def _coloured_along(colours: Values, shown: Mask) -> bool:
    """Whether most of the border of what is shown has a colour."""
    along = border(shown, max(1, round(BORDER * min(shown.shape))))
    away = np.linalg.norm(colours[along] @ CHROMA.T, axis=1)
    return bool((away > COLOURED).mean() >= ALONG) if len(away) else False


@cache
def _mixes() -> tuple[Values, ...]:
    """Returns what exchanges channels, and what turns hues and keeps brightness, `[3, 3]` each."""
    angles = 2 * np.pi * np.arange(1, TURNS) / TURNS
    turns = (_GREY + np.cos(angle) * (np.eye(3) - _GREY) + np.sin(angle) * _AROUND for angle in angles)
    return (*(np.eye(3)[list(order)] for order in _ORDERS), *turns)


def _mixed(colours: Values, matrix: Values) -> Values:
    mixed: Values = (colours @ matrix.T).clip(0, 255)
    return mixed


def _hues(colours: Values) -> Singles:
    """Returns hue in degrees, saturation and value (HSV: Smith, SIGGRAPH 1978), float32 of the same shape."""
    cv2 = opencv()
    levels = colours.reshape(1, -1, 3).clip(0, 255).astype(np.float32)
    told: Singles = cv2.cvtColor(levels, cv2.COLOR_RGB2HSV).reshape(colours.shape)
    return told


def _in_hues(hues: Singles, turn: int) -> Values:
    """Returns colours of other hues with the same saturation and value."""
    cv2 = opencv()
    other = hues.reshape(1, -1, 3).copy()
    other[..., 0] = (other[..., 0] + 360 * turn / TURNS) % 360
    back: Values = cv2.cvtColor(other, cv2.COLOR_HSV2RGB).reshape(hues.shape).astype(np.float64)
    return back
