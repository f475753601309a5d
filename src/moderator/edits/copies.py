"""Edited copies as files, such as people upload."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageOps

from moderator.edits.edit import Edit

QUALITY = 90
"""JPEG quality in which edited copies are saved, before they are read as any file is."""
LARGEST = 1024
"""Pixels of the longer side of what is edited."""


def original(path: str) -> Image.Image | None:
    """Returns a picture to edit, RGB, upright, at most `LARGEST` pixels wide and high; None where it cannot be read."""
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError):
        return None
    picture.thumbnail((LARGEST, LARGEST))
    return picture


def save_copies(
    picture: Image.Image, stem: Path, edits: Sequence[Edit], seed: int, others: Sequence[Image.Image] = ()
) -> Iterator[tuple[Path, Edit]]:
    """Writes a copy by each edit to `stem`-EDIT.jpg. `others` are pictures that an edit may set this one among."""
    for edit in edits:
        path = stem.with_name(f"{stem.name}-{edit.name}.jpg")
        edit.apply(picture, seed, others).save(path, quality=QUALITY)
        yield path, edit
