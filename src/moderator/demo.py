"""Makes the demonstration: a few photographs, edited copies of them, and a small prohibited set.

The photographs come with scikit-image (extra `demo`), all freely licensed; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from moderator import edits
from moderator.errors import EnvironmentFault

SHOP = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "retina.jpg")
"""Photographs that stand for a catalogue."""
NEIGHBOUR = "motorcycle_right.png"
"""The same motorcycle, photographed from a little to the right: alike, and no copy."""
UPLOADS: Mapping[str, tuple[str, str, str]] = {
    "upload-01.jpg": ("chelsea.png", "crop-70", "the cat, cropped to 70%"),
    "upload-02.jpg": ("coffee.png", "mirror", "the coffee, mirrored"),
    "upload-03.jpg": ("astronaut.png", "caption", "the astronaut, with a caption"),
    "upload-04.jpg": ("retina.jpg", "jpeg-30", "the retina, saved at quality 30"),
    "upload-05.jpg": ("astronaut.png", "screenshot", "the astronaut, in a screenshot"),
    "upload-06.jpg": ("rocket.jpg", "caption", "a prohibited picture, with a caption"),
    "upload-07.jpg": ("hubble_deep_field.jpg", "screenshot", "a prohibited picture, in a screenshot"),
}
"""Edited copies: the photograph, the edit of the battery, and what to say of it."""
SEED = 4
BANNED = ("hubble_deep_field.jpg", "rocket.jpg")
"""Photographs that stand for a prohibited set."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What `make` wrote: the pictures to scan, the prohibited ones, and what each file is."""

    pictures: Path
    references: Path
    told: Mapping[str, str]


def make(folder: Path) -> Demonstration:
    """Writes the demonstration into `folder`. Raises: EnvironmentFault when scikit-image is not installed."""
    pictures, references = folder / "pictures", folder / "prohibited"
    pictures.mkdir(parents=True, exist_ok=True)
    references.mkdir(parents=True, exist_ok=True)
    told = {}
    for name in SHOP:
        photograph(name).save(pictures / _jpeg(name), quality=92)
        told[_jpeg(name)] = "a photograph"
    closer(photograph(NEIGHBOUR)).save(pictures / "upload-08.jpg", quality=92)
    told["upload-08.jpg"] = "the motorcycle in another photograph, closer: alike, and no copy"
    for name in BANNED:
        photograph(name).save(references / _jpeg(name), quality=92)
    for name, (source, edit, words) in UPLOADS.items():
        edits.EDITS[edit].apply(photograph(source), SEED).save(pictures / name, quality=85)
        told[name] = words
    whole = (pictures / "coffee.jpg").read_bytes()
    (pictures / "cut-short.jpg").write_bytes(whole[: len(whole) // 3])
    told["cut-short.jpg"] = "an upload that broke off"
    return Demonstration(pictures, references, told)


def photograph(name: str) -> Image.Image:
    """Returns one of scikit-image's photographs, found without importing it. Raises: EnvironmentFault."""
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise EnvironmentFault(
            "the demonstration needs scikit-image's photographs", hint="pip install 'moderator[demo]'"
        )
    with Image.open(Path(spec.origin).with_name("data") / name) as opened:
        return opened.convert("RGB")


def _jpeg(name: str) -> str:
    return str(Path(name).with_suffix(".jpg"))


def closer(picture: Image.Image) -> Image.Image:
    """Keeps the lower three quarters."""
    return picture.crop((0, picture.height // 4, *picture.size))
