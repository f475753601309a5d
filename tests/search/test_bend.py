"""A picture bent as if it were printed on rubber: the bend is found, taken off, and told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from moderator.edits import EDITS
from moderator.policy import Verify
from moderator.search.verify import signs, verify
from moderator.search.verify.bend import grown
from tests.search.pictures import local

Points = npt.NDArray[np.float64]
SIDE = 480.0


@pytest.fixture(scope="module", params=["chelsea", "coffee", "motorcycle_left"])
def photograph(request: pytest.FixtureRequest, photographs: Path) -> Image.Image:
    with Image.open(photographs / f"{request.param}.png") as opened:
        return opened.convert("RGB")


def waved(at: Points, waves: float, height: float) -> Points:
    """Returns by how much points are moved by waves, so many to a side and so many pixels high."""
    return height * np.sin(2 * np.pi * waves * at[:, ::-1] / SIDE)


def scattered(seed: int, count: int = 300) -> Points:
    return np.random.default_rng(seed).uniform(0, SIDE, (count, 2))


@pytest.mark.parametrize("seed", range(3))
def test_a_bent_copy_is_told_and_so_is_that_it_is_bent(seed: int, photograph: Image.Image) -> None:
    told = verify(local(EDITS["bend"].apply(photograph, seed)), local(photograph))
    assert told.copy >= Verify().probability
    assert told.note.endswith("one picture bent")


@pytest.mark.parametrize("edit", ["crop-70", "rotate-25", "jpeg-30", "mirror", "caption", "perspective", "squash"])
def test_what_is_not_bent_is_not_told_so(edit: str, photograph: Image.Image) -> None:
    (measured,) = signs.measure(local(EDITS[edit].apply(photograph, 1)), local(photograph))
    assert measured.bends == (None, None)


def test_a_region_lies_where_it_is_in_the_bent_picture(photograph: Image.Image) -> None:
    bent = EDITS["bend"].apply(photograph, 0)
    canvas = Image.new("RGB", (photograph.width * 4 // 3, photograph.height), "white")
    canvas.paste(bent, (canvas.width - photograph.width, 0))
    for first, second in ((canvas, photograph), (photograph, canvas)):
        region = verify(local(first), local(second)).region
        assert region is not None
        part, whole = (region.image, region.match) if first is canvas else (region.match, region.image)
        assert min(x for x, _ in part) >= 0.22
        assert max(x for x, _ in whole) - min(x for x, _ in whole) > 0.8


@settings(max_examples=25)
@given(st.floats(0.3, 0.8), st.floats(10, 16), st.integers(0, 2**32 - 1))
def test_a_bend_grows_from_where_the_map_holds_to_all_that_matches(waves: float, height: float, seed: int) -> None:
    at = scattered(seed)
    moved = waved(at, waves, height)
    near = np.linalg.norm(moved - moved[0], axis=1) <= 3
    found = grown(at, moved - moved[0], near, SIDE, 3.0)
    if 12 <= near.sum() < 240:
        assert found is not None
        bend, explained = found
        assert explained.mean() > 0.95
        elsewhere = at[explained] + 1
        expected = waved(elsewhere, waves, height) - moved[0]
        assert np.linalg.norm(bend.away(elsewhere) - expected, axis=1).mean() < 1


@given(st.integers(0, 2**32 - 1))
def test_matches_by_chance_are_no_bend(seed: int) -> None:
    at = scattered(seed, 200)
    moved = scattered(seed + 1, 200) - at
    moved[:20] = 0
    assert grown(at, moved, np.arange(200) < 20, SIDE, 3.0) is None


@given(st.integers(0, 2**32 - 1))
def test_no_bend_explains_what_is_turned_inside_out(seed: int) -> None:
    at = scattered(seed)
    away = at - SIDE / 2
    distance = np.linalg.norm(away, axis=1)
    moved = -2.2 * away * np.exp(-((distance / 80) ** 2))[:, None]  # up to 71 pixels from the middle
    found = grown(at, moved, distance > 200, SIDE, 3.0)
    assert found is None or np.count_nonzero(distance[found[1]] < 60) <= 2
