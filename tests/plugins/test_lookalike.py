"""The `lookalike` detector: similar, no copy, and not the same item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moderator import Finding, Image, Kind, Rule
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
