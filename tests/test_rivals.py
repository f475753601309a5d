"""One place of a picture is a copy of at most one of several that are no copies of one another."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from moderator.models import VERIFIED, Evidence, Kind, Match, Region
from moderator.rivals import CLEARLY, beside_rivals
from moderator.verified import Pair

ASKED = 0.9
LEFT, RIGHT, ALL = (0.0, 0.0, 0.4, 1.0), (0.6, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0)
RED, GREEN = 1, 2


def verified(
    other: int, probability: float, box: tuple[float, float, float, float] = ALL, misfit: float | None = None
) -> Match:
    """The match of the picture 0 that verification tells with this probability and misfit, in a box of it."""
    left, top, right, bottom = box
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    region = Region(corners, corners, (right - left) * (bottom - top), 1.0)
    rung = Evidence(VERIFIED, Kind.EDITED_COPY, probability, ASKED, "90 keypoints agree", region, misfit)
    return Match(0, other, (*settled(pixels=False), rung, Evidence("sscd", Kind.EDITED_COPY, 0.8, 0.6)))


def settled(*, pixels: bool) -> tuple[Evidence, ...]:
    """The rungs of bytes and of pixels."""
    return Evidence("bytes", Kind.COPY, 0.0, 1.0), Evidence("pixels", Kind.COPY, float(pixels), 1.0)


def told(*matches: Match, alike: float = 0.0, sets: Mapping[int, frozenset[str]] | None = None) -> dict[int, Kind]:
    """What each match is beside the others, any two of which are copies of one another with one probability."""

    def all_alike(pairs: Collection[Pair]) -> dict[Pair, float]:
        return dict.fromkeys(pairs, alike)

    return {one.other: one.kind for one in beside_rivals(matches, all_alike, sets or {})}


def test_of_two_colours_of_a_thing_the_closer_one_is_the_original_and_the_other_a_variant() -> None:
    beside = told(verified(RED, 0.999), verified(GREEN, 0.95))
    assert beside == {RED: Kind.EDITED_COPY, GREEN: Kind.VARIANT}


def test_of_two_that_are_as_likely_the_one_whose_colours_fit_better_is_the_original() -> None:
    beside = told(verified(RED, 0.99, misfit=0.5), verified(GREEN, 0.99, misfit=2.0))
    assert beside == {RED: Kind.EDITED_COPY, GREEN: Kind.VARIANT}


def test_the_one_whose_colours_fit_better_is_the_original_even_of_one_that_is_a_little_likelier() -> None:
    beside = told(verified(RED, 0.991, misfit=4.9), verified(GREEN, 0.997, misfit=6.8))
    assert beside == {RED: Kind.EDITED_COPY, GREEN: Kind.VARIANT}


@pytest.mark.parametrize("misfit", [None, 0.5])
def test_two_whose_colours_fit_as_well_or_are_not_known_go_by_what_is_likelier(misfit: float | None) -> None:
    beside = told(verified(RED, 0.999, misfit=0.5), verified(GREEN, 0.95, misfit=misfit))
    assert beside == {RED: Kind.EDITED_COPY, GREEN: Kind.VARIANT}


def test_what_verification_found_stays_in_the_evidence_with_why_it_is_no_copy() -> None:
    _, match = beside_rivals([verified(RED, 0.999), verified(GREEN, 0.95)], lambda pairs: dict.fromkeys(pairs, 0.0), {})
    (rung,) = [one for one in match.evidence if one.signal == VERIFIED]
    assert match.refuted
    assert rung.note == "90 keypoints agree; another picture is closer there"
    assert rung.region == verified(GREEN, 0.95).evidence[2].region


@pytest.mark.parametrize("alike", [0.0, 1.0])
def test_two_that_are_equally_close_are_both_told(alike: float) -> None:
    both = {RED: Kind.EDITED_COPY, GREEN: Kind.EDITED_COPY}
    odds = 0.95 / 0.05 * CLEARLY * 0.99
    assert told(verified(RED, odds / (1 + odds)), verified(GREEN, 0.95), alike=alike) == both


def test_of_two_copies_of_one_another_both_are_told_however_much_closer_one_is() -> None:
    beside = told(verified(RED, 0.9999), verified(GREEN, 0.95), alike=0.99)
    assert beside == {RED: Kind.EDITED_COPY, GREEN: Kind.EDITED_COPY}


def test_a_match_in_another_place_of_a_collage_is_no_rival() -> None:
    beside = told(verified(RED, 0.9999, LEFT), verified(GREEN, 0.95, RIGHT))
    assert beside == {RED: Kind.EDITED_COPY, GREEN: Kind.EDITED_COPY}


def test_a_match_of_a_small_part_is_no_rival_of_one_of_the_whole() -> None:
    beside = told(verified(RED, 0.9999, LEFT), verified(GREEN, 0.95, ALL))
    assert beside == {RED: Kind.EDITED_COPY, GREEN: Kind.EDITED_COPY}


def test_identical_pixels_outdo_a_variant_and_are_outdone_by_nothing() -> None:
    same = Match(0, RED, settled(pixels=True))
    assert told(same, verified(GREEN, 0.9999)) == {RED: Kind.COPY, GREEN: Kind.VARIANT}


def test_no_reference_set_loses_a_picture_to_another_set() -> None:
    sets = {RED: frozenset({"fine"}), GREEN: frozenset({"banned"})}
    assert told(verified(RED, 0.9999), verified(GREEN, 0.95), sets=sets)[GREEN] is Kind.EDITED_COPY
    sets[RED] = frozenset({"fine", "banned"})
    assert told(verified(RED, 0.9999), verified(GREEN, 0.95), sets=sets)[GREEN] is Kind.VARIANT


def test_a_match_that_is_no_copy_by_itself_is_left_as_it_is() -> None:
    weak = verified(GREEN, 0.7)
    assert list(beside_rivals([verified(RED, 0.9999), weak], lambda pairs: dict.fromkeys(pairs, 0.0), {}))[1] is weak


def test_of_three_of_which_one_is_known_without_pixels_one_stays_a_copy() -> None:
    """Each would outdo another one where the fit of colours counted for those two alone of which it is known."""
    blue = 3
    beside = told(verified(RED, 0.999, misfit=2.0), verified(GREEN, 0.99), verified(blue, 0.96, misfit=0.5))
    assert beside == {RED: Kind.EDITED_COPY, GREEN: Kind.VARIANT, blue: Kind.VARIANT}
