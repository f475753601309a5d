"""The edits of AugLy, in ranges that people use; `augment.py` asks for them where AugLy is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from augly import image
from augly.utils.constants import EMOJI_DIR, SCREENSHOT_TEMPLATES_DIR
from PIL import Image

LINES = ("as seen on my street today", "you will not believe this", "only while stocks last", "when it is monday again")

Picture = Any
Edit = Callable[[Picture, Random, list[Picture]], Picture]


def emoji(picture: Picture, random: Random, _: list[Picture]) -> Picture:
    """One to three emoji, a fifth to a half of its height."""
    chosen = random.sample(sorted(Path(EMOJI_DIR).rglob("*.png")), random.randint(1, 3))
    for one in chosen:
        place = {"x_pos": random.uniform(0, 0.7), "y_pos": random.uniform(0, 0.7)}
        picture = image.overlay_emoji(picture, emoji_path=str(one), emoji_size=random.uniform(0.2, 0.5), **place)
    return picture


def text(picture: Picture, random: Random, _: list[Picture]) -> Picture:
    """A line of letters, a sixth of its height, somewhere."""
    letters = [random.randrange(1, 200) for _ in range(random.randint(5, 12))]
    colour = tuple(random.randrange(256) for _ in range(3))
    return image.overlay_text(picture, text=letters, color=colour, x_pos=0.05, y_pos=random.uniform(0.05, 0.8))


def stripes(picture: Picture, random: Random, _: list[Picture]) -> Picture:
    """Lines over a tenth to two fifths of it, less where they are dotted or dashed."""
    return image.overlay_stripes(
        picture, line_width=random.uniform(0.1, 0.4), line_angle=random.uniform(0, 180),
        line_density=random.uniform(0.1, 0.6), line_type=random.choice(["solid", "dotted", "dashed"]),
        line_color=tuple(random.randrange(256) for _ in range(3)), line_opacity=random.uniform(0.5, 1),
    )  # fmt: skip


def meme(picture: Picture, random: Random, _: list[Picture]) -> Picture:
    """A caption over it."""
    return image.meme_format(picture, text=random.choice(LINES), caption_height=max(40, picture.height // 4))


def over(picture: Picture, random: Random, others: list[Picture]) -> Picture:
    """Another picture over a part of it, a little to be seen through."""
    return image.overlay_image(
        picture, random.choice(others), opacity=random.uniform(0.5, 1), overlay_size=random.uniform(0.2, 0.5),
        x_pos=random.uniform(0, 0.5), y_pos=random.uniform(0, 0.5), max_visible_opacity=1.0,
    )  # fmt: skip


def onto(picture: Picture, random: Random, others: list[Picture]) -> Picture:
    """It on another picture, two fifths to nine tenths of its height."""
    size = random.uniform(0.4, 0.9)
    return image.overlay_onto_background_image(
        picture, random.choice(others), overlay_size=size, x_pos=random.uniform(0, 1 - size),
        y_pos=random.uniform(0, 1 - size),
    )  # fmt: skip


def screenshot(picture: Picture, random: Random, _: list[Picture]) -> Picture:
    """As a post on a telephone, or on a page."""
    template = Path(SCREENSHOT_TEMPLATES_DIR) / random.choice(["mobile.png", "web.png"])
    return image.overlay_onto_screenshot(picture, template_filepath=str(template))


def crop(picture: Picture, random: Random, _: list[Picture]) -> Picture:
    """Keeps half to nine tenths of each side."""
    width, height = random.uniform(0.5, 0.9), random.uniform(0.5, 0.9)
    left, top = random.uniform(0, 1 - width), random.uniform(0, 1 - height)
    return image.crop(picture, x1=left, y1=top, x2=left + width, y2=top + height)


def clear(picture: Picture, random: Random, _: list[Picture]) -> Picture:
    """Half transparent, on white."""
    shown = image.opacity(picture, level=random.uniform(0.3, 0.7))
    return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown.convert("RGBA"))


def jitter(picture: Picture, random: Random, _: list[Picture]) -> Picture:
    """Brightness, contrast and saturation at once."""
    return image.color_jitter(
        picture, brightness_factor=random.uniform(0.6, 1.5), contrast_factor=random.uniform(0.6, 1.6),
        saturation_factor=random.uniform(0.3, 2.0),
    )  # fmt: skip


def ranged(name: str, argument: str, least: float, most: float) -> Edit:
    """Returns a function of AugLy with one argument chosen from a range."""
    return lambda picture, random, _: getattr(image, name)(picture, **{argument: random.uniform(least, most)})


def seeded(name: str, argument: str, least: float, most: float) -> Edit:
    """Returns the same of a function that has random numbers of its own."""
    return lambda picture, random, _: getattr(image, name)(
        picture, **{argument: random.uniform(least, most)}, seed=random.randrange(1 << 30)
    )


def either(name: str, argument: str, *values: Any) -> Edit:
    """Returns a function of AugLy with one argument chosen of some."""
    return lambda picture, random, _: getattr(image, name)(picture, **{argument: random.choice(values)})


EDITS: Mapping[str, Edit] = {
    "crop": crop,
    "hflip": lambda picture, *_: image.hflip(picture),
    "vflip": lambda picture, *_: image.vflip(picture),
    "rotate": ranged("rotate", "degrees", -180, 180),
    "aspect": either("change_aspect_ratio", "ratio", 0.5, 0.7, 1.5, 2.0),
    "skew": ranged("skew", "skew_factor", 0.1, 0.4),
    "perspective": seeded("perspective_transform", "sigma", 20, 60),
    "pad": lambda picture, random, _: image.pad(
        picture, w_factor=random.uniform(0, 0.4), h_factor=random.uniform(0, 0.4)
    ),
    "pad_square": lambda picture, *_: image.pad_square(picture),
    "scale": ranged("scale", "factor", 0.2, 0.5),
    "pixelization": ranged("pixelization", "ratio", 0.15, 0.4),
    "encoding_quality": either("encoding_quality", "quality", 5, 10, 20),
    "blur": ranged("blur", "radius", 2, 5),
    "sharpen": ranged("sharpen", "factor", 4, 12),
    "random_noise": seeded("random_noise", "var", 0.01, 0.05),
    "shuffle_pixels": seeded("shuffle_pixels", "factor", 0.05, 0.2),
    "brightness": either("brightness", "factor", 0.4, 0.6, 1.5, 2.0),
    "contrast": either("contrast", "factor", 0.4, 0.6, 1.6, 2.2),
    "saturation": either("saturation", "factor", 0.2, 0.5, 2.0, 3.5),
    "color_jitter": jitter,
    "grayscale": either("grayscale", "mode", "luminosity", "average"),
    "convert_color": lambda picture, random, _: image.convert_color(
        picture, mode="P", palette=1, colors=random.choice([8, 16, 32])
    ),
    "opacity": clear,
    "overlay_emoji": emoji,
    "overlay_text": text,
    "overlay_stripes": stripes,
    "meme_format": meme,
    "overlay_image": over,
    "overlay_onto_background": onto,
    "overlay_onto_screenshot": screenshot,
}
"""Its functions by name, each as strong as people use it; of each a picture gets another strength."""


def mixed(picture: Picture, random: Random, others: list[Picture]) -> Picture:
    """Three of them, one after another."""
    for name in random.sample(sorted(EDITS), 3):
        picture = EDITS[name](picture, random, others).convert("RGB")
    return picture


BATTERY: Mapping[str, Edit] = {**EDITS, "three": mixed}
