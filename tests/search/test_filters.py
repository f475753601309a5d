"""Filters, and what is laid over a picture, are taken off its colours; another colour of a thing is not."""

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from moderator.search.verify.colour import colour
from moderator.search.verify.filters.bands import banded
from moderator.search.verify.filters.covers import covered
from moderator.search.verify.filters.veil import veiled
from moderator.search.verify.photometry import Blocks
from tests.search.tones import Tones, agreeing, photograph, plainly, scene


def _posterised(cells: Tones, count: int, random: np.random.Generator) -> Tones:
    """The cells, of 4 pixels a side and each a little uneven, with so many levels of each channel."""
    pixels = cells.repeat(4, axis=0).repeat(4, axis=1) + random.normal(0, 6, (4 * len(cells), 4 * len(cells), 3))
    steps = np.floor(pixels.clip(0, 255) * count / 256) * 256 / count
    means: Tones = steps.reshape(len(cells), 4, len(cells), 4, 3).mean(axis=(1, 3)).astype(np.float32)
    return means


@given(st.sampled_from([2, 3, 4, 6, 8]), st.integers(0, 2**32 - 1))
def test_a_posterised_copy_keeps_its_colours(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    before = random.uniform(0, 255, (24, 24, 3)).astype(np.float32)
    told = colour(agreeing(_posterised(before, count, random), before, 3))
    assert told.luma == told.chroma == 0


@given(st.sampled_from([4, 6, 8]), st.integers(0, 2**32 - 1))
def test_a_recoloured_part_is_told_though_all_is_posterised(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    before = random.uniform(0, 255, (24, 24, 3)).astype(np.float32)
    before[6:15, 6:15] = 200, 60, 60
    other = before.copy()
    other[6:15, 6:15] = 60, 60, 200
    told = colour(agreeing(_posterised(other, count, random), before, 3))
    assert told.part >= 9


def _uneven(seed: int) -> Tones:
    """Returns cells that are dark or bright, with a part of one colour in their midst."""
    random = np.random.default_rng(seed)
    bright = random.random((24, 24, 1)) < 0.4
    before = np.where(bright, 190, 20) + random.integers(0, 40, (24, 24, 3))
    before[6:15, 6:15] = np.array([170, 50, 50]) + random.integers(0, 40, (9, 9, 1))
    return before.astype(np.float32)


def _equalised(cells: Tones, *, brightness: bool) -> Tones:
    pixels = cells.astype(np.uint8).repeat(8, axis=0).repeat(8, axis=1)  # Pillow equalises few pixels inexactly
    picture = Image.fromarray(pixels)
    if brightness:
        luma, *others = picture.convert("YCbCr").split()
        even = Image.merge("YCbCr", (ImageOps.equalize(luma), *others)).convert("RGB")
    else:
        even = ImageOps.equalize(picture)
    return np.asarray(even, dtype=np.float32)[::8, ::8]


@given(st.booleans(), st.integers(0, 2**32 - 1))
def test_an_equalised_copy_keeps_its_colours(brightness: bool, seed: int) -> None:
    before = _uneven(seed)
    told = colour(agreeing(_equalised(before, brightness=brightness), before, 3))
    assert told.luma == told.chroma == 0
    assert told.misfit < 2.5


@given(st.booleans(), st.integers(0, 2**32 - 1))
def test_a_recoloured_part_is_told_though_all_is_equalised(brightness: bool, seed: int) -> None:
    before = _uneven(seed)
    other = before.copy()
    other[6:15, 6:15] = before[6:15, 6:15, ::-1]
    told = colour(agreeing(_equalised(other, brightness=brightness), before, 3))
    assert told.part >= 3
    assert told.misfit > 2.5


def _clearer(cells: Tones, amount: float) -> Tones:
    around = cv2.GaussianBlur(cells, (0, 0), 0.05 * len(cells))
    return (cells + amount * (cells - around)).clip(0, 255)


def _under_a_gradient(cells: Tones, share: float) -> Tones:
    along = np.linspace(0, 1, len(cells), dtype=np.float32)[:, None, None]
    laid = along * np.array([250, 20, 60], np.float32) + (1 - along) * np.array([20, 90, 250], np.float32)
    return (1 - share) * cells + share * laid


def _under_bands(cells: Tones) -> Tones:
    """Two slanting bands of one colour, seen through by a half."""
    down, across = np.indices(cells.shape[:2])
    under = np.mod(2 * down + across, 60)[..., None] < 16
    return np.where(under, 0.5 * cells + 0.5 * np.array([30, 190, 120], np.float32), cells)


def _crushed(cells: Tones) -> Tones:
    """What JPEG at quality 5 leaves of cells, each of which is a block of its pixels."""
    stream = io.BytesIO()
    picture = Image.fromarray(cells.round().astype(np.uint8)).resize((16 * cells.shape[1], 16 * cells.shape[0]), 0)
    picture.save(stream, "JPEG", quality=5)
    return np.asarray(Image.open(stream).convert("RGB").reduce(16), dtype=np.float32)


def _indexed(cells: Tones) -> Tones:
    picture = Image.fromarray(cells.round().astype(np.uint8)).quantize(12, dither=Image.Dither.NONE)
    return np.asarray(picture.convert("RGB"), dtype=np.float32)


def _hazy(cells: Tones) -> Tones:
    """Under a cloud of one light colour, three fifths thick where it is thickest."""
    cloud = np.outer(*[np.sin(np.linspace(0, np.pi, side)) for side in cells.shape[:2]])[..., None] * 0.6
    hazy: Tones = ((1 - cloud) * cells + cloud * np.array([250, 235, 210])).astype(np.float32)
    return hazy


def _lit_from_a_side(cells: Tones) -> Tones:
    """With warm light that falls in from one side, where it hides what is there."""
    light = (0.9 - 1.6 * np.linspace(0, 1, cells.shape[1]))[None, :, None].clip(0, 1) * np.array([1.0, 0.5, 0.2])
    lit: Tones = (255 - (255 - cells) * (1 - light)).astype(np.float32)
    return lit


def _in_a_spotlight(cells: Tones) -> Tones:
    """Dark but for its middle."""
    lit = np.outer(*[np.sin(np.linspace(0, np.pi, side)) for side in cells.shape[:2]])[..., None]
    return cells * (0.2 + 0.8 * lit).astype(np.float32)


def _in_other_hues(cells: Tones) -> Tones:
    """With all hues turned by a third, which exchanges channels."""
    return np.ascontiguousarray(cells[..., [1, 2, 0]])


def _in_parts(cells: Tones) -> Tones:
    """Each part of it brighter or darker, in contrast of its own."""
    down, across = (np.cos(np.linspace(0, 2 * np.pi, side)) for side in cells.shape[:2])
    grey = cells @ np.array([0.299, 0.587, 0.114])
    more = (0.3 * down[:, None]) * (grey - 128) + 25 * across
    brighter: Tones = (cells + more[..., None]).clip(0, 255).astype(np.float32)
    return brighter


def _drawn_apart(cells: Tones) -> Tones:
    red, green, blue = np.moveaxis(cells, 2, 0)
    return np.stack([np.roll(red, 1, axis=1), green, np.roll(blue, -1, axis=1)], axis=2)


def _labelled(cells: Tones) -> Tones:
    """With a strip, on which something is written, and a badge, each of one colour."""
    labelled = cells.copy()
    labelled[38:45] = 30, 60, 200
    labelled[40:43, 10:38:3] = 255
    labelled[3:11, 30:40] = 250, 210, 40
    return labelled


FILTERS: dict[str, Callable[[Tones], Tones]] = {
    "jpeg": _crushed,
    "clarity": lambda cells: _clearer(cells, 1.2),
    "gradient": lambda cells: _under_a_gradient(cells, 0.4),
}
OF_PHOTOGRAPHS = {
    "one under haze": _hazy,
    "light fallen into one": _lit_from_a_side,
    "one in shade": _in_a_spotlight,
    "one in other hues": _in_other_hues,
    "parts of one brightened or darkened": _in_parts,
    "red, green and blue of one drawn apart": _drawn_apart,
    "patches of one colour over one": _labelled,
}


@pytest.mark.parametrize("name", FILTERS)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_filtered_copy_keeps_its_colours(name: str, seed: int) -> None:
    before, _ = scene(seed)
    told = colour(agreeing(FILTERS[name](before), before, 3))
    assert told.luma == told.chroma == 0
    assert told.misfit < 5


@pytest.mark.parametrize("edit", [_under_bands, _indexed])
@pytest.mark.parametrize("seed", range(12))  # one scene in twenty has an edge of its own where a band has one
def test_under_bands_or_in_a_palette_nearly_all_of_a_copy_keeps_its_colours(
    edit: Callable[[Tones], Tones], seed: int
) -> None:
    before, _ = scene(seed)
    told = colour(agreeing(edit(before), before, 3))
    assert max(told.luma, told.chroma) < 0.1
    assert told.unexplained < 0.25


@pytest.mark.parametrize("edit", [*FILTERS.values(), _under_bands, _indexed])
@given(seed=st.integers(0, 2**32 - 1))
def test_a_recoloured_thing_is_told_though_all_is_filtered(edit: Callable[[Tones], Tones], seed: int) -> None:
    before, other = scene(seed)
    told = colour(agreeing(edit(other), before, 3))
    assert told.part >= 25


@pytest.mark.parametrize("words", OF_PHOTOGRAPHS)
@pytest.mark.parametrize("seed", range(12))
def test_what_was_done_to_a_photograph_is_told_and_nearly_all_of_it_keeps_its_colours(words: str, seed: int) -> None:
    before, _ = photograph(seed)
    told = colour(agreeing(OF_PHOTOGRAPHS[words](before), before, 3))
    assert told.words == words
    assert max(told.luma, told.chroma) < 0.1
    assert told.unexplained < 0.25


@pytest.mark.parametrize("words", OF_PHOTOGRAPHS)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_recoloured_thing_is_told_though_that_was_done_to_all(words: str, seed: int) -> None:
    before, other = photograph(seed)
    told = colour(agreeing(OF_PHOTOGRAPHS[words](other), before, 3))
    assert told.part >= 25


@given(st.integers(0, 2**32 - 1))
def test_on_a_grey_ground_a_thing_in_other_hues_is_a_thing_in_another_colour(seed: int) -> None:
    before, _ = photograph(seed)
    ground = before.mean(axis=2, keepdims=True).repeat(3, axis=2)
    ground[12:33, 12:33] = before[12:33, 12:33]
    told = colour(agreeing(_in_other_hues(ground), ground, 3))
    assert told.words == ""
    assert told.part >= 25


@given(st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_a_strip_from_border_to_border_in_another_colour_is_no_band(top: int, seed: int) -> None:
    before, _ = scene(seed)
    random = np.random.default_rng(seed)
    before[top : top + 8] = np.array([180, 60, 60]) + random.integers(-25, 25, (8, 48, 1))
    other = before.copy()
    other[top : top + 8] = before[top : top + 8, :, ::-1]
    assert colour(agreeing(other, before, 3)).part >= 8
    shown = np.ones((48, 48), dtype=np.bool_)
    one, both = before.astype(np.float64), other.astype(np.float64)
    assert np.array_equal(banded(both, one, shown), one)


@given(st.floats(0.25, 0.9), st.integers(0, 2**32 - 1))
def test_a_gradient_is_taken_off_unless_it_hides_the_picture(through: float, seed: int) -> None:
    before = np.random.default_rng(seed).uniform(0, 255, (24, 32, 3))
    seen = through * before + (1 - through) * np.linspace((20, 90, 250), (250, 20, 60), 24)[:, None]
    down, across = np.indices((24, 32), dtype=np.int64).reshape(2, -1)
    found = veiled(seen, before, (down, across))
    if through > 0.41:
        assert np.abs(found - seen).max() < 1
    elif through < 0.39:
        assert found is before


@given(st.tuples(*[st.integers(0, 255)] * 3), st.integers(0, 2**32 - 1))
def test_a_flat_thing_in_another_colour_is_no_patch_laid_over_it(other: tuple[int, int, int], seed: int) -> None:
    before, _ = scene(seed)
    before[12:33, 12:33] = 190, 60, 50
    after = before.copy()
    after[12:33, 12:33] = other
    shown = np.ones((48, 48), dtype=np.bool_)
    for one, both in ((before, after), (after, before)):
        assert np.array_equal(covered(both.astype(np.float64), one.astype(np.float64), shown), one)


def _before_another(cells: Tones, background: Tones, things: Tones) -> Blocks:
    """The scene's thing, whose blocks alone agree, before a background of one colour; beside the scene as it is."""
    after = background.copy()
    after[12:33, 12:33] = things[12:33, 12:33]
    agrees = np.zeros((16, 16), dtype=np.bool_)
    agrees[4:11, 4:11] = True
    yes = np.ones((16, 16), dtype=np.bool_)
    return Blocks(yes, agrees, agrees, agrees.astype(np.float32), *plainly(after, cells, 3))


@pytest.mark.parametrize("behind", [(0, 0, 0), (255, 255, 255), (250, 30, 60), (30, 60, 200)], ids=str)
@pytest.mark.parametrize("seed", range(6))
def test_a_thing_before_another_background_keeps_its_colours_and_is_told_so(
    behind: tuple[int, int, int], seed: int
) -> None:
    before, other = scene(seed)
    before[:12] = before[33:] = before[:, :12] = before[:, 33:] = 120, 160, 90
    background = np.full_like(before, behind)
    same, recoloured = (colour(_before_another(before, background, thing)) for thing in (before, other))
    assert max(same.luma, same.chroma, same.plain_chroma) == 0
    assert same.words == "one before another background"
    assert recoloured.part >= 25


@given(st.integers(0, 2**32 - 1))
def test_another_thing_before_the_same_background_is_told(seed: int) -> None:
    before, other = scene(seed)
    before[:12] = before[33:] = before[:, :12] = before[:, 33:] = 120, 160, 90
    assert colour(_before_another(before, before, other)).part >= 25
