"""Edits of where the pixels are: crops, flips, turns, squashing, perspective, borders."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageOps

from moderator.edits.edit import Edit, Scene

BICUBIC = Image.Resampling.BICUBIC
GROUNDS = ("black", "white", "#808080", "#e8dcc8")
"""Colours that editors fill with."""

NODES, MESH, BENT = 4, 12, 0.04
"""Points a side by which a picture is bent, pieces a side that are drawn, and how far a point is moved at most, as a
share of the sides."""


def crop(share: float) -> Callable[[Image.Image, Scene], Image.Image]:
    """Returns a crop that keeps `share` of each side, anywhere in the picture."""

    def change(picture: Image.Image, scene: Scene) -> Image.Image:
        width, height = (max(1, round(side * share)) for side in picture.size)
        left = int(scene.random.integers(picture.width - width + 1))
        top = int(scene.random.integers(picture.height - height + 1))
        return picture.crop((left, top, left + width, top + height))

    return change


def rotate(degrees: float) -> Callable[[Image.Image, Scene], Image.Image]:
    """Returns a turn by `degrees` to either side; the canvas grows, its corners are filled with one colour."""

    def change(picture: Image.Image, scene: Scene) -> Image.Image:
        turned = degrees if scene.random.random() < 0.5 else -degrees
        return picture.rotate(turned, BICUBIC, expand=True, fillcolor=ground(scene))

    return change


def ground(scene: Scene) -> str:
    """Returns one of the colours that editors fill with."""
    return GROUNDS[int(scene.random.integers(len(GROUNDS)))]


def straighten(picture: Image.Image, scene: Scene) -> Image.Image:
    """Turns by 5° and cuts the empty corners off."""
    turned = picture.rotate(5 if scene.random.random() < 0.5 else -5, BICUBIC)
    inset = round(0.09 * max(picture.size) / 2)
    return turned.crop((inset, inset, max(inset + 1, picture.width - inset), max(inset + 1, picture.height - inset)))


def squash(picture: Image.Image, scene: Scene) -> Image.Image:
    """Shrinks one side to 60%."""
    width, height = picture.size
    flat = (width, round(height * 0.6)) if scene.random.random() < 0.5 else (round(width * 0.6), height)
    return picture.resize((max(1, flat[0]), max(1, flat[1])), BICUBIC)


def perspective(picture: Image.Image, scene: Scene) -> Image.Image:
    """Moves each corner inwards by up to 15% of the sides, as a picture photographed from aside."""
    width, height = picture.size
    moved = scene.random.uniform(0, 0.15, (4, 2)) * (width, height)
    corners = [(0, 0), (0, height), (width, height), (width, 0)]
    outward = [(-1, -1), (-1, 1), (1, 1), (1, -1)]
    # Pillow maps the corners of the output to this quadrilateral of the input; outside it is filled.
    quad = [
        value
        for corner, way, by in zip(corners, outward, moved, strict=True)
        for value in (corner[0] + way[0] * by[0], corner[1] + way[1] * by[1])
    ]
    return picture.transform(picture.size, Image.Transform.QUAD, quad, BICUBIC, fillcolor=ground(scene))


def bend(picture: Image.Image, scene: Scene) -> Image.Image:
    """Bends it as if it were printed on rubber: points of it move by up to 4% of the sides, its border stays."""
    moved = np.zeros((2, NODES + 2, NODES + 2), np.float32)
    moved[:, 1:-1, 1:-1] = scene.random.uniform(-BENT, BENT, (2, NODES, NODES))
    across, down = (np.rint(np.linspace(0, side, min(MESH, side) + 1)).astype(int) for side in picture.size)
    fine = [np.array(Image.fromarray(one).resize((len(across), len(down)), BICUBIC)) for one in moved]
    places = []
    for axis, at in enumerate(np.meshgrid(across, down)):
        fine[axis][[0, -1]] = fine[axis][:, [0, -1]] = 0
        places.append(at + fine[axis] * picture.size[axis])
    x, y = places
    # Pillow draws each box of the output from a quadrilateral of the input.
    mesh = [
        (
            (across[column], down[row], across[column + 1], down[row + 1]),
            [float(one[at]) for at in _around(row, column) for one in (x, y)],
        )
        for row, column in np.ndindex(len(down) - 1, len(across) - 1)
    ]
    return picture.transform(picture.size, Image.Transform.MESH, mesh, BICUBIC)


def _around(row: int, column: int) -> list[tuple[int, int]]:
    """Returns the corners of a box as Pillow names them: upper left, lower left, lower right, upper right."""
    return [(row, column), (row + 1, column), (row + 1, column + 1), (row, column + 1)]


def contained(picture: Image.Image, box: tuple[int, int]) -> Image.Image:
    """Returns it as large as fits a box; of `ImageOps.contain`, nothing is left of one that is very thin."""
    width, height = picture.size
    across, down = box
    if width / height > across / down:
        return picture.resize((across, max(1, round(height / width * across))), BICUBIC)
    return picture.resize((max(1, round(width / height * down)), down), BICUBIC)


def shrink(picture: Image.Image, _: Scene) -> Image.Image:
    """Shrinks to a thumbnail of 128 pixels."""
    return contained(picture, (128, 128))


def padding(picture: Image.Image, scene: Scene) -> Image.Image:
    """Sets it in the middle of a plain square half as large again."""
    side = round(max(picture.size) * 1.5)
    canvas = Image.new("RGB", (side, side), ground(scene))
    canvas.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return canvas


def frame(picture: Image.Image, scene: Scene) -> Image.Image:
    """Puts a frame of two colours around it, a tenth of the shorter side wide."""
    edge = max(2, min(picture.size) // 20)
    colours = [tuple(int(level) for level in scene.random.integers(0, 256, 3)) for _ in range(2)]
    return ImageOps.expand(ImageOps.expand(picture, edge, colours[0]), edge, colours[1])


EDITS = (
    Edit("crop-70", "crop", "mild", "keeps 70% of each side", crop(0.7)),
    Edit("crop-50", "crop", "medium", "keeps half of each side", crop(0.5)),
    Edit("crop-30", "crop", "hard", "keeps 30% of each side", crop(0.3)),
    Edit("mirror", "geometry", "mild", "left and right exchanged", lambda picture, _: ImageOps.mirror(picture)),
    Edit("upside-down", "geometry", "mild", "top and bottom exchanged", lambda picture, _: ImageOps.flip(picture)),
    Edit("rotate-90", "geometry", "mild", "a quarter turn", lambda picture, _: picture.rotate(90, expand=True)),
    Edit("rotate-25", "geometry", "medium", "turned by 25°, the corners filled", rotate(25)),
    Edit("rotate-5", "geometry", "mild", "turned by 5°, the corners cut off", straighten),
    Edit("squash", "geometry", "medium", "one side shrunk to 60%", squash),
    Edit("perspective", "geometry", "medium", "seen from aside", perspective),
    Edit("bend", "geometry", "hard", "bent as if printed on rubber", bend),
    Edit("shrink", "quality", "medium", "a thumbnail of 128 pixels", shrink),
    Edit("padding", "geometry", "medium", "on a plain square half as large again", padding),
    Edit("frame", "overlay", "mild", "in a frame", frame),
)
