"""Pictures that a picture shows are found as panels of it, and an ordinary photograph has none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from moderator.edits import EDITS
from moderator.edits.edit import Scene
from moderator.intake.panels import MOST, QUARTERS, panels, parts
from moderator.parts import Box, box_of, label_of

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg")


@pytest.fixture(scope="module")
def opened(photographs: Path) -> list[Image.Image]:
    return [Image.open(photographs / name).convert("RGB") for name in PHOTOGRAPHS]


def shown(name: str, picture: Image.Image, others: list[Image.Image]) -> tuple[Image.Image, Box]:
    """Makes an edit, and tells where in it the picture is: there it changes when the picture does."""
    edit = EDITS[name]
    dark, light = (
        np.asarray(edit.change(one, Scene(np.random.default_rng(1), others)), dtype=int)
        for one in (picture, picture.point([255 - level for level in range(256)] * 3))
    )
    down, across = np.nonzero(np.abs(dark - light).max(axis=2))
    height, width = dark.shape[:2]
    box = (across.min() / width, down.min() / height, (across.max() + 1) / width, (down.max() + 1) / height)
    return Image.fromarray(dark.astype(np.uint8)), box


def overlap(one: Box, other: Box) -> float:
    across = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    down = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return across * down / (sum(areas) - across * down)


@pytest.mark.parametrize("name", ["collage-2x2", "collage-3x3", "feed", "screenshot", "picture-in-picture", "padding"])
def test_a_picture_shown_in_another_is_a_panel_of_it(name: str, opened: list[Image.Image]) -> None:
    picture, box = shown(name, opened[0], opened[1:])
    assert max(overlap(panel, box) for panel in panels(picture)) > 0.8


@pytest.mark.parametrize("place", range(len(PHOTOGRAPHS)))
def test_a_photograph_has_no_panels(place: int, opened: list[Image.Image]) -> None:
    assert panels(opened[place]) == []


def test_things_on_white_side_by_side_on_white_are_parted_in_the_middle() -> None:
    sheet = Image.new("RGB", (400, 200), "white")
    for left in (60, 260):
        ImageDraw.Draw(sheet).ellipse((left, 60, left + 80, 140), fill="navy")
    assert sorted(panels(sheet)) == [pytest.approx((0, 0, 0.5, 1), abs=0.01), pytest.approx((0.5, 0, 1, 1), abs=0.01)]


def bars(picture: Image.Image, lean: int) -> Image.Image:
    """Draws dark bars above and below; their inner edges rise by `lean` pixels over the width."""
    barred = picture.resize((600, 400))
    draw = ImageDraw.Draw(barred)
    draw.polygon(((0, 0), (600, 0), (600, 80 - lean), (0, 80)), "#221100")
    draw.polygon(((0, 400), (600, 400), (600, 320 - lean), (0, 320)), "#221100")
    return barred


def test_what_is_a_little_askew_was_photographed_and_not_pasted(opened: list[Image.Image]) -> None:
    between = (0.0, 0.2, 1.0, 0.8)
    assert max(overlap(panel, between) for panel in panels(bars(opened[2], 0))) > 0.9
    assert panels(bars(opened[2], 9)) == []


def test_the_plain_ground_around_a_picture_is_no_panel(opened: list[Image.Image]) -> None:
    picture, box = shown("padding", opened[0], opened[1:])
    assert [overlap(panel, box) > 0.9 for panel in panels(picture)] == [True]


@pytest.mark.parametrize("size", [(1, 1), (9, 300), (3000, 2), (64, 64)])
def test_a_picture_of_any_size_may_be_asked(size: tuple[int, int]) -> None:
    assert panels(Image.new("RGB", size, "teal")) == []


def test_a_wall_of_tiles_has_no_more_panels_than_are_allowed() -> None:
    wall = Image.new("RGB", (600, 600), "white")
    random = np.random.default_rng(0)
    for place in range(36):
        tile = Image.fromarray(random.integers(0, 200, (8, 8, 3), dtype=np.uint8)).resize((94, 94))
        wall.paste(tile, (place % 6 * 100 + 3, place // 6 * 100 + 3))
    assert 0 < len(panels(wall)) <= MOST


def test_tiles_add_the_quarters_and_the_middle_of_any_picture(opened: list[Image.Image]) -> None:
    assert parts(opened[0], "whole") == []
    assert parts(opened[0], "panels") == []
    assert parts(opened[0], "tiles") == list(QUARTERS)


def test_a_label_tells_the_box() -> None:
    assert label_of((0.25, 0.0, 0.5, 1.0)) == "part 0.2500 0.0000 0.5000 1.0000"
    assert box_of(label_of((0.25, 0.0, 0.5, 1.0))) == (0.25, 0.0, 0.5, 1.0)
    assert [box_of(label) for label in ("whole", "frame 7", "whole, on black")] == [None] * 3
