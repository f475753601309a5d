"""What a palette of its own leaves of a picture's colours: each is the mean of those it stands for, as in a GIF.

The palette follows from the picture (median cut: Heckbert, SIGGRAPH 1982), so no recoloured thing is explained by it.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from moderator.search.verify.cells import Places, Values

COUNTS = (4, 6, 8, 12, 16, 24, 32)
"""Numbers of colours that are tried; more are next to no change."""


def indexed(seen: Values, before: Values, at: Places) -> Values:
    """Returns the second picture's cells in the palette of its own that makes them most like those seen; a palette is
    made of, and they are compared at, one place of each block."""
    places, every = _picture(before[at][None]), _picture(before)
    palettes = [places.quantize(count, dither=Image.Dither.NONE) for count in COUNTS]
    best = min(palettes, key=lambda one: float(np.abs(seen[at] - _colours(one)[0]).mean()))
    return _colours(every.quantize(palette=best, dither=Image.Dither.NONE))


def _picture(colours: Values) -> Image.Image:
    return Image.fromarray(colours.round().clip(0, 255).astype(np.uint8))


def _colours(picture: Image.Image) -> Values:
    return np.asarray(picture.convert("RGB"), dtype=np.float64)
