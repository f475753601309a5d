"""The digest of a picture's upright pixels, by which files that differ in nothing one can see are known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

def pixels_digest(views: Sequence[Image]) -> bytes:
    """Returns SHA-256 (32 bytes) over the size and RGB bytes of every view of a picture."""
    digest = hashlib.sha256()
    for view in views:
        digest.update(f"{view.width}x{view.height};".encode())
        digest.update(view.tobytes())
    return digest.digest()

