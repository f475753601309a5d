"""Colours of two aligned pictures: an edit of all of them is explained, another colour of a thing is not."""

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from moderator.edits.tones import GREYS
from moderator.search.verify import signs
from moderator.search.verify.colour import colour
from moderator.search.verify.filters.bands import banded
from moderator.search.verify.filters.veil import veiled
from moderator.search.verify.photometry import Blocks

Tones = npt.NDArray[np.float32]
Colour = tuple[int, int, int]


def _plainly(after: Tones, before: Tones, side: int = 1) -> tuple[Tones, ...]:
    """Colours of cells, so many a side of each block, and how many levels of each block stand at either end."""
    rows, columns = after.shape[0] // side, after.shape[1] // side
    blocks = (one.reshape(rows, side, columns, side, 3) for one in (after, before))
    ends = (np.stack([(one <= 5).mean(axis=(1, 3)), (one >= 250).mean(axis=(1, 3))]) for one in blocks)
    return after, before, *(one.astype(np.float32) for one in ends)


def _agreeing(after: Tones, before: Tones, side: int = 1) -> Blocks:
    """Blocks that agree in texture everywhere, whose cells, so many a side, have these colours."""
    grid = after.shape[0] // side, after.shape[1] // side
    yes, one = np.ones(grid, dtype=np.bool_), np.ones(grid, dtype=np.float32)
    return Blocks(yes, yes, yes, one, *_plainly(after, before, side))


@given(st.integers(0, 2**32 - 1))
def test_what_colours_leave_unexplained_is_the_same_from_either_side(seed: int) -> None:
    random = np.random.default_rng(seed)
    yes = np.ones((6, 8), dtype=np.bool_)
    ours, theirs = random.uniform(0, 255, (2, 6, 8, 3)).astype(np.float32)
    correlation = random.uniform(-1, 1, (6, 8)).astype(np.float32)
    ends = random.uniform(0, 0.5, (2, 2, 6, 8, 3)).astype(np.float32)
    either = (
        Blocks(yes, yes, yes, correlation, *colours)
        for colours in ((ours, theirs, *ends), (theirs, ours, *reversed(ends)))
    )
    assert colour(next(either)) == colour(next(either))


@given(st.floats(0.0, 1.0), st.integers(0, 2**32 - 1))
def test_what_is_laid_over_less_than_a_fifth_leaves_the_weakest_blocks_alone(share: float, seed: int) -> None:
    yes, tone = np.ones((10, 20), dtype=np.bool_), np.zeros((10, 20, 3), dtype=np.float32)
    covered = np.random.default_rng(seed).permutation(200).reshape(10, 20) < share * 200
    correlation = np.where(covered, 0.0, 0.9).astype(np.float32)
    weakest = signs.weakest(Blocks(yes, yes, yes, correlation, *_plainly(tone, tone)))
    assert (weakest > 0.5) == (covered.mean() <= 0.2)


@given(st.floats(1.0, 1.6), st.integers(0, 2**32 - 1))
def test_a_brighter_copy_is_explained_though_it_is_clipped(gain: float, seed: int) -> None:
    dark = np.random.default_rng(seed).uniform(20, 235, (8, 8, 3)).astype(np.float32)
    told = colour(_agreeing((dark * gain).clip(0, 255), dark))
    assert told.chroma < 0.2
    assert told.unexplained < 0.2


@given(st.floats(0.25, 0.9), st.tuples(st.floats(0.2, 1.0), st.floats(0.2, 1.0)), st.integers(0, 2**32 - 1))
def test_a_part_of_a_copy_under_a_vignette_keeps_its_colours_and_the_light_is_told(
    edge: float, shown: tuple[float, float], seed: int
) -> None:
    before = np.random.default_rng(seed).uniform(40, 215, (12, 16, 3)).astype(np.float32)
    down, across = np.meshgrid(*(np.linspace(1 - 2 * share, 1, n) for share, n in zip(shown, (12, 16), strict=True)))
    light = (1 - (1 - edge) * (down**2 + across**2) / 2).T[..., None].astype(np.float32)
    told = colour(_agreeing(before * light, before))
    assert told.luma == told.chroma == 0
    assert told.misfit < 3
    assert told.shading == pytest.approx(np.log(light.max() / light.min()), abs=0.15)


@given(st.floats(-18, 18), st.integers(0, 2**32 - 1))
def test_a_filter_that_bends_the_channels_apart_is_explained(bend: float, seed: int) -> None:
    before = np.random.default_rng(seed).uniform(0, 255, (12, 16, 3)).astype(np.float32)
    middle = 4 * before / 255 * (1 - before / 255)
    after = (before * 0.8 + 25 + middle * (bend, 0, -bend)).astype(np.float32)
    told = colour(_agreeing(after, before))
    assert told.misfit < 2.5


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
    told = colour(_agreeing(_posterised(before, count, random), before, 3))
    assert told.luma == told.chroma == 0


@given(st.sampled_from([4, 6, 8]), st.integers(0, 2**32 - 1))
def test_a_recoloured_part_is_told_though_all_is_posterised(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    before = random.uniform(0, 255, (24, 24, 3)).astype(np.float32)
    before[6:15, 6:15] = 200, 60, 60
    other = before.copy()
    other[6:15, 6:15] = 60, 60, 200
    told = colour(_agreeing(_posterised(other, count, random), before, 3))
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
    told = colour(_agreeing(_equalised(before, brightness=brightness), before, 3))
    assert told.luma == told.chroma == 0
    assert told.misfit < 2.5


@given(st.booleans(), st.integers(0, 2**32 - 1))
def test_a_recoloured_part_is_told_though_all_is_equalised(brightness: bool, seed: int) -> None:
    before = _uneven(seed)
    other = before.copy()
    other[6:15, 6:15] = before[6:15, 6:15, ::-1]
    told = colour(_agreeing(_equalised(other, brightness=brightness), before, 3))
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


FILTERS: dict[str, Callable[[Tones], Tones]] = {
    "jpeg": _crushed,
    "clarity": lambda cells: _clearer(cells, 1.2),
    "gradient": lambda cells: _under_a_gradient(cells, 0.4),
}


def _scene(seed: int) -> tuple[Tones, Tones]:
    """Returns cells of dark and bright fields, and the same with a thing in their midst in another colour."""
    random = np.random.default_rng(seed)
    fields = random.integers(40, 215, (6, 6, 1)).repeat(8, axis=0).repeat(8, axis=1)
    before = (fields + random.integers(-25, 25, (48, 48, 3))).astype(np.float32)
    before[12:33, 12:33] = np.array([190, 60, 50]) + random.integers(-25, 25, (21, 21, 1))
    other = before.copy()
    other[12:33, 12:33] = before[12:33, 12:33, ::-1]
    return before, other


@pytest.mark.parametrize("name", FILTERS)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_filtered_copy_keeps_its_colours(name: str, seed: int) -> None:
    before, _ = _scene(seed)
    told = colour(_agreeing(FILTERS[name](before), before, 3))
    assert told.luma == told.chroma == 0
    assert told.misfit < 5


@pytest.mark.parametrize("edit", [_under_bands, _indexed])
@pytest.mark.parametrize("seed", range(12))  # one scene in twenty has an edge of its own where a band has one
def test_under_bands_or_in_a_palette_nearly_all_of_a_copy_keeps_its_colours(
    edit: Callable[[Tones], Tones], seed: int
) -> None:
    before, _ = _scene(seed)
    told = colour(_agreeing(edit(before), before, 3))
    assert max(told.luma, told.chroma) < 0.1
    assert told.unexplained < 0.25


@pytest.mark.parametrize("edit", [*FILTERS.values(), _under_bands, _indexed])
@given(seed=st.integers(0, 2**32 - 1))
def test_a_recoloured_thing_is_told_though_all_is_filtered(edit: Callable[[Tones], Tones], seed: int) -> None:
    before, other = _scene(seed)
    told = colour(_agreeing(edit(other), before, 3))
    assert told.part >= 25


@given(st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_a_strip_from_border_to_border_in_another_colour_is_no_band(top: int, seed: int) -> None:
    before, _ = _scene(seed)
    random = np.random.default_rng(seed)
    before[top : top + 8] = np.array([180, 60, 60]) + random.integers(-25, 25, (8, 48, 1))
    other = before.copy()
    other[top : top + 8] = before[top : top + 8, :, ::-1]
    assert colour(_agreeing(other, before, 3)).part >= 8
    shown = np.ones((48, 48), dtype=np.bool_)
    one, both = before.astype(np.float64), other.astype(np.float64)
    assert np.array_equal(banded(both, one, shown), one)


@given(st.floats(1.3, 1.6), st.integers(0, 2**32 - 1))
def test_a_brighter_copy_is_explained_where_half_of_a_block_is_clipped(gain: float, seed: int) -> None:
    levels = np.random.default_rng(seed).uniform(0, 255, (96, 96, 3)).astype(np.float32)
    means = levels.reshape(8, 12, 8, 12, 3).mean(axis=(1, 3)) + np.linspace(-80, 80, 8)[:, None, None]
    levels = (0.4 * levels + 0.6 * means.repeat(12, axis=0).repeat(12, axis=1)).clip(0, 255).astype(np.float32)
    told = colour(_agreeing((gain * levels).clip(0, 255), levels, 12))
    assert told.luma == told.chroma == 0


@given(st.integers(0, 2**32 - 1))
def test_a_plain_part_in_another_colour_is_told(seed: int) -> None:
    random = np.random.default_rng(seed)
    yes = np.ones((8, 8), dtype=np.bool_)
    before = random.uniform(40, 215, (8, 8, 3)).astype(np.float32)
    before[2:5, 2:5] = 230
    after = before.copy()
    after[2:5, 2:5] = 230, 200, 150
    texture = yes.copy()
    texture[2:5, 2:5] = False
    told = colour(Blocks(yes, texture, texture, np.ones((8, 8), dtype=np.float32), *_plainly(after, before)))
    assert told.part == pytest.approx(9)
    assert told.part_left > 20


@given(st.sampled_from(GREYS), st.floats(0.7, 1.3), st.integers(0, 2**32 - 1))
def test_greyscale_is_explained_by_whatever_weights_it_was_made(
    weights: tuple[float, ...], gain: float, seed: int
) -> None:
    before = np.random.default_rng(seed).uniform(0, 190, (12, 16, 3)).astype(np.float32)
    after = (before @ np.array(weights, np.float32) * gain)[..., None].repeat(3, axis=2)
    told = colour(_agreeing(after, before))
    assert told.luma == told.chroma == 0


@given(*[st.sampled_from([0, 1, 4, 9, 12])] * 2, st.floats(0.4, 0.65), st.integers(0, 2**32 - 1))
def test_what_is_laid_over_ends_where_the_picture_has_no_edge_and_a_thing_where_it_does(
    top: int, left: int, seen: float, seed: int
) -> None:
    ramp, noise = np.linspace(60, 180, 60), np.random.default_rng(seed).uniform(0, 3, (60, 60, 3))
    before = (noise + np.stack(np.broadcast_arrays(ramp, 120.0, ramp[:, None]), axis=2)).astype(np.float32)
    before[18:42, 18:42] = 230
    thing, veil = before.copy(), before.copy()
    thing[18:42, 18:42] = 200, 60, 60
    part = np.s_[3 * top : 3 * top + 18, 3 * left : 3 * left + 18]
    veil[part] = seen * veil[part] + (1 - seen) * np.array([0, 0, 255])
    recoloured, veiled = (colour(_agreeing(after, before, 3)) for after in (thing, veil))
    assert recoloured.bare < 0.1
    assert veiled.bare > 0.4


@given(st.tuples(*[st.floats(0.7, 1.3)] * 3), st.floats(120, 215), st.integers(0, 2**32 - 1))
def test_a_cast_over_a_grey_thing_on_white_is_explained(cast: tuple[float, ...], grey: float, seed: int) -> None:
    before = np.full((16, 16, 3), 255, np.float32)
    before[2:14, 2:14] = grey + np.random.default_rng(seed).uniform(-25, 25, (12, 12, 1))
    told = colour(_agreeing((before * cast).clip(0, 255).astype(np.float32), before))
    assert max(told.luma, told.chroma) < 0.1


@given(
    st.sampled_from([((40, 60, 150), (215, 120, 60)), ((35, 35, 35), (210, 210, 210))]),
    st.integers(0, 2**32 - 1),
)
def test_no_change_explains_a_thing_of_one_colour_on_white_in_another(
    colours: tuple[Colour, Colour], seed: int
) -> None:
    weave = np.random.default_rng(seed).uniform(-25, 25, (12, 12, 1))
    before, after = (np.full((16, 16, 3), 255, np.float32) for _ in range(2))
    before[2:14, 2:14], after[2:14, 2:14] = (one + weave for one in colours)
    assert colour(_agreeing(after.clip(0, 255), before)).misfit > 3


@given(st.integers(0, 2**32 - 1))
def test_no_change_explains_a_dark_thing_made_bright_beside_one_that_stays(seed: int) -> None:
    random = np.random.default_rng(seed)
    before = np.full((48, 48, 3), 255, np.float32)
    before[12:42, 9:39] = 60 + random.uniform(-20, 20, (30, 30, 1))
    after = before.copy()
    after[12:42, 9:39] = 205 + (before[12:42, 9:39] - 60)
    for one in (before, after):
        one[3:12, 9:39] = np.array([205, 150, 120]) + random.uniform(-8, 8, (9, 30, 1))
    told = colour(_agreeing(after, before, 3))
    assert max(told.luma, told.chroma) > 0.1
    assert told.part >= 9


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


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_a_colour_that_shows_nowhere_between_the_letters_of_a_text_is_missing(seed: int, recoloured: bool) -> None:
    random = np.random.default_rng(seed)
    before = random.uniform(90, 110, (40, 40, 3)).astype(np.float32)
    before[10:30, 10:30] = 220, 30, 40
    text = before.copy()
    if recoloured:
        text[10:30, 10:30] = 240, 240, 120
    letters: npt.NDArray[np.bool_] = random.random((40, 40)) < 0.6
    letters[:8] = letters[32:] = False
    text[letters] = 255
    hidden: npt.NDArray[np.bool_] = np.logical_or.reduce(letters.reshape(10, 4, 10, 4), (1, 3))
    yes, one = np.ones_like(hidden), (~hidden).astype(np.float32)
    compared = Blocks(yes, hidden, ~hidden, one, *_plainly(text, before, 4))
    assert (colour(compared).missing > 100) == recoloured
