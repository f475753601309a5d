"""The `duplicates` detector: stars and not chains, and no link lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from moderator import Finding, Image, Kind
from moderator.testing import DetectorContract, FakeSearch, image
from moderator_duplicates.detector import Duplicates


class TestDuplicates(DetectorContract):
    detector = Duplicates


def found(images: Iterable[Image], scores: dict[tuple[int, int], float], threshold: float = 0.5) -> list[Finding]:
    return list(TestDuplicates().make(threshold).detect(FakeSearch(list(images), scores)))


def pairs(findings: Iterable[Finding]) -> set[tuple[str, str]]:
    return {(one.image.path, str(one.match)) for one in findings}


def test_every_copy_is_told_once_against_its_keeper() -> None:
    findings = found([image(1), image(2), image(3)], {(1, 2): 0.9, (1, 3): 0.8, (2, 3): 0.7})
    assert pairs(findings) == {("2.jpg", "1.jpg"), ("3.jpg", "1.jpg")}
    assert {(one.group.size, round(one.group.smallest, 3)) for one in findings if one.group} == {(3, 0.7)}


def test_a_chain_is_two_findings_and_not_one_group() -> None:
    findings = found([image(1), image(2), image(3)], {(1, 2): 0.9, (2, 3): 0.9})
    assert pairs(findings) == {("2.jpg", "1.jpg"), ("2.jpg", "3.jpg")}
    assert [one.group.size for one in findings if one.group] == [2]
    assert any("different groups" in one.reason for one in findings)


def test_a_pair_below_the_threshold_inside_a_group_is_said() -> None:
    findings = found([image(1), image(2), image(3)], {(1, 2): 0.9, (1, 3): 0.8, (2, 3): 0.2})
    assert all("the two least alike of the group have 0.200, below the threshold" in one.reason for one in findings)


def test_what_was_stored_before_the_scan_is_kept() -> None:
    stored = replace(image(2, "archive/2.jpg"), scanned=False)
    assert pairs(found([image(1), stored], {(1, 2): 0.9})) == {("1.jpg", "archive/2.jpg")}


def test_stored_copies_of_one_picture_are_one_group_and_one_finding() -> None:
    stored = [replace(image(number, f"archive/{number}.jpg"), scanned=False) for number in (2, 3, 4)]
    scores = {(1, 2): 0.9, (1, 3): 0.9, (1, 4): 0.9, (2, 3): 0.8, (2, 4): 0.8, (3, 4): 0.8}
    (finding,) = found([image(1), *stored], scores)
    assert (str(finding.match), finding.group and finding.group.size) == ("archive/2.jpg", 4)


def test_of_two_scanned_pictures_the_larger_is_kept_then_the_heavier_then_the_first_by_path() -> None:
    larger = replace(image(2), width=400)
    assert pairs(found([image(1), larger], {(1, 2): 0.9})) == {("1.jpg", "2.jpg")}
    heavier = replace(image(2), size=5000)
    assert pairs(found([image(1), heavier], {(1, 2): 0.9})) == {("1.jpg", "2.jpg")}
    assert pairs(found([image(1, "b.jpg"), image(2, "a.jpg")], {(1, 2): 0.9})) == {("b.jpg", "a.jpg")}


def test_identical_files_are_copies_by_their_bytes() -> None:
    (finding,) = found([image(1, "a.jpg"), image(1, "b.jpg")], {})
    assert (finding.image.path, str(finding.match), finding.kind) == ("b.jpg", "a.jpg", Kind.COPY)
    assert finding.reason == "identical bytes; the match is kept by path"


def test_every_path_of_a_copied_content_is_told() -> None:
    findings = found([image(1), image(2, "a.jpg"), image(2, "b.jpg")], {(1, 2): 0.9})
    assert pairs(findings) == {("a.jpg", "1.jpg"), ("b.jpg", "1.jpg")}


@given(
    st.integers(2, 7).flatmap(
        lambda count: st.tuples(
            st.just(count),
            st.dictionaries(st.sampled_from(list(combinations(range(count), 2))), st.sampled_from([0.4, 0.6, 0.9])),
            st.sets(st.integers(0, count - 1)),
        )
    )
)
def test_every_match_is_in_one_group_or_has_a_finding_of_its_own(
    drawn: tuple[int, dict[tuple[int, int], float], set[int]],
) -> None:
    count, scores, stored = drawn
    images = [replace(image(number), scanned=number not in stored) for number in range(count)]
    findings = found(images, scores)
    groups: dict[str, set[str]] = {}
    for one in findings:
        assert one.image.scanned
        assert one.image.path != str(one.match)
        if one.group is not None:
            groups.setdefault(one.group.id, {str(one.match)}).add(one.image.path)
    # A stored copy of a group's keeper stands in the group, and has no finding of its own: it is not of this scan.
    matching = {frozenset(f"{one}.jpg" for one in pair) for pair, score in scores.items() if score >= 0.5}
    for members in groups.values():
        (keeper,) = {str(one.match) for one in findings if one.group and one.image.path in members}
        members.update(f"{one}.jpg" for one in stored if frozenset({keeper, f"{one}.jpg"}) in matching)
    told = {frozenset(pair) for pair in pairs(findings)}
    for (first, second), score in scores.items():
        if score >= 0.5 and not {first, second} <= stored:
            both = {f"{first}.jpg", f"{second}.jpg"}
            assert frozenset(both) in told or any(both <= members for members in groups.values())


def test_the_package_is_a_plugin_without_privilege() -> None:
    import moderator_duplicates

    source = Path(str(moderator_duplicates.__file__)).with_name("detector.py").read_text()
    assert {line for line in source.splitlines() if "moderator" in line and "import" in line} == {
        "from moderator import CatalogueOptions, Detector, Evidence, Finding, Group, Image, Kind, Match, Search",
        "from moderator_duplicates.keeper import Criterion, problem, rank, why",
    }
