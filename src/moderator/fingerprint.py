"""`Fingerprint`: what a picture is known by. A decoding worker starts with little more than this module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is known of a content without a model.

    Attributes:
        sha256: SHA-256 of the file's bytes, 32 bytes.
        pixels: SHA-256 of the upright RGB pixels and their size, 32 bytes.
        pdq: eight PDQ hashes of 32 bytes, one an orientation, the picture's own first; empty when not computed.
        pdq_quality: PDQ's quality in [0, 100]; flat pictures are near 0.
        taken: when it was photographed by its EXIF, in the camera's time, `YYYY-MM-DD HH:MM:SS`; empty where that is
            not told.
    """

    sha256: bytes
    size: int
    format: str
    width: int
    height: int
    frames: int
    pixels: bytes = b""
    pdq: bytes = b""
    pdq_quality: int = 0
    taken: str = ""
    state: Literal["judged", "rejected"] = "judged"
    code: str = ""
    reason: str = ""
