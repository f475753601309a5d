"""The `prohibited` detector: the closest references of each set, and how many more there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from moderator import Evidence, Finding, Kind, Match, Reference, Rule, Verdict
from moderator.parts import label_of, region_of
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


def test_the_closest_of_a_set_are_shown_for_each_place_of_a_picture() -> None:
    class Parted(FakeSearch):
        """Finds even entries on the left of a picture, and odd ones on the right."""

        def prohibited(self, *asked: Any) -> Iterable[tuple[Match, Sequence[Reference]]]:
            for match, references in super().prohibited(*asked):
                left = 0.5 * (match.other % 2)
                side = region_of((label_of((left, 0.0, left + 0.5, 1.0)), "whole"))
                yield replace(match, evidence=tuple(replace(rung, region=side) for rung in match.evidence)), references

    scores = {(2, 100 + number): 0.5 + number / 100 for number in range(1, 6)}
    rule = Rule(id="banned", detector="prohibited", threshold=0.5, options={"top": 1})
    search = Parted([image(2)], scores, [entry(number) for number in range(1, 6)])
    findings = list(Prohibited(rule, "fake").detect(search))
    assert [one.match.entry for one in findings if isinstance(one.match, Reference)] == [5, 4]
    assert all(one.reason.endswith("; 3 more of this set match") for one in findings)


class Verified(FakeSearch):
    """Verifies each match as a copy, the surer the lower its entry's number, whatever its similarity."""

    def prohibited(self, *asked: Any) -> Iterable[tuple[Match, Sequence[Reference]]]:
        for match, references in super().prohibited(*asked):
            rung = Evidence("verified", Kind.EDITED_COPY, 1 - match.other / 10_000, 0.9, "keypoints agree")
            yield replace(match, evidence=(rung, *match.evidence)), references


def verified(scores: Mapping[tuple[int, int], float], *references: Reference, **options: Any) -> list[Finding]:
    rule = Rule(id="banned", detector="prohibited", threshold=0.5, options=options)
    return list(Prohibited(rule, "fake").detect(Verified([image(2)], scores, references)))


def test_the_references_that_are_shown_are_those_that_verification_is_surest_of() -> None:
    findings = verified({(2, 101): 0.6, (2, 102): 0.8, (2, 103): 0.9}, entry(1), entry(2), entry(3), top=2)
    assert [one.match.entry for one in findings if isinstance(one.match, Reference)] == [1, 2]


def test_each_set_is_told_by_itself() -> None:
    findings = found({(2, 101): 0.9, (2, 102): 0.8}, entry(1, "one"), entry(2, "two"), top=1)
    assert [str(one.match) for one in findings] == ["one#1, high severity", "two#2, high severity"]


def test_a_band_for_review_leaves_stronger_matches_to_a_stricter_rule() -> None:
    findings = found({(2, 101): 0.9, (2, 102): 0.55}, entry(1), entry(2), below=0.6)
    assert [one.match.entry for one in findings if isinstance(one.match, Reference)] == [2]


def test_a_reference_with_the_same_bytes_is_told() -> None:
    (finding,) = found({}, Reference("banned", 7, "a label", 2))
    assert str(finding.match) == "banned#7, a label, high severity"


def test_a_set_may_ask_more_of_verification_than_the_policy_does() -> None:
    references = entry(1, "strict"), entry(2, "usual"), entry(3, "strict")
    options = {"probabilities": {"strict": 0.99}}
    rule = Rule(id="banned", detector="prohibited", threshold=0.9, options=options)
    search = FakeSearch([image(2)], {(2, 101): 0.95, (2, 102): 0.95, (2, 103): 0.995}, references)
    findings = Prohibited(rule, "verified").detect(search)  # a rung of this name is that of verification
    told = [(one.match.entry, one.strongest.threshold) for one in findings if isinstance(one.match, Reference)]
    assert told == [(3, 0.99), (2, 0.9)]


def test_a_set_may_have_a_threshold_of_its_own() -> None:
    scores = {(2, 101): 0.6, (2, 102): 0.6}
    findings = found(scores, entry(1, "strict"), entry(2, "loose"), thresholds={"strict": 0.7, "loose": 0.55})
    assert [(str(one.match), one.evidence[-1].threshold) for one in findings] == [("loose#2, high severity", 0.55)]


def test_a_threshold_for_a_set_that_is_not_there_is_told() -> None:
    rule = Rule(id="banned", detector="prohibited", threshold=0.5, options={"thresholds": {"one": 0.6, "oen": 0.7}})
    search = FakeSearch([image(2)], {}, [entry(1, "one")])
    assert list(Prohibited(rule, "fake").detect(search)) == []
    assert search.notes == ["banned has a threshold for the set `oen`, which is not there"]


def fine(number: int) -> Reference:
    return replace(entry(number, "fine"), allow=True)


@pytest.mark.parametrize(("score", "told"), [(0.9, []), (0.8, []), (0.79, ["banned#1, high severity"])])
def test_what_an_allowlist_matches_at_least_as_closely_is_left_out(score: float, told: list[str]) -> None:
    findings = found({(2, 101): 0.8, (2, 102): score}, entry(1), fine(2))
    assert [str(one.match) for one in findings] == told


def test_of_two_verified_copies_the_more_alike_decides_whether_an_allowlist_covers_it() -> None:
    assert [str(one.match) for one in verified({(2, 101): 0.8, (2, 102): 0.9}, fine(1), entry(2))] == [
        "banned#2, high severity"
    ]
    assert verified({(2, 101): 0.8, (2, 102): 0.9}, entry(1), fine(2)) == []


def test_what_an_allowlist_covers_is_counted() -> None:
    search = FakeSearch([image(1)], {(1, 101): 0.8, (1, 102): 0.9}, [entry(1), fine(2)])
    rule = Rule(id="banned", detector="prohibited", threshold=0.5)
    assert list(Prohibited(rule, "fake").detect(search)) == []
    assert search.notes == ["banned: pictures left out, as an allowlist matches them as closely: 1"]


def test_the_allowlist_of_a_picture_covers_no_other_picture() -> None:
    findings = found({(1, 101): 0.8, (2, 101): 0.8, (1, 102): 0.9}, entry(1), fine(2))
    assert [one.image.path for one in findings] == ["2.jpg"]


def test_an_allowlist_is_asked_at_the_lowest_threshold_of_any_set() -> None:
    assert found({(2, 101): 0.3, (2, 102): 0.35}, entry(1), fine(2), thresholds={"banned": 0.2}) == []


def test_an_allowlist_alone_reports_nothing() -> None:
    assert found({(2, 102): 0.9}, fine(2)) == []


def test_a_text_that_fits_sends_a_picture_to_review_whatever_the_rule_says() -> None:
    prompt = Reference("weapons", 4, "a photo of a gun", 0)
    rule = Rule(id="banned", detector="prohibited", threshold=0.9, verdict=Verdict.BLOCK)
    (finding,) = Prohibited(rule, "fake").detect(FakeSearch([image(2)], {(2, -4): 0.31}, [prompt]))
    assert (finding.verdict, finding.kind) == (Verdict.REVIEW, Kind.LOOKALIKE)
    assert str(finding.match) == "weapons, a photo of a gun, high severity"
    assert finding.reason == "the text fits: 0.310 by fake, 0.30 asked"


@pytest.mark.parametrize(("options", "told"), [({}, []), ({"below": 0.6}, [5])])
def test_a_copy_that_is_not_as_sure_as_its_set_asks_is_left_to_a_band_and_counted(
    options: Mapping[str, Any], told: list[int]
) -> None:
    asked = {"probabilities": {"banned": 0.995}, **options}
    rule = Rule(id="banned", detector="prohibited", threshold=0.5, options=asked)
    search = Verified([image(2)], {(2, 105): 0.8}, [entry(5)])  # verified at .9895
    findings = Prohibited(rule, "fake").detect(search)
    assert [one.match.entry for one in findings if isinstance(one.match, Reference)] == told
    left = "banned: pictures that are copies, though not as surely as `probabilities` asks: 1; a rule with `below` and"
    assert [note.startswith(left) for note in search.notes] == ([] if told else [True])


def test_a_text_accuses_no_copy_of_a_picture_that_is_fine() -> None:
    prompt = Reference("weapons", 4, "a photo of a gun", 0)
    pictures, scores = [image(1), image(2)], {(1, -4): 0.31, (2, -4): 0.31, (2, 102): 0.95}
    search = FakeSearch(pictures, scores, [prompt, fine(2)])
    rule = Rule(id="banned", detector="prohibited", threshold=0.9)
    assert [one.image.path for one in Prohibited(rule, "fake").detect(search)] == ["1.jpg"]
    assert search.notes == ["banned: pictures left out, as an allowlist matches them as closely: 1"]
