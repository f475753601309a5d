"""Makes the demonstration: a few photographs, edited copies of them, and a small prohibited set.

The photographs come with scikit-image (extra `demo`), all freely licensed; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from moderator.errors import EnvironmentFault

SHOP = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "retina.jpg")
"""Photographs that stand for a catalogue."""
NEIGHBOUR = "motorcycle_right.png"
"""The same motorcycle, photographed from a little to the right: alike, and no copy."""
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
    for name, (source, edit, words) in EDITS.items():
        edit(photograph(source)).save(pictures / name, quality=40 if "saved" in words else 85)
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


def crop(picture: Image.Image) -> Image.Image:
    """Keeps 70% of each side."""
    width, height = picture.size
    return picture.crop((int(width * 0.2), int(height * 0.1), int(width * 0.9), int(height * 0.8)))


def closer(picture: Image.Image) -> Image.Image:
    """Keeps the lower half."""
    return picture.crop((0, picture.height // 2, *picture.size))


def caption(picture: Image.Image) -> Image.Image:
    """Writes a line over a bar at the bottom."""
    captioned = picture.copy()
    width, height = captioned.size
    draw = ImageDraw.Draw(captioned)
    bar = height // 6
    draw.rectangle((0, height - bar, width, height), fill="black")
    font = ImageFont.load_default(size=bar * 0.6)
    draw.text((width / 2, height - bar / 2), "YOU WILL NOT BELIEVE THIS", "white", font, anchor="mm")
    return captioned


def screenshot(picture: Image.Image) -> Image.Image:
    """Shows the picture as a telephone's screen would: bars above and below, smaller, on grey."""
    width = 400
    shown = ImageOps.contain(picture, (width, 600))
    screen = Image.new("RGB", (width, shown.height + 180), "#f0f0f0")
    draw = ImageDraw.Draw(screen)
    draw.rectangle((0, 0, width, 60), fill="#2b5797")
    draw.text((20, 18), "Photos", "white", ImageFont.load_default(size=24))
    screen.paste(shown, ((width - shown.width) // 2, 80))
    draw.text((20, shown.height + 120), "Liked by 1,204 others", "#333333", ImageFont.load_default(size=20))
    return screen


EDITS: Mapping[str, tuple[str, Callable[[Image.Image], Image.Image], str]] = {
    "upload-01.jpg": ("chelsea.png", crop, "the cat, cropped to 70%"),
    "upload-02.jpg": ("coffee.png", ImageOps.mirror, "the coffee, mirrored"),
    "upload-03.jpg": ("astronaut.png", caption, "the astronaut, with a caption"),
    "upload-04.jpg": ("retina.jpg", lambda picture: picture, "the retina, saved at quality 40"),
    "upload-05.jpg": ("astronaut.png", screenshot, "the astronaut, in a screenshot"),
    "upload-06.jpg": ("rocket.jpg", caption, "a prohibited picture, with a caption"),
    "upload-07.jpg": ("hubble_deep_field.jpg", screenshot, "a prohibited picture, in a screenshot"),
}
