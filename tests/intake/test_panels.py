"""Pictures that a picture shows are found as panels of it, and an ordinary photograph has none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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


def on_white(tiles: int, gutter: int) -> Image.Image:
    """Draws a collage on white of things on white, each cut off by the lower end of its tile."""
    sheet = Image.new("RGB", (150 * tiles, 150 * tiles), "white")
    for place in range(tiles * tiles):
        tile = Image.new("RGB", (150 - gutter, 150 - gutter), "white")
        left = 20 + 9 * (place % 5)
        ImageDraw.Draw(tile).ellipse((left, 40, left + 60, 220), fill=("navy", "brown", "teal")[place % 3])
        sheet.paste(tile, (place % tiles * 150 + gutter // 2, place // tiles * 150 + gutter // 2))
    return sheet


@pytest.mark.parametrize("tiles", [2, 3, 4])
def test_each_thing_on_white_in_an_even_collage_on_white_is_a_panel(tiles: int) -> None:
    found = panels(on_white(tiles, 4))
    cells = [
        (across / tiles, down / tiles, (across + 1) / tiles, (down + 1) / tiles)
        for down in range(tiles)
        for across in range(tiles)
    ]
    assert all(max(overlap(cell, panel) for panel in found) > 0.9 for cell in cells)


def test_one_thing_on_white_is_no_collage() -> None:
    sheet = Image.new("RGB", (600, 600), "white")
    ImageDraw.Draw(sheet).ellipse((170, 90, 430, 510), fill="navy")
    assert panels(sheet) == []


def test_a_picture_set_into_another_is_a_panel_though_a_third_of_one_side_is_not_seen(
    opened: list[Image.Image],
) -> None:
    ground, inset = opened[2].resize((640, 480)), opened[1].resize((240, 180))
    ground.paste(inset, (200, 150))
    ground.paste(inset.crop((150, 179, 240, 180)).resize((90, 30)), (350, 330))  # goes on below as it ends
    box = (200 / 640, 150 / 480, 440 / 640, 330 / 480)
    assert max(overlap(panel, box) for panel in panels(ground)) > 0.8


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


@given(st.integers(1, 700), st.integers(1, 60), st.integers(1, 40), st.integers(0, 1000))
@settings(max_examples=60)
def test_panels_of_any_picture_lie_in_it(long: int, short: int, coarse: int, seed: int) -> None:
    size = (max(1, short // coarse), max(1, long // coarse), 3)
    levels = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    picture = Image.fromarray(levels).resize((long, short), Image.Resampling.NEAREST)
    for left, top, right, bottom in panels(picture.rotate(90 * (seed % 2), expand=True)):
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1


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
