"""Colours of two aligned pictures: an edit of all of them is explained, another colour of a thing is not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderator.edits.tones import GREYS
from moderator.search.verify import signs
from moderator.search.verify.colour import colour
from moderator.search.verify.photometry import Blocks
from tests.search.tones import agreeing, plainly

Colour = tuple[int, int, int]


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
    weakest = signs.weakest(Blocks(yes, yes, yes, correlation, *plainly(tone, tone)))
    assert (weakest > 0.5) == (covered.mean() <= 0.2)


@given(st.floats(1.0, 1.6), st.integers(0, 2**32 - 1))
def test_a_brighter_copy_is_explained_though_it_is_clipped(gain: float, seed: int) -> None:
    dark = np.random.default_rng(seed).uniform(20, 235, (8, 8, 3)).astype(np.float32)
    told = colour(agreeing((dark * gain).clip(0, 255), dark))
    assert told.chroma < 0.2
    assert told.unexplained < 0.2


@given(st.floats(0.25, 0.9), st.tuples(st.floats(0.2, 1.0), st.floats(0.2, 1.0)), st.integers(0, 2**32 - 1))
def test_a_part_of_a_copy_under_a_vignette_keeps_its_colours_and_the_light_is_told(
    edge: float, shown: tuple[float, float], seed: int
) -> None:
    before = np.random.default_rng(seed).uniform(40, 215, (12, 16, 3)).astype(np.float32)
    down, across = np.meshgrid(*(np.linspace(1 - 2 * share, 1, n) for share, n in zip(shown, (12, 16), strict=True)))
    light = (1 - (1 - edge) * (down**2 + across**2) / 2).T[..., None].astype(np.float32)
    told = colour(agreeing(before * light, before))
    assert told.luma == told.chroma == 0
    assert told.misfit < 3
    assert told.shading == pytest.approx(np.log(light.max() / light.min()), abs=0.15)


@given(st.floats(-18, 18), st.integers(0, 2**32 - 1))
def test_a_filter_that_bends_the_channels_apart_is_explained(bend: float, seed: int) -> None:
    before = np.random.default_rng(seed).uniform(0, 255, (12, 16, 3)).astype(np.float32)
    middle = 4 * before / 255 * (1 - before / 255)
    after = (before * 0.8 + 25 + middle * (bend, 0, -bend)).astype(np.float32)
    told = colour(agreeing(after, before))
    assert told.misfit < 2.5


@given(st.floats(1.3, 1.6), st.integers(0, 2**32 - 1))
def test_a_brighter_copy_is_explained_where_half_of_a_block_is_clipped(gain: float, seed: int) -> None:
    levels = np.random.default_rng(seed).uniform(0, 255, (96, 96, 3)).astype(np.float32)
    means = levels.reshape(8, 12, 8, 12, 3).mean(axis=(1, 3)) + np.linspace(-80, 80, 8)[:, None, None]
    levels = (0.4 * levels + 0.6 * means.repeat(12, axis=0).repeat(12, axis=1)).clip(0, 255).astype(np.float32)
    told = colour(agreeing((gain * levels).clip(0, 255), levels, 12))
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
    told = colour(Blocks(yes, texture, texture, np.ones((8, 8), dtype=np.float32), *plainly(after, before)))
    assert told.part == pytest.approx(9)
    assert told.part_left > 20


@given(st.sampled_from(GREYS), st.floats(0.7, 1.3), st.integers(0, 2**32 - 1))
def test_greyscale_is_explained_by_whatever_weights_it_was_made(
    weights: tuple[float, ...], gain: float, seed: int
) -> None:
    before = np.random.default_rng(seed).uniform(0, 190, (12, 16, 3)).astype(np.float32)
    after = (before @ np.array(weights, np.float32) * gain)[..., None].repeat(3, axis=2)
    told = colour(agreeing(after, before))
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
    laid = np.random.default_rng(seed).choice([0, 255], (18, 18, 3))  # no one colour, which would be taken off
    veil[part] = seen * veil[part] + (1 - seen) * laid
    recoloured, veiled = (colour(agreeing(after, before, 3)) for after in (thing, veil))
    assert recoloured.bare < 0.1
    assert veiled.bare > 0.4


@given(st.tuples(*[st.floats(0.7, 1.3)] * 3), st.floats(120, 215), st.integers(0, 2**32 - 1))
def test_a_cast_over_a_grey_thing_on_white_is_explained(cast: tuple[float, ...], grey: float, seed: int) -> None:
    before = np.full((16, 16, 3), 255, np.float32)
    before[2:14, 2:14] = grey + np.random.default_rng(seed).uniform(-25, 25, (12, 12, 1))
    told = colour(agreeing((before * cast).clip(0, 255).astype(np.float32), before))
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
    assert colour(agreeing(after.clip(0, 255), before)).misfit > 3


@given(st.integers(0, 2**32 - 1))
def test_no_change_explains_a_dark_thing_made_bright_beside_one_that_stays(seed: int) -> None:
    random = np.random.default_rng(seed)
    before = np.full((48, 48, 3), 255, np.float32)
    before[12:42, 9:39] = 60 + random.uniform(-20, 20, (30, 30, 1))
    after = before.copy()
    after[12:42, 9:39] = 205 + (before[12:42, 9:39] - 60)
    for one in (before, after):
        one[3:12, 9:39] = np.array([205, 150, 120]) + random.uniform(-8, 8, (9, 30, 1))
    told = colour(agreeing(after, before, 3))
    assert max(told.luma, told.chroma) > 0.1
    assert told.part >= 9


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
    compared = Blocks(yes, hidden, ~hidden, one, *plainly(text, before, 4))
    assert (colour(compared).missing > 100) == recoloured
