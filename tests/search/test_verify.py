"""Verification of a pair: copies pass however edited, other pictures and recoloured ones do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from moderator import demo
from moderator.edits import EDITS
from moderator.errors import VectorError
from moderator.intake.panels import panels
from moderator.models import Evidence, Kind, Region
from moderator.policy import Verify
from moderator.search.verify import TOO_SMALL, Verification, features, geometry, verify, verify_within
from moderator.search.verify.align import align
from moderator.search.verify.cells import spread
from moderator.search.verify.features import Features
from moderator.search.verify.geometry import Alignment
from moderator.search.verify.photometry import COARSE, FINE, blocks
from moderator.search.verify.probability import forest
from moderator.search.verify.within import part_of
from moderator.verification import evidence
from tests.search.pictures import local


@pytest.fixture(scope="module")
def pictures(photographs: Path) -> dict[str, Image.Image]:
    opened = {}
    for path in photographs.iterdir():
        with Image.open(path) as picture:
            opened[path.stem] = picture.convert("RGB")
    return opened


@pytest.fixture(scope="module")
def known(pictures: dict[str, Image.Image]) -> dict[str, Features]:
    return {name: local(picture) for name, picture in pictures.items()}


@pytest.mark.parametrize(
    "edit",
    ["crop-70", "crop-50", "mirror", "upside-down", "rotate-90", "rotate-25", "squash", "jpeg-10", "shrink", "caption",
     "meme", "stickers", "screenshot", "collage-2x2", "picture-in-picture", "greyscale", "three-edits",
     "bands", "laid-over", "censored", "palette", "jpeg-5"],
)  # fmt: skip
def test_an_edited_copy_is_told(edit: str, pictures: dict[str, Image.Image], known: dict[str, Features]) -> None:
    told = verify(local(EDITS[edit].apply(pictures["chelsea"], 3, [pictures["coffee"]])), known["chelsea"])
    assert told.copy >= Verify().probability


@pytest.mark.parametrize("edit", ["brightness", "greyscale", "saturation", "colour-cast", "filter"])
def test_it_does_not_matter_which_of_two_was_edited(
    edit: str, pictures: dict[str, Image.Image], known: dict[str, Features]
) -> None:
    copy = local(EDITS[edit].apply(pictures["coffee"], 5))
    assert verify(copy, known["coffee"]).copy >= Verify().probability
    assert verify(known["coffee"], copy).copy >= Verify().probability


@pytest.mark.parametrize("edit", ["crop-50", "mirror", "perspective", "screenshot", "collage-3x3", "blur", "filter"])
def test_which_of_two_is_named_first_changes_nothing(
    edit: str, pictures: dict[str, Image.Image], known: dict[str, Features]
) -> None:
    copy = local(EDITS[edit].apply(pictures["coffee"], 5, [pictures["chelsea"]]))
    for other in (known["coffee"], known["chelsea"], known["coffee"].with_pixels(None)):
        one_way, other_way = verify(copy, other), verify(other, copy)
        assert other_way == replace(one_way, region=one_way.region and one_way.region.reversed)


def smooth(seed: int) -> Image.Image:
    """Returns clouds of colour, in which no keypoint is found."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (4, 5, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(("edit", "mirrored"), [("rotate-5", False), ("perspective", False), ("mirror", True)])
def test_a_smooth_picture_is_laid_onto_its_edited_copy(edit: str, mirrored: bool) -> None:
    first, second = (local(one) for one in (smooth(1), EDITS[edit].apply(smooth(1), 1)))
    alignment = align(first, second)[0]
    assert alignment.mirrored == mirrored
    fine = blocks(first, second, alignment, FINE)
    assert fine is not None
    assert np.abs(fine.ours - fine.theirs)[spread(fine.seen, fine.ours)].mean() < 3


def test_a_text_over_a_picture_leaves_it_its_keypoints(
    pictures: dict[str, Image.Image], known: dict[str, Features]
) -> None:
    alignment = align(local(EDITS["text"].apply(pictures["chelsea"], 2)), known["chelsea"])[0]
    assert alignment.inliers > 50


def scattered(seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Returns 300 keypoints, and noise of half a pixel for each."""
    random = np.random.default_rng(seed)
    return random.uniform(20, 440, (300, 2)), random.normal(0, 0.5, (300, 2))


def aligned(at: npt.NDArray[np.float64], away: npt.NDArray[np.float64]) -> Alignment:
    theirs = (at + away).astype(np.float32)
    return Alignment(np.eye(3), len(at), len(at), 0.5, at.astype(np.float32), theirs, False)


@given(st.integers(0, 2**32 - 1), st.floats(-1e-5, 1e-5))
def test_what_is_bent_or_noisy_does_not_wander(seed: int, bend: float) -> None:
    at, noise = scattered(seed)
    assert geometry.wander(aligned(at, noise + bend * (at - 200) ** 2)) < 0.3


@given(st.integers(0, 2**32 - 1))
def test_a_thing_that_stands_before_the_others_wanders(seed: int) -> None:
    at, noise = scattered(seed)
    before = np.linalg.norm(at - 230, axis=1) < 100
    assert geometry.wander(aligned(at, noise + np.where(before[:, None], (2.0, 0.0), 0.0))) > 0.3


@pytest.mark.parametrize(
    "edit",
    ["perspective", "rotate-25", "squash", "shrink", "jpeg-10", "noise", "blur", "mirror", "meme", "photographed"],
)
def test_no_edit_makes_a_picture_wander(
    edit: str, pictures: dict[str, Image.Image], known: dict[str, Features]
) -> None:
    alignment = align(local(EDITS[edit].apply(pictures["coffee"], 4)), known["coffee"])[0]
    assert geometry.wander(alignment) < 0.4


def test_two_views_of_a_scene_wander(known: dict[str, Features]) -> None:
    alignment = align(known["motorcycle_left"], local(demo.photograph("motorcycle_right.png")))[0]
    assert geometry.wander(alignment) > 0.5


def test_two_views_of_a_scene_are_no_copy(known: dict[str, Features]) -> None:
    right = demo.photograph("motorcycle_right.png")
    assert max(verify(local(one), known["motorcycle_left"]).copy for one in (right, demo.closer(right))) < 0.5


def test_no_photograph_is_a_copy_of_another(known: dict[str, Features]) -> None:
    names = sorted(known)
    wrong = [
        (first, second)
        for at, first in enumerate(names)
        for second in names[:at]
        if verify(known[first], known[second]).copy >= 0.5
    ]
    assert wrong == []


def test_a_recoloured_thing_is_a_variant_and_no_copy() -> None:
    garment = np.full((300, 300, 3), 235, np.uint8)
    random = np.random.default_rng(0)
    weave = random.integers(-25, 25, (60, 60, 1)).repeat(3, axis=0).repeat(3, axis=1)
    floor = random.integers(-20, 20, (100, 100, 1)).repeat(3, axis=0).repeat(3, axis=1)
    garment = (garment + floor).clip(0, 255).astype(np.uint8)
    red, blue = garment.copy(), garment.copy()
    red[60:240, 60:240] = (np.array([190, 40, 50]) + weave).clip(0, 255)
    blue[60:240, 60:240] = (np.array([40, 60, 180]) + weave).clip(0, 255)
    rung = evidence(verify(features.extract(red), features.extract(blue)), Verify())
    assert rung.kind is Kind.VARIANT
    assert rung.refutes


@pytest.mark.parametrize(
    ("name", "edit"), [("coffee", "brightness"), ("astronaut", "brightness"), ("rocket", "contrast")]
)
@pytest.mark.parametrize("seed", [1, 3])
def test_a_thing_on_white_is_told_though_most_of_it_is_clipped(
    name: str, edit: str, seed: int, pictures: dict[str, Image.Image]
) -> None:
    thing, white = pictures[name].resize((480, 480)), Image.new("RGB", (480, 480), "white")
    shape = Image.new("L", thing.size)
    ImageDraw.Draw(shape).ellipse((100, 60, 380, 420), fill=255)
    original = Image.composite(thing, white, shape.filter(ImageFilter.GaussianBlur(1)))
    assert verify(local(EDITS[edit].apply(original, seed, [])), local(original)).copy >= Verify().probability


SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
EVERYWHERE = Region(SQUARE, SQUARE, 1.0, 1.0)
SAME_BY_HASH = Evidence("pdq", Kind.COPY, 0.9, 0.7578, "12 of 256 bits differ")


def test_a_doubt_whether_it_is_one_picture_does_not_overrule_the_hash() -> None:
    blurred = Verification(0.71, 0.02, EVERYWHERE, "300 keypoints agree")
    assert evidence(blurred, Verify()).refutes
    rung = evidence(blurred, Verify(), [SAME_BY_HASH])
    assert not rung.refutes
    assert rung.note == "300 keypoints agree; likelier by the perceptual hash"


@pytest.mark.parametrize(("copy", "variant"), [(0.0, 0.0), (0.2, 0.0), (0.7, 0.1), (0.5, 0.5), (1.0, 0.0)])
def test_the_hash_raises_the_odds_of_one_picture_and_says_nothing_of_its_colours(copy: float, variant: float) -> None:
    """Whatever a policy asks is asked of such a pair too, so that every probability has a precision."""
    score = evidence(Verification(copy, variant, EVERYWHERE, ""), Verify(probability=0.5), [SAME_BY_HASH]).score
    assert score is not None
    same, colours = copy + variant, copy / (copy + variant) if copy else 0.0
    assert score == pytest.approx(colours * 100 * same / (100 * same + 1 - same))


def test_the_hash_does_not_stand_in_for_colours_that_were_not_asked_for() -> None:
    assert evidence(Verification(0.019, 0.0, None, ""), Verify(), [SAME_BY_HASH]).score == 0.019


def test_a_likely_variant_overrules_the_hash() -> None:
    recoloured = Verification(0.3, 0.65, EVERYWHERE, "300 keypoints agree")
    rung = evidence(recoloured, Verify(), [SAME_BY_HASH])
    assert (rung.kind, rung.refutes) == (Kind.VARIANT, True)


def test_one_picture_of_which_it_is_open_whether_it_was_edited_or_recoloured_is_told_as_a_variant() -> None:
    rung = evidence(Verification(0.7, 0.25, EVERYWHERE, "300 keypoints agree"), Verify())
    assert (rung.kind, rung.score, rung.threshold, rung.refutes) == (Kind.VARIANT, 0.95, 0.9, True)
    assert rung.note == "the same picture, edited (0.700) or in other colours, 300 keypoints agree"


def test_a_region_is_told_in_both_pictures(pictures: dict[str, Image.Image], known: dict[str, Features]) -> None:
    cat = pictures["chelsea"]
    canvas = Image.new("RGB", (cat.width * 2, cat.height), "white")
    canvas.paste(cat, (cat.width, 0))
    region = verify(local(canvas), known["chelsea"]).region
    assert region is not None
    assert min(x for x, _ in region.image) >= 0.45
    assert region.match_coverage > 0.7
    assert 0.35 < region.image_coverage <= 0.55
    assert region.reversed.reversed == region


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ("labels", "patches of one colour over one"),
        ("haze", "one under haze"),
        ("hdr", "parts of one brightened or darkened"),
        ("split-channels", "red, green and blue of one drawn apart"),
    ],
)
def test_what_was_done_to_a_copy_is_told(
    edit: str, words: str, pictures: dict[str, Image.Image], known: dict[str, Features]
) -> None:
    told = verify(local(EDITS[edit].apply(pictures["coffee"], 2)), known["coffee"])
    assert told.copy >= Verify().probability
    assert words in told.note


def test_before_another_background_the_region_is_the_thing(
    pictures: dict[str, Image.Image], known: dict[str, Features]
) -> None:
    told = verify(local(EDITS["background"].apply(pictures["coffee"], 2)), known["coffee"])
    assert told.copy >= Verify().probability
    assert "one before another background" in told.note
    assert told.region is not None
    assert told.region.image_coverage < 0.6


def test_a_mirrored_copy_says_so(pictures: dict[str, Image.Image], known: dict[str, Features]) -> None:
    told = verify(local(ImageOps.mirror(pictures["coffee"])), known["coffee"])
    assert told.region is not None
    assert told.region.mirrored


def test_a_mirrored_pair_of_things_that_look_like_one_another_is_a_copy(pictures: dict[str, Image.Image]) -> None:
    """As of a pair of shoes on a floor: mirrored, each lies where the other one did, and looks like it."""
    shoe = pictures["chelsea"].crop((100, 40, 300, 240))
    pair = pictures["coffee"].resize((600, 400))
    pair.paste(shoe, (60, 100))
    pair.paste(ImageOps.mirror(shoe), (340, 100))
    told = verify(local(ImageOps.mirror(pair)), local(pair))
    assert told.copy >= Verify().probability
    assert "mirrored" in told.note


def test_descriptors_of_the_mirrored_picture_need_no_second_look(pictures: dict[str, Image.Image]) -> None:
    seen = local(ImageOps.mirror(pictures["coffee"]))
    alignment = align(seen, local(pictures["coffee"]))[0]
    assert alignment.mirrored
    assert alignment.inliers > 100


def test_a_reference_is_known_by_what_is_stored_of_it(
    pictures: dict[str, Image.Image], known: dict[str, Features]
) -> None:
    stored = features.unpack(known["chelsea"].pack())
    assert stored.pixels is None
    told = verify(local(EDITS["crop-70"].apply(pictures["chelsea"], 1)), stored)
    assert told.copy >= 0.5
    assert "stored features" in told.note
    assert verify(stored, local(pictures["coffee"])).copy < 0.5


def test_what_is_stored_holds_no_pixels_unless_a_thumbnail_is_asked_for(known: dict[str, Features]) -> None:
    packed = known["coffee"].pack()
    assert known["coffee"].pixels is not None
    assert len(packed) < 90_000
    thumbnail = features.unpack(known["coffee"].pack(thumbnail=True)).pixels
    assert thumbnail is not None
    assert thumbnail.shape == known["coffee"].pixels.shape


TREES: list[list[list[float]]] = [
    [[0, 0.5, 1, 0], [-1, 0, 0, 1.0], [2, 0.25, 3, 0], [-1, 0, 0, 2.0], [-1, 0, 0, 4.0]],
    [[1, 0.5, 1, 0], [-1, 0, 0, 8.0], [-1, 0, 0, 16.0]],
]
"""Nodes of a sign, what it may be at most to go left, where that is, and a leaf's value."""


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_a_forest_adds_up_one_leaf_of_each_tree(asked: list[float]) -> None:
    told = forest({"base": -12.0, "trees": TREES}).probability(np.array(asked))
    first = 1.0 if asked[0] <= 0.5 else 2.0 if asked[2] <= 0.25 else 4.0
    second = 8.0 if asked[1] <= 0.5 else 16.0
    assert told == pytest.approx(1 / (1 + np.exp(12.0 - first - second)))


@given(st.integers(0, 400))
def test_stored_features_that_are_cut_are_refused(length: int) -> None:
    whole = features.extract(np.random.default_rng(1).integers(0, 255, (40, 40, 3), dtype=np.uint8)).pack()
    with pytest.raises(VectorError):
        features.unpack(whole[: min(length, len(whole) - 1)])


@pytest.mark.parametrize("colour", ["black", "white"])
def test_flat_pictures_are_never_verified_as_copies(colour: str, known: dict[str, Features]) -> None:
    flat = local(Image.new("RGB", (64, 48), colour))
    assert verify(flat, known["coffee"]).copy == 0.0
    assert verify(flat, local(Image.new("RGB", (48, 64), "grey"))).copy < 0.5


@pytest.mark.parametrize("edit", ["caption", "shared-around", "collage-3x3"])
def test_of_a_whole_and_its_part_that_is_told_which_shows_one_picture_more_surely(
    edit: str, pictures: dict[str, Image.Image], known: dict[str, Features]
) -> None:
    edited = EDITS[edit].apply(pictures["chelsea"], 3, [pictures["coffee"]])
    original, whole = known["chelsea"], local(edited)
    boxes = [(box, part) for box in panels(edited) if (part := part_of(whole, box)) is not None]
    assert boxes
    for box, part in boxes:
        either = [verify(whole, original), verify(part, original)]
        told = verify_within(whole, original, (box, None))
        assert told.copy >= 0.99 or told.same == max(one.same for one in either)
        assert told.copy >= either[0].copy >= Verify().probability


@pytest.mark.parametrize(("name", "edit"), [("coffee", "collage-2x2"), ("chelsea", "shared-around")])
def test_what_surrounds_a_recoloured_thing_does_not_hide_its_colour(
    name: str, edit: str, pictures: dict[str, Image.Image], known: dict[str, Features]
) -> None:
    hue, saturation, value = np.moveaxis(np.array(pictures[name].convert("HSV")), 2, 0)
    warm = (saturation > 110) & ((hue < 28) | (hue > 240))
    variant = Image.fromarray(np.dstack([np.where(warm, hue + 120, hue), saturation, value]), "HSV").convert("RGB")
    edited = EDITS[edit].apply(variant, 3, [pictures["rocket"]])
    whole = local(edited)
    told = [verify_within(whole, known[name], (box, None)) for box in panels(edited)]
    assert max(one.variant for one in told) > 0.9
    assert {evidence(one, Verify()).kind for one in told} == {Kind.VARIANT}


def saved(picture: Image.Image) -> Image.Image:
    """The picture as JPEG leaves it."""
    return EDITS["jpeg-30"].apply(picture, 0)


def drawn(width: int, height: int, seed: int = 0) -> Image.Image:
    """Shapes of many colours on light grey."""
    random = np.random.default_rng(seed)
    picture = Image.new("RGB", (width, height), "#f4f4f4")
    draw = ImageDraw.Draw(picture)
    for _ in range(120):
        left, top = random.integers(0, (width, height)).tolist()
        side = int(random.integers(5, max(6, min(width, height))))
        draw.ellipse((left, top, left + side, top + side), fill=tuple(random.integers(0, 256, 3).tolist()))
    return picture


@pytest.mark.parametrize("size", [(1400, 100), (800, 15000), (600, 31)], ids=str)
def test_a_long_strip_is_a_copy_of_itself_saved_anew_and_of_no_other(size: tuple[int, int]) -> None:
    strip = local(drawn(*size))
    assert verify(local(saved(drawn(*size))), strip).copy >= Verify().probability
    assert verify(local(drawn(*size, seed=1)), strip).same < 0.1


def shirt(side: int, colour: str) -> Image.Image:
    """A shirt on white, drawn large and made small."""
    picture = Image.new("RGB", (240, 240), "white")
    draw = ImageDraw.Draw(picture)
    outline = (60, 40, 180, 40, 230, 90, 200, 120, 180, 100, 180, 210, 60, 210, 60, 100, 40, 120, 10, 90)
    draw.polygon(outline, fill=colour)
    draw.line((120, 40, 120, 210), fill="black", width=3)
    draw.ellipse((100, 30, 140, 60), fill="white")
    return picture.resize((side, side), Image.Resampling.LANCZOS)


@pytest.mark.parametrize("side", [24, 35, 48, 64])
def test_a_small_thing_in_another_colour_is_no_copy_and_saved_anew_it_is(side: int) -> None:
    small = local(shirt(side, "#b03030"))
    recoloured = verify(local(shirt(side, "#2f6fb0")), small)
    assert recoloured.copy < 0.6 < Verify().probability <= recoloured.same
    assert verify(local(saved(shirt(side, "#b03030"))), small).copy >= Verify().probability


def test_what_is_too_small_to_compare_says_so() -> None:
    assert verify(local(shirt(23, "#b03030")), local(shirt(23, "#b03030"))).note.startswith("too small, or too long")


def test_pictures_laid_onto_one_another_as_wholes_are_not_said_to_share_keypoints() -> None:
    small = shirt(24, "#b03030")
    assert verify(local(saved(small)), local(small)).note.startswith("laid onto one another as wholes")


def test_of_what_is_too_small_to_compare_the_hash_decides_and_no_cosine() -> None:
    hashed, cosine = Evidence("pdq", Kind.COPY, 0.99, 0.75), Evidence("sscd", Kind.EDITED_COPY, 0.99, 0.6)
    rung = evidence(TOO_SMALL, Verify(), (hashed, cosine))
    assert (rung.score, rung.note) == (None, f"not verified: {TOO_SMALL.note}")
    assert evidence(TOO_SMALL, Verify(), (cosine,)).refutes


@pytest.mark.parametrize("side", [46, 47, 94])
def test_a_strip_has_two_blocks_across_at_each_size_at_which_it_is_compared(side: int) -> None:
    strip = local(drawn(480, side))
    assert all(blocks(strip, strip, align(strip, strip)[0], size) is not None for size in (FINE, COARSE))
