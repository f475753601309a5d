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


def test_there_are_some_thirty_edits_each_with_a_name_of_its_own() -> None:
    assert len(EDITS) == len(BATTERY) >= 30
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
@pytest.mark.parametrize("size", [(1, 1), (9, 400), (400, 9)], ids=str)
def test_an_edit_takes_pictures_of_odd_sizes(edit: Edit, size: tuple[int, int]) -> None:
    assert min(edit.apply(Image.new("RGB", size, "#336699"), 0).size) >= 1


def test_a_collage_sets_the_picture_among_the_others_it_is_given(cat: Image.Image) -> None:
    red = Image.new("RGB", (64, 64), "#ff0000")
    collage = np.asarray(EDITS["collage-2x2"].apply(cat, 0, [red]))
    quarters = [collage[50, 50], collage[50, 350], collage[350, 50], collage[350, 350]]
    assert sum(tuple(one) == (255, 0, 0) for one in quarters) == 3
