"""The `prohibited` detector: the closest references of each set, and how many more there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moderator import Finding, Reference, Rule
from moderator.testing import DetectorContract, FakeSearch, image
from moderator_prohibited.detector import Prohibited


class TestProhibited(DetectorContract):
    detector = Prohibited


def found(scores: Mapping[tuple[int, int], float], *references: Reference, **options: Any) -> list[Finding]:
    rule = Rule(id="banned", detector="prohibited", threshold=0.5, options=options)
    pictures = [image(1), image(1, "again.jpg"), image(2)]
    return list(Prohibited(rule, "fake").detect(FakeSearch(pictures, scores, references)))


def entry(number: int, set_name: str = "banned") -> Reference:
    return Reference(set_name, number, "", 100 + number)


def test_every_path_of_a_prohibited_content_is_told() -> None:
    findings = found({(1, 101): 0.9}, entry(1))
    assert [one.image.path for one in findings] == ["1.jpg", "again.jpg"]
    assert findings[0].reason == "edited copy of a reference: 0.900 by fake, 0.50 asked"


def test_only_the_closest_of_a_set_are_shown_and_the_others_counted() -> None:
    scores = {(2, 100 + number): 0.5 + number / 100 for number in range(1, 6)}
    findings = found(scores, *[entry(number) for number in range(1, 6)], top=2)
    assert [one.match.entry for one in findings if isinstance(one.match, Reference)] == [5, 4]
    assert all(one.reason.endswith("; 3 more of this set match") for one in findings)


def test_each_set_is_told_by_itself() -> None:
    findings = found({(2, 101): 0.9, (2, 102): 0.8}, entry(1, "one"), entry(2, "two"), top=1)
    assert [str(one.match) for one in findings] == ["one, entry #1", "two, entry #2"]


def test_a_band_for_review_leaves_stronger_matches_to_a_stricter_rule() -> None:
    findings = found({(2, 101): 0.9, (2, 102): 0.55}, entry(1), entry(2), below=0.6)
    assert [one.match.entry for one in findings if isinstance(one.match, Reference)] == [2]


def test_a_reference_with_the_same_bytes_is_told() -> None:
    assert [str(one.match) for one in found({}, Reference("banned", 7, "a label", 2))] == ["banned, a label"]
