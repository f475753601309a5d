"""The edit battery: seeded, complete, and each edit a change that leaves a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from moderator.edits import BATTERY, EDITS, PLAIN, Edit


@pytest.fixture(scope="module")
def cat(photographs: Path) -> Image.Image:
    with Image.open(photographs / "chelsea.png") as opened:
        return opened.convert("RGB")


def pixels(picture: Image.Image) -> tuple[tuple[int, int], bytes]:
    return picture.size, picture.tobytes()


def test_there_are_more_than_forty_edits_each_with_a_name_of_its_own() -> None:
    assert len(EDITS) == len(BATTERY) >= 40
    assert set(PLAIN) <= EDITS.keys()


@pytest.mark.parametrize("edit", BATTERY, ids=lambda edit: edit.name)
def test_an_edit_changes_the_picture_and_gives_the_same_pixels_for_the_same_seed(edit: Edit, cat: Image.Image) -> None:
    small = cat.resize((225, 150))
    first, again = edit.apply(small, 7), edit.apply(small, 7)
    assert pixels(first) == pixels(again)
    assert first.mode == "RGB"
    assert pixels(first) != pixels(small)


def test_another_seed_makes_another_crop(cat: Image.Image) -> None:
    crops = {pixels(EDITS["crop-70"].apply(cat, seed)) for seed in range(4)}
    assert len(crops) > 1


def test_what_was_edited_before_changes_nothing(cat: Image.Image) -> None:
    alone = EDITS["noise"].apply(cat, 1)
    EDITS["crop-50"].apply(cat, 1)
    assert pixels(EDITS["noise"].apply(cat, 1)) == pixels(alone)


@pytest.mark.parametrize("edit", BATTERY, ids=lambda edit: edit.name)
@pytest.mark.parametrize("size", [(1, 1), (9, 400), (400, 9), (1024, 1)], ids=str)
def test_an_edit_takes_pictures_of_odd_sizes(edit: Edit, size: tuple[int, int]) -> None:
    assert min(edit.apply(Image.new("RGB", size, "#336699"), 0).size) >= 1


def test_a_collage_sets_the_picture_among_the_others_it_is_given(cat: Image.Image) -> None:
    red = Image.new("RGB", (64, 64), "#ff0000")
    collage = np.asarray(EDITS["collage-2x2"].apply(cat, 0, [red]))
    quarters = [collage[50, 50], collage[50, 350], collage[350, 50], collage[350, 350]]
    assert sum(tuple(one) == (255, 0, 0) for one in quarters) == 3


@pytest.mark.parametrize("seed", range(12))
def test_a_palette_leaves_few_colours_and_greyscale_none(seed: int, cat: Image.Image) -> None:
    few = EDITS["palette"].apply(cat, seed).getcolors(maxcolors=32)
    assert few is not None
    grey = np.asarray(EDITS["greyscale"].apply(cat, seed))
    assert (grey == grey[..., :1]).all()


@pytest.mark.parametrize("seed", range(12))
def test_greyscale_keeps_black_and_white(seed: int) -> None:
    halves = Image.new("RGB", (40, 20), "white")
    halves.paste("black", (0, 0, 20, 20))
    assert pixels(EDITS["greyscale"].apply(halves, seed)) == pixels(halves)


@pytest.mark.parametrize("edit", ["bands", "laid-over", "censored"])
@pytest.mark.parametrize("size", [(300, 300), (400, 100), (100, 400)], ids=str)
@pytest.mark.parametrize("seed", range(6))
def test_what_is_laid_over_a_part_leaves_half_of_the_picture_or_more(
    edit: str, size: tuple[int, int], seed: int, cat: Image.Image
) -> None:
    before = cat.resize(size)
    same = (np.asarray(EDITS[edit].apply(before, seed)) == np.asarray(before)).all(axis=2)
    assert 0.5 <= same.mean() < 1


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_the_other_picture_may_be_of_any_mode(mode: str, cat: Image.Image) -> None:
    other = cat.resize((64, 64)).convert(mode)
    for edit in ("laid-over", "collage-2x2", "picture-in-picture"):
        assert EDITS[edit].apply(cat, 0, [other]).mode == "RGB"
