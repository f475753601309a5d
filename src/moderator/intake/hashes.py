"""Hashes of a picture that need no model: its upright pixels, and PDQ in eight orientations."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

PDQ_SIDE = 512
"""Larger pictures are first reduced by a whole factor to no less than this (the reference shrinks to 512 too:
ThreatExchange, pdq/README). A box of whole pixels moves the hash least; resampling to 512 moved it by 10 bits."""


@cache
def pdq_available() -> bool:
    """Whether pdqhash is installed (the extra `pdq`)."""
    return find_spec("pdqhash") is not None


def pixels_digest(views: Sequence[Image]) -> bytes:
    """Returns SHA-256 (32 bytes) over the size and RGB bytes of every view of a picture."""
    digest = hashlib.sha256()
    for view in views:
        digest.update(f"{view.width}x{view.height};".encode())
        digest.update(view.tobytes())
    return digest.digest()


def pdq(picture: Image) -> tuple[bytes, int]:
    """Returns eight PDQ hashes (256 bytes: the picture, then its rotations and flips) and the quality 0..100.

    Empty where pdqhash is not installed, or the picture is too small to hash.
    """
    if not pdq_available() or min(picture.size) < 5:
        return b"", 0
    import numpy as np
    import pdqhash

    factor = min(picture.size) // PDQ_SIDE
    small = picture.reduce(factor) if factor > 1 else picture
    hashes, quality = pdqhash.compute_dihedral(np.asarray(small))
    return b"".join(np.packbits(bits).tobytes() for bits in hashes), int(quality)
