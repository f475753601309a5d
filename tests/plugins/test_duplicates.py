"""The `duplicates` detector: stars and not chains, and no link lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderator import Evidence, Finding, Image, Kind, Match, Rule
from moderator.intake.sniff import JUDGED
from moderator.models import Region
from moderator.testing import DetectorContract, FakeSearch, image, stored_image
from moderator_duplicates.detector import Duplicates
from moderator_duplicates.keeper import FORMATS, Criterion


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


def test_what_two_keepers_match_is_of_the_one_that_it_is_closer_to_and_the_other_match_is_told() -> None:
    findings = found([image(1), image(2), image(3)], {(1, 3): 0.8, (2, 3): 0.9})
    assert pairs(findings) == {("3.jpg", "2.jpg"), ("1.jpg", "3.jpg")}
    assert [str(one.group.keeper) for one in findings if one.group] == ["2.jpg"]


def test_what_matches_a_closer_but_worse_keeper_stays_with_the_better_one() -> None:
    best, middle, worst = (replace(image(number), width=width) for number, width in ((1, 400), (2, 300), (3, 200)))
    findings = found([best, middle, worst, replace(image(4), width=100)], {(1, 2): 0.8, (2, 3): 0.9, (3, 4): 0.9})
    assert {str(one.group.keeper): one.image.path for one in findings if one.group} == {
        "1.jpg": "2.jpg",
        "3.jpg": "4.jpg",
    }


def test_a_pair_below_the_threshold_inside_a_group_is_said() -> None:
    findings = found([image(1), image(2), image(3)], {(1, 2): 0.9, (1, 3): 0.8, (2, 3): 0.2})
    assert [round(one.group.smallest, 3) for one in findings if one.group] == [0.2, 0.2]


def test_what_was_stored_before_the_scan_is_kept() -> None:
    stored = stored_image(2, "archive/2.jpg")
    assert pairs(found([image(1), stored], {(1, 2): 0.9})) == {("1.jpg", "archive/2.jpg")}


def test_a_picture_that_is_scanned_again_is_kept_where_it_was_there_first() -> None:
    again, later = replace(image(1), since="2026-01-01"), replace(stored_image(2), since="2026-01-02", width=400)
    (finding,) = found([again, later], {(1, 2): 0.9})
    assert finding.reason.endswith("this one is kept as it was there first")


def test_stored_copies_of_one_picture_are_one_group_and_one_finding() -> None:
    stored = [stored_image(number, f"archive/{number}.jpg") for number in (2, 3, 4)]
    scores = {(1, 2): 0.9, (1, 3): 0.9, (1, 4): 0.9, (2, 3): 0.8, (2, 4): 0.8, (3, 4): 0.8}
    (finding,) = found([image(1), *stored], scores)
    assert (str(finding.match), finding.group and finding.group.size) == ("archive/2.jpg", 4)


class Verified(FakeSearch):
    """Finds no two stored pictures to be copies, however alike they are."""

    def weighed(self, embedder: str, threshold: float, pairs: Sequence[tuple[int, int]]) -> Iterable[Match]:
        return ()


def test_stored_pictures_that_are_no_copies_of_one_another_are_in_no_group_however_alike() -> None:
    stored = [stored_image(number, f"archive/{number}.jpg") for number in (2, 3)]
    search = Verified([image(1), *stored], {(1, 2): 0.9, (1, 3): 0.9, (2, 3): 0.8})
    findings = list(TestDuplicates().make().detect(search))
    assert [one.group.size for one in findings if one.group] == [2]
    assert pairs(findings) == {("1.jpg", "archive/2.jpg"), ("1.jpg", "archive/3.jpg")}


class Holding(FakeSearch):
    """Tells of each pair that the second picture shows the first one in a quarter."""

    def copies(self, embedder: str, threshold: float) -> Iterable[Match]:
        whole, quarter = (((0.0, 0.0), (side, 0.0), (side, side), (0.0, side)) for side in (1.0, 0.5))
        for match in super().copies(embedder, threshold):
            region = Region(whole, quarter, 1.0, 0.25)
            verified = Evidence("verified", Kind.EDITED_COPY, 1.0, 0.9, "keypoints agree", region)
            yield replace(match, evidence=(verified, replace(match.evidence[0], region=region)))


def test_a_collage_keeps_none_of_the_pictures_that_it_shows_however_large_it_is() -> None:
    collage = replace(image(3), width=4000)
    search = Holding([image(1), image(2), collage], {(1, 3): 0.9, (2, 3): 0.8})
    findings = list(TestDuplicates().make().detect(search))
    assert pairs(findings) == {("3.jpg", "1.jpg"), ("2.jpg", "3.jpg")}
    kept, other = findings
    assert "the match is kept as the other one shows it in a part only" in kept.reason
    assert "the two stand in different groups" in other.reason


def test_the_regions_of_a_finding_are_those_of_its_own_picture_and_of_the_match() -> None:
    search = Holding([image(1), image(2), image(3)], {(1, 3): 0.9, (2, 3): 0.8})
    findings = list(TestDuplicates().make().detect(search))
    shown = {one.image.path: one.evidence[0].region for one in findings}
    assert {path: (one.image_coverage, one.match_coverage) for path, one in shown.items() if one} == {
        "3.jpg": (0.25, 1.0),
        "2.jpg": (1.0, 0.25),
    }
    reasons = {one.image.path: one.reason for one in findings}
    assert "25% of this one is 100% of the match" in reasons["3.jpg"]
    assert "100% of this one is 25% of the match" in reasons["2.jpg"]


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


# The keeper


def kept(first: Image, second: Image, *keep: Criterion) -> tuple[str, str]:
    """The path of the picture that is kept, and why."""
    rule = Rule(id="copies", detector="duplicates", threshold=0.5, options={"keep": keep})
    (finding,) = Duplicates(rule, "fake").detect(FakeSearch([first, second], {(1, 2): 0.9}))
    assert finding.group is not None
    assert finding.group.keeper == finding.match
    return str(finding.match), finding.reason.partition("is kept ")[2]


DAY = 86_400_000_000_000


@pytest.mark.parametrize(
    ("better", "keep", "why"),
    [
        ({"width": 400}, "resolution", "by resolution, 400x100 pixels over 100x100 pixels"),
        ({"size": 5000}, "size", "by size, 5,000 bytes over 1,000 bytes"),
        ({"modified": DAY}, "oldest", "by oldest, written 1970-01-02 00:00:00 over written 1970-01-03 00:00:00"),
        ({"modified": 3 * DAY}, "newest", "by newest, written 1970-01-04 00:00:00 over written 1970-01-03 00:00:00"),
        ({"taken": "2024-05-01 09:30:00"}, "taken", "by taken, 2024-05-01 09:30:00 over one without a date"),
        ({"path": "0.jpg"}, "path", "by path"),
        ({"format": "PNG"}, {"format": ["png", "jpeg"]}, "by format, PNG over JPEG"),
        ({"path": "shop/masters/z.jpg"}, {"folder": ["masters"]}, "by folder, masters over another"),
        ({"metadata": {"seller": "us"}}, {"seller": ["us"]}, "by seller, us over none"),
    ],
)
def test_the_keeper_is_chosen_by_the_policys_rule_and_the_finding_says_why(
    better: dict[str, Any], keep: Criterion, why: str
) -> None:
    other = replace(image(1), format="JPEG", modified=2 * DAY)
    assert kept(other, replace(other, **{"content": 2, "path": "2.jpg", **better}), keep) == (
        better.get("path", "2.jpg"),
        why,
    )


def test_a_later_criterion_decides_where_the_earlier_ones_are_equal() -> None:
    larger = replace(image(2), width=400, metadata={"seller": "us"})
    assert kept(image(1, seller="us"), larger, {"seller": ["us"]}, "resolution")[0] == "2.jpg"


def test_a_better_picture_of_this_scan_may_be_kept_and_the_stored_one_is_told() -> None:
    rule = Rule(id="copies", detector="duplicates", threshold=0.5, options={"keep": ["resolution"]})
    pictures = [stored_image(1), replace(image(2), width=400)]
    (finding,) = Duplicates(rule, "fake").detect(FakeSearch(pictures, {(1, 2): 0.9}))
    assert (finding.image.path, str(finding.match)) == ("2.jpg", "1.jpg")
    assert "this one is kept by resolution" in finding.reason


@pytest.mark.parametrize("keep", [["resolutoin"], [{"format": ["PNG"], "seller": ["us"]}], [{}], [{"seller": []}]])
def test_a_criterion_that_is_none_is_refused(keep: list[Criterion]) -> None:
    with pytest.raises(ValueError, match=r"no criterion|one key"):
        Duplicates(Rule(id="copies", detector="duplicates", threshold=0.5, options={"keep": keep}), "fake")


# Catalogues


def asked(images: list[Image], scores: dict[tuple[int, int], float], **options: Any) -> list[Finding]:
    rule = Rule(id="copies", detector="duplicates", threshold=0.5, options=options)
    return list(Duplicates(rule, "fake").detect(FakeSearch(images, scores)))


def test_the_same_picture_under_two_sellers_is_taken() -> None:
    pictures = [image(1, seller="ann"), image(2, seller="bob"), image(3, seller="ann")]
    scores = {(1, 2): 0.9, (1, 3): 0.9, (2, 3): 0.9}
    findings = asked(pictures, scores, across="seller")
    assert pairs(findings) == {("2.jpg", "1.jpg"), ("2.jpg", "3.jpg")}
    assert findings[0].reason.startswith("taken: seller bob here, ann there; edited copy")


def test_of_a_taken_picture_none_is_kept_unless_the_policy_says_whose_is() -> None:
    pictures = [image(1, seller="ann"), replace(image(2, seller="bob"), width=400)]
    (taken,) = asked(pictures, {(1, 2): 0.9}, across="seller")
    assert taken.group is None
    assert "kept" not in taken.reason
    (taken,) = asked(pictures, {(1, 2): 0.9}, across="seller", keep=[{"seller": ["ann"]}])
    assert taken.group is not None
    assert taken.group.keeper == pictures[0]


def test_identical_files_of_two_sellers_are_taken() -> None:
    pictures = [image(1, "a.jpg", seller="ann"), image(1, "b.jpg", seller="bob"), image(1, "c.jpg", seller="ann")]
    assert pairs(asked(pictures, {}, across="seller")) == {("b.jpg", "a.jpg"), ("c.jpg", "b.jpg")}


@pytest.mark.parametrize("options", [{"across": "seller"}, {"within": "seller"}, {"keep": [{"seller": ["us"]}]}])
def test_a_metadata_column_that_no_picture_has_is_told(options: dict[str, Any]) -> None:
    search = FakeSearch([image(1, Seller="us"), image(2, seller="")], {})
    rule = Rule(id="copies", detector="duplicates", threshold=0.5, options=options)
    assert list(Duplicates(rule, "fake").detect(search)) == []
    asked = "copies asks for the metadata column `seller`, which no scanned picture has; they have: Seller"
    assert search.notes == [asked]


@given(st.lists(st.sampled_from(["", "ann", "bob"]), min_size=2, max_size=6))
def test_every_copy_is_either_across_two_values_or_within_one(sellers: list[str]) -> None:
    pictures = [image(number, seller=seller) for number, seller in enumerate(sellers)]
    scores = dict.fromkeys(combinations(range(len(sellers)), 2), 0.9)
    across, within = (pairs(asked(pictures, scores, **{which: "seller"})) for which in ("across", "within"))
    seller = {one.path: one.metadata["seller"] for one in pictures}
    assert all(seller[first] and seller[second] and seller[first] != seller[second] for first, second in across)
    assert not any(seller[first] and seller[second] and seller[first] != seller[second] for first, second in within)
    told = {path for pair in across | within for path in pair}
    assert told == set(seller)


def test_an_item_in_another_colour_is_no_copy_and_is_counted() -> None:
    search = FakeSearch([image(1, sku="7", colour="red"), image(2, sku="7", colour="blue")], {(1, 2): 0.95})
    rule = Rule(id="copies", detector="duplicates", threshold=0.5)
    assert list(Duplicates(rule, "fake").detect(search)) == []
    assert search.notes == ["copies: pairs left to `lookalike`, as variants by the metadata: 1"]


@pytest.mark.parametrize("colours", [("Blue", "blue"), ("blue ", "blue")])
def test_a_colour_is_one_however_it_is_written(colours: tuple[str, str]) -> None:
    pictures = [image(number, sku="7", colour=colour) for number, colour in enumerate(colours)]
    assert pairs(asked(pictures, {(0, 1): 0.9})) == {("1.jpg", "0.jpg")}


def test_one_seller_written_in_two_ways_takes_nothing_from_itself() -> None:
    assert asked([image(1, seller="Ann"), image(2, seller=" ann")], {(1, 2): 0.9}, across="seller") == []


def test_a_picture_taken_from_another_seller_is_told_whatever_colour_its_table_claims() -> None:
    class Confirmed(FakeSearch):
        """Verifies each pair as a copy in the same colours."""

        def copies(self, embedder: str, threshold: float) -> Iterable[Match]:
            rung = Evidence("verified", Kind.EDITED_COPY, 0.99, 0.9, "keypoints agree")
            return (replace(one, evidence=(rung, *one.evidence)) for one in super().copies(embedder, threshold))

    pictures = [image(1, sku="7", colour="red", seller="ann"), image(2, sku="7", colour="blue", seller="bob")]
    rule = Rule(id="taken", detector="duplicates", threshold=0.5, options={"across": "seller"})
    assert pairs(Duplicates(rule, "fake").detect(Confirmed(pictures, {(1, 2): 0.9}))) == {("2.jpg", "1.jpg")}


def test_copies_of_a_picture_without_a_seller_are_counted_where_taken_ones_are_asked() -> None:
    search = FakeSearch([image(1, seller="ann"), image(2, seller="")], {(1, 2): 0.9})
    rule = Rule(id="taken", detector="duplicates", threshold=0.5, options={"across": "seller"})
    assert list(Duplicates(rule, "fake").detect(search)) == []
    assert search.notes == [
        "taken: pairs of copies left out, as the metadata column `seller` says nothing of one of the two: 1"
    ]


def test_a_scan_of_one_seller_against_what_is_stored_of_others_tells_what_is_taken_and_no_more() -> None:
    pictures = [
        image(1, "ann/a.jpg", seller="ann"),
        replace(stored_image(1, "bob/old.jpg"), metadata={"seller": "bob"}),
        replace(stored_image(2, "ann/z.jpg"), metadata={"seller": "ann"}),
        replace(stored_image(3, "a0.jpg"), metadata={"seller": "zed"}, width=900),
    ]
    told = pairs(asked(pictures, {(1, 2): 0.9, (1, 3): 0.95}, across="seller", keep=["resolution", "path"]))
    assert told == {("ann/a.jpg", "a0.jpg")}


@pytest.mark.parametrize(("written", "kept"), [("jpg", "1.jpg"), ("JPEG", "1.jpg"), ("png", "2.jpg")])
def test_a_format_may_be_written_as_files_are_named(written: str, kept: str) -> None:
    pictures = [replace(image(1), format="JPEG"), replace(image(2), format="PNG")]
    (finding,) = asked(pictures, {(1, 2): 0.9}, keep=[{"format": [written]}])
    assert finding.group is not None
    assert str(finding.group.keeper) == kept


def test_each_format_that_is_judged_may_be_preferred() -> None:
    assert set(FORMATS.values()) == set(JUDGED)


def test_a_format_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no format `jpgg`; known: JPEG, PNG"):
        asked([image(1)], {}, keep=[{"format": ["jpgg"]}])


def test_of_a_large_group_the_least_alike_two_are_found_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moderator_duplicates.detector.AT_ONCE", 2)
    scores = dict.fromkeys(combinations(range(5), 2), 0.9) | {(1, 4): 0.3}
    assert {round(one.group.smallest, 3) for one in found(map(image, range(5)), scores) if one.group} == {0.3}


# What holds for all


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
    for name, members in groups.items():
        (keeper,) = {str(one.group.keeper) for one in findings if one.group and one.group.id == name}
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
        "from moderator import CatalogueOptions, Detector, Finding, Group, Image, Kind, Match, Search",
        "from moderator_duplicates.keeper import Criterion, columns_of, problem",
        "from moderator_duplicates.pictures import Pictures, Ranked",
    }
