"""What a palette of its own leaves of a picture's colours: each is the mean of those it stands for, as in a GIF.

The palette follows from the picture (median cut: Heckbert, SIGGRAPH 1982), so no recoloured thing is explained by it.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from moderator.search.verify.cells import Places, Values

COUNTS = (4, 8, 16, 32)
"""Numbers of colours that are tried, as tools offer them; more are next to no change."""
THINNED = 2
"""Of so many cells down and across one is taken to make a palette."""


def indexed(seen: Values, before: Values, at: Places) -> Values:
    """Returns the second picture's cells in the palette of its own that makes them most like those seen; they are
    compared at one place of each block."""
    some, places = _picture(before[::THINNED, ::THINNED]), _picture(before[at][None])
    palettes = [some.quantize(count, dither=Image.Dither.NONE) for count in COUNTS]
    best = min(palettes, key=lambda one: float(np.abs(seen[at] - _in(one, places)[0]).mean()))
    return _in(best, _picture(before))


def _picture(colours: Values) -> Image.Image:
    return Image.fromarray(colours.round().clip(0, 255).astype(np.uint8))


def _in(palette: Image.Image, picture: Image.Image) -> Values:
    """Returns the colours of a picture in the palette of another one."""
    return np.asarray(picture.quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB"), dtype=np.float64)
