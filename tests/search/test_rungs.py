"""The rungs that need no model: same bytes, same pixels, same picture in any of eight orientations."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from moderator.contracts import Fingerprint
from moderator.intake.decode import decode
from moderator.models import Kind
from moderator.policy import Limits
from moderator.search import rungs
from tests.conftest import PHOTOGRAPHS
from tests.handmade import fingerprint, flipped, rejected, turned

UPRIGHT = "upright"
TURNS = {UPRIGHT: None, **{turn.name.lower(): turn for turn in Image.Transpose}}
Turned = dict[str, dict[str, Fingerprint]]


def decoded(path: Path) -> Fingerprint:
    """The fingerprint that a scan would store."""
    made = decode(str(path), Limits(), []).fingerprint
    assert made.state == "judged"
    return made


@pytest.fixture(scope="module")
def orientations(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Turned:
    """The fingerprints of each photograph in eight orientations, by its name and the turn."""
    folder = tmp_path_factory.mktemp("turned")
    made: Turned = {}
    for name in PHOTOGRAPHS:
        with Image.open(photographs / name) as opened:
            picture = opened.convert("RGB")
        for turn, method in TURNS.items():
            path = folder / f"{turn}.bmp"
            (picture if method is None else picture.transpose(method)).save(path)
            made.setdefault(name, {})[turn] = decoded(path)
    return made


@pytest.fixture
def flat(tmp_path: Path) -> list[Fingerprint]:
    """Different pictures in which there is next to nothing to see."""
    pages = [Image.new("RGB", (400, 300), colour) for colour in ("white", "black", "beige")]
    pages.append(Image.linear_gradient("L").convert("RGB"))
    dotted = pages[0].copy()
    ImageDraw.Draw(dotted).ellipse((190, 140, 194, 144), fill="red")
    made = []
    for index, page in enumerate([*pages, dotted]):
        page.save(tmp_path / f"{index}.png")
        made.append(decoded(tmp_path / f"{index}.png"))
    return made


@pytest.mark.parametrize("turn", TURNS)
def test_a_photograph_is_recognised_in_every_orientation(orientations: Turned, turn: str) -> None:
    for of_one in orientations.values():
        assert rungs.pdq_rung(of_one[UPRIGHT], of_one[turn]).holds
        assert rungs.pdq_rung(of_one[turn], of_one[UPRIGHT]).holds


def test_any_two_orientations_of_one_photograph_are_the_same_picture(orientations: Turned) -> None:
    for of_one in orientations.values():
        assert rungs.same_picture(list(of_one.values())).all()


def test_different_photographs_are_different_in_every_orientation(orientations: Turned) -> None:
    for first, second in permutations(orientations, 2):
        for one in orientations[second].values():
            assert not rungs.pdq_rung(orientations[first][UPRIGHT], one).holds


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (UPRIGHT, ""),
        ("rotate_180", ", turned 180°"),
        ("flip_left_right", ", flipped"),
        ("transpose", ", flipped"),
    ],
)
def test_the_rung_says_how_the_picture_was_turned(orientations: Turned, turn: str, words: str) -> None:
    for of_one in orientations.values():
        assert rungs.pdq_rung(of_one[UPRIGHT], of_one[turn]).note.endswith(f" of 256 bits differ{words}")


@pytest.mark.parametrize("turn", ["rotate_90", "rotate_270"])
def test_a_quarter_turn_is_told_as_one(orientations: Turned, turn: str) -> None:
    for of_one in orientations.values():
        assert rungs.pdq_rung(of_one[UPRIGHT], of_one[turn]).note.endswith(("turned 90°", "turned 270°"))


def test_a_turned_photograph_has_other_pixels_and_other_bytes(orientations: Turned) -> None:
    for of_one in orientations.values():
        assert not rungs.pixels_rung(of_one[UPRIGHT], of_one["rotate_180"]).holds
        assert not rungs.bytes_rung(of_one[UPRIGHT], of_one["rotate_180"]).holds


def test_a_photograph_made_smaller_and_saved_as_jpeg_is_the_same_picture(
    photographs: Path, tmp_path: Path
) -> None:
    for name in PHOTOGRAPHS:
        with Image.open(photographs / name) as opened:
            opened.convert("RGB").resize((opened.width * 2 // 3, opened.height * 2 // 3)).save(
                tmp_path / "small.jpg", quality=70
            )
        assert rungs.pdq_rung(decoded(photographs / name), decoded(tmp_path / "small.jpg")).holds


def test_a_photograph_saved_anew_without_loss_has_the_same_pixels(photographs: Path, tmp_path: Path) -> None:
    with Image.open(photographs / "chelsea.png") as opened:
        opened.save(tmp_path / "chelsea.bmp")
    original, anew = decoded(photographs / "chelsea.png"), decoded(tmp_path / "chelsea.bmp")
    assert [rung.holds for rung in rungs.hash_rungs(original, anew)][:2] == [False, True]


def test_flat_pictures_are_never_matched_by_their_hash(flat: list[Fingerprint]) -> None:
    for first, second in combinations(flat, 2):
        rung = rungs.pdq_rung(first, second)
        assert (rung.score, rung.holds) == (None, False)
        assert rung.note == "too flat or too regular to be told apart by its hash"
    assert np.array_equal(rungs.same_picture(flat), np.eye(len(flat), dtype=bool))


def test_flat_pictures_are_not_even_candidates(flat: list[Fingerprint]) -> None:
    assert [rungs.pdq_rows(one, 8).shape for one in flat] == [(0, 256)] * len(flat)


def test_a_flat_picture_does_not_match_a_photograph(flat: list[Fingerprint], orientations: Turned) -> None:
    assert rungs.pdq_rung(flat[0], orientations[PHOTOGRAPHS[0]][UPRIGHT]).score is None


def test_a_picture_of_the_least_quality_is_compared() -> None:
    hashed = turned(bytes(32))
    enough = fingerprint("a", pdq=hashed, quality=rungs.PDQ_QUALITY)
    assert rungs.pdq_rung(enough, enough).holds
    assert rungs.pdq_rung(enough, replace(enough, pdq_quality=rungs.PDQ_QUALITY - 1)).score is None


@pytest.mark.parametrize(("bits", "holds"), [(0, True), (31, True), (32, False), (256, False)])
def test_up_to_31_differing_bits_are_the_same_picture(bits: int, holds: bool) -> None:
    hashed = bytes(range(32))
    first, second = fingerprint("a", pdq=turned(hashed)), fingerprint("b", pdq=turned(flipped(hashed, bits)))
    assert rungs.pdq_rung(first, second).holds is holds
    assert bool(rungs.same_picture([first, second])[0, 1]) is holds


HASHES = st.binary(min_size=32, max_size=32)


@given(st.lists(HASHES, min_size=8, max_size=8), HASHES, st.integers(0, 7), st.integers(20, 40))
def test_a_product_of_rows_scores_a_pair_as_its_rung_does(
    eight: list[bytes], theirs: bytes, orientation: int, bits: int
) -> None:
    eight[orientation] = flipped(theirs, bits)
    first, second = fingerprint("a", pdq=b"".join(eight)), fingerprint("b", pdq=turned(theirs))
    there = (rungs.pdq_rows(first, 8) @ rungs.pdq_rows(second, 1).T).max()
    back = (rungs.pdq_rows(second, 8) @ rungs.pdq_rows(first, 1).T).max()
    assert max(there, back) == pytest.approx(rungs.pdq_rung(first, second).score, abs=1e-6)


@given(st.lists(st.tuples(HASHES, st.integers(0, 100)), max_size=6), st.integers(0, 40))
def test_the_matrix_of_same_pictures_says_what_the_rungs_say(
    made: list[tuple[bytes, int]], bits: int
) -> None:
    near = [(flipped(hashed, bits), quality) for hashed, quality in made[:2]]
    prints = [
        fingerprint(f"{index}", pdq=turned(hashed), quality=quality)
        for index, (hashed, quality) in enumerate([*made, *near])
    ]
    same = rungs.same_picture(prints)
    for i, first in enumerate(prints):
        for j, second in enumerate(prints):
            assert same[i, j] == (rungs.pdq_rung(first, second).holds or i == j)


def test_a_match_from_one_side_is_a_match_from_both() -> None:
    upright, sideways = bytes(range(32)), bytes(range(100, 132))
    first = fingerprint("a", pdq=turned(upright))
    second = fingerprint("b", pdq=turned(sideways, upright))
    there, back = rungs.pdq_rung(first, second), rungs.pdq_rung(second, first)
    assert (there.score, back.score) == (1.0, 1.0)
    assert (there.note, back.note) == (
        "0 of 256 bits differ, turned 270°",
        "0 of 256 bits differ, turned 90°",
    )
    assert rungs.same_picture([first, second]).all()


def test_pictures_of_the_same_pixels_are_the_same_picture() -> None:
    prints = [fingerprint("a", pixels="one"), fingerprint("b", pixels="one"), fingerprint("c")]
    assert rungs.same_picture(prints).tolist() == [
        [True, True, False],
        [True, True, False],
        [False, False, True],
    ]


def test_unknown_pixels_are_not_the_same_pixels() -> None:
    first, second = (replace(fingerprint(name), pixels=b"") for name in "ab")
    assert rungs.pixels_rung(first, second).score is None
    assert not rungs.same_picture([first, second])[0, 1]


def test_without_a_hash_the_rung_says_which_extra_computes_it() -> None:
    rung = rungs.pdq_rung(fingerprint("a"), fingerprint("b", pdq=turned(bytes(32))))
    assert (rung.score, rung.holds) == (None, False)
    assert rung.note == "not known by its perceptual hash"


def test_the_rungs_stand_strongest_first_and_all_prove_a_copy() -> None:
    tried = rungs.hash_rungs(fingerprint("a"), rejected("b"))
    assert [(rung.signal, rung.kind) for rung in tried] == [
        ("bytes", Kind.COPY), ("pixels", Kind.COPY), ("pdq", Kind.COPY),
    ]  # fmt: skip
