"""The `lookalike` detector: similar, no copy, and not the same item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moderator import Finding, Image, Kind, Rule, Verdict
from moderator.testing import DetectorContract, FakeSearch, image
from moderator_lookalike.detector import Lookalike


class TestLookalike(DetectorContract):
    detector = Lookalike


def found(images: list[Image], scores: Mapping[tuple[int, int], float], **options: Any) -> list[Finding]:
    rule = Rule(id="alike", detector="lookalike", threshold=0.5, options=options)
    return list(Lookalike(rule, "fake").detect(FakeSearch(images, scores)))


def test_an_alike_pair_is_told_once_and_a_copy_is_left_out() -> None:
    findings = found([image(1), image(2), image(3)], {(1, 2): 0.7, (2, 3): 0.95})
    assert [(one.image.path, str(one.match), one.kind) for one in findings] == [("1.jpg", "2.jpg", Kind.LOOKALIKE)]


def test_two_pictures_of_one_sku_are_no_lookalikes() -> None:
    assert found([image(1, sku="7"), image(2, sku="7")], {(1, 2): 0.7}) == []


def test_pictures_without_a_sku_are_not_taken_for_one_item() -> None:
    assert len(found([image(1), image(2)], {(1, 2): 0.7})) == 1
    assert len(found([image(1, sku=""), image(2, sku="")], {(1, 2): 0.7})) == 1


def test_the_columns_that_make_an_item_can_be_chosen() -> None:
    pictures = [image(1, sku="7", ean="1"), image(2, sku="7", ean="2")]
    assert len(found(pictures, {(1, 2): 0.7}, same=["ean"])) == 1


def test_a_content_of_two_items_is_told_by_the_path_of_the_other_item() -> None:
    pictures = [image(1, "a.jpg", sku="7"), image(2, "b.jpg", sku="7"), image(2, "c.jpg", sku="8")]
    (finding,) = found(pictures, {(1, 2): 0.7})
    assert (finding.image.path, str(finding.match)) == ("a.jpg", "c.jpg")


def test_only_the_closest_are_kept() -> None:
    scores = {(1, number): 0.5 + number / 100 for number in range(2, 7)}
    findings = found([image(number) for number in range(1, 7)], scores, top=2)
    closest = [one.evidence[-1].score for one in findings if "1.jpg" in (one.image.path, str(one.match))]
    assert closest[:2] == [0.56, 0.55]


def test_two_items_are_told_once_by_their_closest_views() -> None:
    pictures = [image(1, sku="7"), image(2, sku="7"), image(3, sku="8"), image(4, sku="8")]
    (finding,) = found(pictures, {(1, 3): 0.6, (2, 4): 0.8, (1, 4): 0.7})
    assert (finding.image.path, str(finding.match)) == ("2.jpg", "4.jpg")
    assert finding.reason == "alike: 0.800 by fake, 0.50 asked; and 2 other pairs of views of the two items"


def test_an_item_in_another_colour_is_a_variant_and_allowed_however_alike_it_is() -> None:
    pictures = [image(1, sku="7", colour="red"), image(2, sku="7", colour="blue")]
    (finding,) = found(pictures, {(1, 2): 0.97})
    assert (finding.kind, finding.verdict) == (Kind.VARIANT, Verdict.ALLOW)
    assert finding.reason == "variant: sku 7 in colour blue and red; 0.970 by fake, 0.50 asked"


def test_a_pair_of_variants_is_told_once_however_many_views_it_has() -> None:
    reds = [image(number, sku="7", colour="red") for number in (1, 2)]
    blues = [image(number, sku="7", colour="blue") for number in (3, 4)]
    (finding,) = found([*reds, *blues], {(1, 3): 0.6, (2, 4): 0.7, (1, 2): 0.8})
    assert (finding.image.path, str(finding.match)) == ("2.jpg", "4.jpg")


def flooded(scores: Mapping[tuple[int, int], float]) -> list[str]:
    """Returns what a rule from .5 on says of 30 pictures."""
    search = FakeSearch([image(number) for number in range(30)], scores)
    list(Lookalike(Rule(id="alike", detector="lookalike", threshold=0.5), "fake").detect(search))
    return search.notes


def test_where_all_is_of_one_style_a_threshold_is_named_that_leaves_the_few_that_stand_out() -> None:
    alike = {(number, number + 1): 0.55 for number in range(0, 28)}
    assert flooded({**alike, (0, 1): 0.81, (2, 3): 0.75, (4, 5): 0.74}) == [
        "alike tells 28 pairs among 30 pictures, as where many are of one style: a threshold of 0.74 would leave 3"
    ]


def test_a_few_lookalikes_are_told_without_advice() -> None:
    assert flooded({(number, number + 1): 0.7 for number in range(0, 10)}) == []


def test_the_verdict_on_variants_can_be_chosen() -> None:
    pictures = [image(1, sku="7", colour="red"), image(2, sku="7", colour="blue")]
    assert [one.verdict for one in found(pictures, {(1, 2): 0.97}, variants="review")] == [Verdict.REVIEW]


def test_a_category_has_its_own_threshold_and_of_two_categories_the_stricter_counts() -> None:
    pictures = [image(1, category="shirt"), image(2, category="shirt"), image(3, category="hat"), image(4)]
    scores = {(1, 2): 0.7, (1, 3): 0.7, (3, 4): 0.45}
    findings = found(pictures, scores, thresholds={"shirt": 0.8, "hat": 0.4})
    assert findings == []
    findings = found(pictures, {**scores, (1, 2): 0.85, (3, 4): 0.55}, thresholds={"shirt": 0.8, "hat": 0.4})
    assert [(one.image.path, str(one.match), one.evidence[-1].threshold) for one in findings] == [
        ("1.jpg", "2.jpg", 0.8),
        ("3.jpg", "4.jpg", 0.5),
    ]


def test_what_a_category_leaves_out_takes_no_place_among_the_closest() -> None:
    shirts = [image(number, category="shirt") for number in (2, 3)]
    scores = {(1, 2): 0.75, (1, 3): 0.74, (1, 4): 0.6}
    findings = found([image(1), *shirts, image(4)], scores, top=1, thresholds={"shirt": 0.8})
    assert [(one.image.path, str(one.match)) for one in findings] == [("1.jpg", "4.jpg")]


def test_columns_and_categories_that_no_picture_has_are_told() -> None:
    search = FakeSearch([image(1, SKU="7", category="shirt")], {})
    rule = Rule(id="alike", detector="lookalike", threshold=0.5, options={"thresholds": {"shrt": 0.9, "shirt": 0.8}})
    assert list(Lookalike(rule, "fake").detect(search)) == []
    assert search.notes == [
        "alike asks for the metadata column `sku`, which no scanned picture has; they have: SKU, category",
        "alike has a threshold for the category `shrt`, which no scanned picture is of",
    ]


def test_a_table_of_sellers_alone_is_not_said_to_lack_a_sku() -> None:
    search = FakeSearch([image(1, seller="us")], {})
    assert list(Lookalike(Rule(id="alike", detector="lookalike", threshold=0.5), "fake").detect(search)) == []
    assert search.notes == []


def test_a_column_of_colours_that_is_written_otherwise_is_told() -> None:
    search = FakeSearch([image(1, sku="7", Colour="red"), image(2, sku="7", Colour="blue")], {(1, 2): 0.8})
    assert list(Lookalike(Rule(id="alike", detector="lookalike", threshold=0.5), "fake").detect(search)) == []
    assert search.notes == [
        "alike asks for the metadata column `colour` or `color`, which no scanned picture has; they have: Colour, sku"
    ]
