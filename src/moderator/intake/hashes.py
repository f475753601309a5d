"""The digest of a picture's upright pixels, by which files that differ in nothing one can see are known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

STRIP = 1 << 20
"""Bytes that are copied out of a picture at once, so that hashing still finds them in the processor's cache."""


def pixels_digest(views: Sequence[Image]) -> bytes:
    """Returns SHA-256 (32 bytes) over the size and RGB bytes of every view of a picture.

    Of the standard library's digests SHA-256 is the fastest on processors with SHA instructions (twice BLAKE2b).
    """
    digest = hashlib.sha256()
    for view in views:
        digest.update(f"{view.width}x{view.height};".encode())
        rows = max(1, STRIP // (3 * view.width))
        for top in range(0, view.height, rows):
            strip = view.crop((0, top, view.width, min(top + rows, view.height)))
            digest.update(strip.tobytes())
    return digest.digest()
