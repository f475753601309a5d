"""Edits that set a picture into something else: a screen, a collage, another picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from moderator.edits.edit import Edit, Scene, picture_of
from moderator.edits.geometry import contained, crop, perspective
from moderator.edits.overlays import font

SMALL = 200
"""Pixels of the longer side of the picture in which what stands out is sought."""
STANDING = 0.1, 0.8
"""Least and largest share of the picture that it covers."""


def screenshot(picture: Image.Image, scene: Scene) -> Image.Image:
    """Shows the picture as a telephone's screen would: bars above and below, smaller, on grey."""
    width = 400
    shown = contained(picture, (width, 600))
    dark = bool(scene.random.random() < 0.3)
    screen = Image.new("RGB", (width, shown.height + 180), "#181818" if dark else "#f0f0f0")
    draw = ImageDraw.Draw(screen)
    draw.rectangle((0, 0, width, 60), fill="#2b5797")
    draw.text((20, 18), "Photos", "white", font(24))
    screen.paste(shown, ((width - shown.width) // 2, 80))
    draw.text((20, shown.height + 120), "Liked by 1,204 others", "#bbbbbb" if dark else "#333333", font(20))
    return screen


def feed(picture: Image.Image, scene: Scene) -> Image.Image:
    """Shows the picture as one post among others on a wide screen, at about a fifth of its area."""
    screen = Image.new("RGB", (960, 640), "#eef0f4")
    draw = ImageDraw.Draw(screen)
    draw.rectangle((0, 0, 960, 48), fill="#24292f")
    draw.text((20, 12), "gallery.example    Home    New    Following", "white", font(20))
    here = int(scene.random.integers(3))
    for column in range(3):
        box = (20 + column * 310, 80, 20 + column * 310 + 290, 430)
        draw.rectangle(box, fill="white", outline="#cccccc")
        shown = contained(picture if column == here else scene.other((400, 400)), (274, 330))
        screen.paste(shown, (box[0] + (290 - shown.width) // 2, 90))
        draw.text((box[0] + 8, 440), f"{int(scene.random.integers(2, 999))} replies", "#555555", font(18))
    return screen


def collage(tiles: int) -> Callable[[Image.Image, Scene], Image.Image]:
    """Returns a collage of `tiles` by `tiles` squares of which one is the middle of the picture."""

    def change(picture: Image.Image, scene: Scene) -> Image.Image:
        side = 600 // tiles
        canvas = Image.new("RGB", (side * tiles, side * tiles), "white")
        here = int(scene.random.integers(tiles * tiles))
        for place in range(tiles * tiles):
            tile = ImageOps.fit(picture, (side, side)) if place == here else scene.other((side, side))
            canvas.paste(tile.resize((side - 4, side - 4)), (place % tiles * side + 2, place // tiles * side + 2))
        return canvas

    return change


def picture_in_picture(picture: Image.Image, scene: Scene) -> Image.Image:
    """Sets the picture, at two fifths of the width, into a corner of another one."""
    canvas = scene.other((800, 600))
    shown = contained(picture, (320, 400))
    left = 30 if scene.random.random() < 0.5 else 770 - shown.width
    top = 30 if scene.random.random() < 0.5 else 570 - shown.height
    canvas.paste(ImageOps.expand(shown, 3, "white"), (left - 3, top - 3))
    return canvas


def cutout(picture: Image.Image, scene: Scene) -> Image.Image:
    """Pastes a part of the picture, half of each side, into another one."""
    part = crop(0.5)(picture, scene)
    canvas = scene.other((max(8, picture.width), max(8, picture.height)))
    left = int(scene.random.integers(canvas.width - part.width + 1))
    top = int(scene.random.integers(canvas.height - part.height + 1))
    canvas.paste(part, (left, top))
    return canvas


def background(picture: Image.Image, scene: Scene) -> Image.Image:
    """Puts what stands in it before another background, plain or a picture, in the same place (Rother, Kolmogorov and
    Blake, 2004); what lies in a circle where nothing stands out."""
    thing = _standing_out(picture)
    plain = Image.new("RGB", picture.size, tuple(scene.random.integers(0, 256, 3).tolist()))
    behind = plain if scene.random.random() < 0.6 else scene.other(picture.size)
    return Image.composite(picture, behind, thing)


def _standing_out(picture: Image.Image) -> Image.Image:
    """Returns the mask of what stands out from the border of a picture, with soft edges."""
    import cv2  # takes longer than all else here

    small = np.asarray(contained(picture, (SMALL, SMALL)))
    height, width = small.shape[:2]
    found = np.zeros((height, width), np.uint8)
    edge = max(2, SMALL // 25)
    if min(height, width) > 4 * edge:
        cv2.setRNGSeed(1)
        inner, models = (edge, edge, width - 2 * edge, height - 2 * edge), (np.zeros((1, 65)), np.zeros((1, 65)))
        cv2.grabCut(small, found, inner, *models, 3, cv2.GC_INIT_WITH_RECT)
    thing = found % 2 == 1  # surely or probably
    inside = Image.fromarray(np.where(thing, 255, 0).astype(np.uint8))
    if not STANDING[0] < thing.mean() < STANDING[1]:
        inside = Image.new("L", (width, height), 0)
        ImageDraw.Draw(inside).ellipse((0, 0, width - 1, height - 1), 255)
    return inside.resize(picture.size, Image.Resampling.BICUBIC)


def photographed(picture: Image.Image, scene: Scene) -> Image.Image:
    """Photographs it from a screen: from aside, a little blurred, darker, with the screen's lines."""
    seen = perspective(contained(picture, (900, 900)), scene).filter(ImageFilter.GaussianBlur(0.8))
    levels = np.asarray(seen, dtype=np.float32)
    lines = 1 + 0.08 * np.sin(np.arange(seen.height) * 2.1)[:, None, None]
    lit = np.linspace(0.75, 1.05, seen.width)[None, :, None]
    return picture_of(levels * lines * lit)


EDITS = (
    Edit("screenshot", "setting", "medium", "on a telephone's screen", screenshot),
    Edit("feed", "setting", "hard", "one of three posts on a wide screen", feed),
    Edit("collage-2x2", "setting", "medium", "one of four tiles", collage(2)),
    Edit("collage-3x3", "setting", "hard", "one of nine tiles", collage(3)),
    Edit("picture-in-picture", "setting", "hard", "in a corner of another picture", picture_in_picture),
    Edit("cutout", "setting", "hard", "a part of it pasted into another picture", cutout),
    Edit("background", "setting", "hard", "before another background", background),
    Edit("photographed", "setting", "medium", "photographed from a screen", photographed),
)
