"""Edited copies as files, such as people upload."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from moderator.edits.edit import Edit

LARGEST = 1024
"""Pixels of the longer side of what is edited."""
QUALITY = 90
"""JPEG quality in which edited copies are saved, before they are read as any file is."""


def save_copies(
    picture: Image.Image, stem: Path, edits: Sequence[Edit], seed: int, others: Sequence[Image.Image] = ()
) -> Iterator[tuple[Path, Edit]]:
    """Writes a copy by each edit to `stem`-EDIT.jpg. `others` are pictures that an edit may set this one among."""
    for edit in edits:
        path = stem.with_name(f"{stem.name}-{edit.name}.jpg")
        edit.apply(picture, seed, others).save(path, quality=QUALITY)
        yield path, edit
