"""Edits that lay something over a picture: captions, text, stickers, watermarks, bands, another picture, a censor's
pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from moderator.edits.edit import Edit, Scene, picture_of

LINES = (
    "YOU WILL NOT BELIEVE THIS",
    "when the weekend is over",
    "SALE -50% TODAY ONLY",
    "found this online, thoughts?",
    "me at three in the morning",
)
PIXEL = 24
"""Pixels a side of what a censor leaves one colour of."""


def line(scene: Scene) -> str:
    """Returns something that people write over pictures."""
    return LINES[int(scene.random.integers(len(LINES)))]


def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Returns Pillow's own font at a size in pixels."""
    return ImageFont.load_default(size=max(6.0, size))


def caption(picture: Image.Image, scene: Scene) -> Image.Image:
    """Writes a line over a bar at the bottom, a sixth of the height."""
    captioned = picture.copy()
    width, height = captioned.size
    draw = ImageDraw.Draw(captioned)
    bar = max(1, height // 6)
    draw.rectangle((0, height - bar, width, height), fill="black")
    _centred(draw, line(scene), (width / 2, height - bar / 2), width, bar)
    return captioned


def meme(picture: Image.Image, scene: Scene) -> Image.Image:
    """Adds white bands above and below, each with a line."""
    width, height = picture.size
    band = max(8, height // 5)
    canvas = Image.new("RGB", (width, height + 2 * band), "white")
    canvas.paste(picture, (0, band))
    draw = ImageDraw.Draw(canvas)
    for middle in (band / 2, height + 1.5 * band):
        _centred(draw, line(scene), (width / 2, middle), width, band, "black")
    return canvas


def _centred(
    draw: ImageDraw.ImageDraw, text: str, at: tuple[float, float], width: int, height: int, fill: str = "white"
) -> None:
    """Writes one line as large as a box of `width` and `height` allows."""
    size = min(height * 0.6, 1.7 * width / len(text))
    draw.text(at, text, fill, font(size), anchor="mm")


def text(picture: Image.Image, scene: Scene) -> Image.Image:
    """Writes three outlined lines across the middle of the picture."""
    written = picture.copy()
    draw = ImageDraw.Draw(written)
    size = picture.width / 12
    for row in range(3):
        at = (picture.width / 2, picture.height / 2 + (row - 1) * size * 1.3)
        draw.text(
            at,
            line(scene),
            "white",
            font(size),
            anchor="mm",
            stroke_width=max(1, round(size / 12)),
            stroke_fill="black",
        )
    return written


def stickers(picture: Image.Image, scene: Scene) -> Image.Image:
    """Puts three yellow faces on it, each a quarter of the shorter side."""
    covered = picture.copy()
    side = max(8, min(picture.size) // 4)
    for _ in range(3):
        left = int(scene.random.integers(max(1, picture.width - side)))
        top = int(scene.random.integers(max(1, picture.height - side)))
        face = _face(side)
        covered.paste(face, (left, top), face)
    return covered


def _face(side: int) -> Image.Image:
    face = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(face)
    draw.ellipse((0, 0, side - 1, side - 1), fill="#ffcc22", outline="#aa7700", width=max(1, side // 30))
    for across in (0.32, 0.68):
        draw.ellipse((side * (across - 0.08), side * 0.28, side * (across + 0.08), side * 0.46), fill="#442200")
    draw.arc((side * 0.22, side * 0.3, side * 0.78, side * 0.8), 20, 160, fill="#442200", width=max(1, side // 14))
    return face


def watermark(picture: Image.Image, scene: Scene) -> Image.Image:
    """Writes a half transparent word all over it, slanting."""
    reach = sum(picture.size)
    layer = Image.new("L", (reach, reach), 0)
    draw = ImageDraw.Draw(layer)
    size = max(10, min(picture.size) // 10)
    word = ("PREVIEW", "stockpic.example", "SAMPLE")[int(scene.random.integers(3))]
    for top in range(0, reach, size * 3):
        draw.text((0, top), f"{word}   " * 40, 110, font(size))
    layer = layer.rotate(30)
    left, top = (reach - picture.width) // 2, (reach - picture.height) // 2
    mask = layer.crop((left, top, left + picture.width, top + picture.height))
    return Image.composite(Image.new("RGB", picture.size, "white"), picture, mask)


def bands(picture: Image.Image, scene: Scene) -> Image.Image:
    """Draws one to four slanting bands of one colour over a tenth to two fifths of it, most of them seen through."""
    reach = round(1.5 * max(picture.size))
    count = int(scene.random.integers(1, 5))
    turn = float(scene.random.uniform(0, 180))
    across = picture.width * abs(np.sin(np.radians(turn))) + picture.height * abs(np.cos(np.radians(turn)))
    thick = max(1, round(across * scene.random.uniform(0.1, 0.4) / count))
    opacity = round(255 * scene.random.uniform(0.35, 1.0))
    mask = Image.new("L", (reach, reach), 0)
    draw = ImageDraw.Draw(mask)
    for place in range(count):
        top = round(reach / 2 + (place + 0.5 - count / 2) * across / count - thick / 2)
        draw.rectangle((0, top, reach, top + thick), fill=opacity)
    mask = mask.rotate(turn)
    left, top = (reach - picture.width) // 2, (reach - picture.height) // 2
    colour = tuple(scene.random.integers(0, 256, 3).tolist())
    mask = mask.crop((left, top, left + picture.width, top + picture.height))
    return Image.composite(Image.new("RGB", picture.size, colour), picture, mask)


def gradient(picture: Image.Image, scene: Scene) -> Image.Image:
    """Lays a gradient of two colours over it, seen through by 55 to 75%, as behind a headline."""
    random = scene.random
    colours = random.integers(0, 256, (2, 3)).astype(np.float32)
    angle, share = random.uniform(0, 2 * np.pi), random.uniform(0.25, 0.45)
    down, across = np.mgrid[-0.5 : 0.5 : picture.height * 1j, -0.5 : 0.5 : picture.width * 1j]
    along = (0.5 + (np.cos(angle) * across + np.sin(angle) * down) / np.sqrt(2))[..., None]
    laid = along * colours[0] + (1 - along) * colours[1]
    return picture_of((1 - share) * np.asarray(picture, dtype=np.float32) + share * laid)


def labels(picture: Image.Image, scene: Scene) -> Image.Image:
    """Lays a strip with a line, a corner and a badge with a word over it, or two of those, each of one colour."""
    labelled = picture.copy()
    draw = ImageDraw.Draw(labelled)
    (width, height), random = picture.size, scene.random
    drawn = random.permutation(3)[: int(random.integers(2, 4))]
    colours = [tuple(one) for one in random.integers(0, 256, (3, 3)).tolist()]
    shares = random.uniform((0.1, 0.3, 0.2), (0.2, 0.5, 0.3))
    thick, reach, side = (round(share * min(picture.size)) for share in shares)
    if 0 in drawn:
        top = height - thick if random.random() < 0.5 else 0
        draw.rectangle((0, top, width, top + thick), colours[0])
        _centred(draw, line(scene), (width / 2, top + thick / 2), width, max(1, thick))
    if 1 in drawn:
        corner = width if random.random() < 0.5 else 0
        draw.polygon(((corner, 0), (abs(corner - reach), 0), (corner, reach)), colours[1])
    if 2 in drawn:
        left, top = random.integers(max(1, width - side)), random.integers(max(1, height - side))
        draw.ellipse((left, top, left + side, top + side), colours[2])
        draw.text((left + side / 2, top + side / 2), "NEW", "white", font(side / 4), anchor="mm")
    return labelled


def laid_over(picture: Image.Image, scene: Scene) -> Image.Image:
    """Lays another picture over a part of it, a quarter to a half of each side; a tenth to two thirds shows through."""
    part, place = _part(picture, scene)
    covered = picture.copy()
    covered.paste(Image.blend(part, scene.other(part.size), float(scene.random.uniform(0.35, 0.9))), place)
    return covered


def censored(picture: Image.Image, scene: Scene) -> Image.Image:
    """Pixelates a part of it, a quarter to a half of each side."""
    part, place = _part(picture, scene)
    coarse = part.resize((max(1, part.width // PIXEL), max(1, part.height // PIXEL)), Image.Resampling.BOX)
    covered = picture.copy()
    covered.paste(coarse.resize(part.size, Image.Resampling.NEAREST), place)
    return covered


def _part(picture: Image.Image, scene: Scene) -> tuple[Image.Image, tuple[int, int]]:
    """Returns a part of it, a quarter to a half of each side, and where that begins."""
    share = scene.random.uniform(0.25, 0.5)
    width, height = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    left = int(scene.random.integers(picture.width - width + 1))
    top = int(scene.random.integers(picture.height - height + 1))
    return picture.crop((left, top, left + width, top + height)), (left, top)


EDITS = (
    Edit("caption", "overlay", "mild", "a caption over a bar", caption),
    Edit("meme", "overlay", "medium", "white bands with lines above and below", meme),
    Edit("text", "overlay", "medium", "three lines across the middle", text),
    Edit("stickers", "overlay", "medium", "three faces over it", stickers),
    Edit("watermark", "overlay", "mild", "a watermark all over", watermark),
    Edit("bands", "overlay", "medium", "coloured bands across, most seen through", bands),
    Edit("gradient", "overlay", "medium", "under a gradient of two colours", gradient),
    Edit("labels", "overlay", "medium", "a strip, a corner, a badge, each of one colour", labels),
    Edit("laid-over", "overlay", "hard", "another picture over a part, seen through", laid_over),
    Edit("censored", "overlay", "medium", "a part of it pixelated", censored),
)
