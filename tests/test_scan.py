"""Whole scans in process: real files, real decoding, a real SQLite store, a fake embedder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

import pytest
from PIL import Image as Photographs

from moderator import Detector, Finding, Search, decisions, hookimpl
from moderator.contracts import Progress
from moderator.embedders.clip import ClipEmbedder
from moderator.errors import ArgumentError, InputError
from moderator.intake.decode import prepare
from moderator.models import Decision, Image, Kind, Reference, Report, Verdict
from moderator.policy import EmbedderSpec, Policy, ReferenceSet, SearchSpec
from moderator.scanning import Pictures, scan
from moderator.search import hashed, hashes, index, near
from moderator.stores.sql import SqlStore
from moderator.testing import FakeEmbedder
from tests.scanning import fake_policy, fake_registry, picture

WARM = ("red", "green", "blue", "grey")
"""Colours alike to the default ones of `picture`, and no copy."""


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return fake_policy(tmp_path)


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """Two copies of one picture, another that is alike, a text, and a picture that is broken."""
    folder = tmp_path / "uploads"
    picture(folder / "first.png")
    picture(folder / "larger.png", size=64)
    picture(folder / "alike.png", WARM)
    (folder / "notes.txt").write_text("nothing to see")
    (folder / "broken.png").write_bytes((folder / "first.png").read_bytes()[:60])
    return folder


def judge(policy: Policy, *sources: Path | str, **metadata: dict[str, str]) -> Report:
    pictures = Pictures([str(source) for source in sources], metadata=metadata)
    return scan(policy, pictures, registry=fake_registry())


def named(report: Report, rule: str) -> list[tuple[str, str]]:
    """The names of a rule's pictures and what they match."""
    return [
        (Path(one.image.path).name, Path(one.match.path).name if isinstance(one.match, Image) else str(one.match))
        for one in report.findings
        if one.rule == rule
    ]


def test_every_file_found_is_judged_rejected_or_skipped(policy: Policy, uploads: Path) -> None:
    report = judge(policy, uploads)
    assert (report.found, report.judged) == (5, 3)
    assert [(Path(one.path).name, one.code) for one in report.rejected] == [("broken.png", "undecodable")]
    assert [(Path(one.path).name, one.code) for one in report.skipped] == [("notes.txt", "not_an_image")]


def test_a_copy_is_told_by_duplicates_and_an_alike_picture_by_lookalike(policy: Policy, uploads: Path) -> None:
    report = judge(policy, uploads)
    assert named(report, "copies") == [("first.png", "larger.png")]
    assert {frozenset(pair) for pair in named(report, "alike")} == {
        frozenset({"alike.png", "first.png"}),
        frozenset({"alike.png", "larger.png"}),
    }


def test_a_second_scan_of_an_unchanged_folder_embeds_and_reads_nothing(policy: Policy, uploads: Path) -> None:
    first = judge(policy, uploads)
    before = FakeEmbedder.embedded
    second = judge(policy, uploads)
    assert FakeEmbedder.embedded == before
    # The text was never a picture, so nothing of it is kept; the broken picture is known by its bytes.
    assert (second.embedded, second.unchanged) == (0, 4)
    assert [finding.reason for finding in second.findings] == [finding.reason for finding in first.findings]
    assert second.rejected == first.rejected


def test_a_changed_file_is_read_again(policy: Policy, uploads: Path) -> None:
    judge(policy, uploads)
    picture(uploads / "first.png", ("black", "black", "black", "yellow"))
    report = judge(policy, uploads)
    assert report.embedded == 1
    assert named(report, "copies") == []


def test_a_known_content_at_a_new_path_is_not_embedded_again(policy: Policy, uploads: Path) -> None:
    judge(policy, uploads)
    (uploads / "moved.png").write_bytes((uploads / "alike.png").read_bytes())
    report = judge(policy, uploads)
    assert report.embedded == 0
    assert ("moved.png", "alike.png") in named(report, "copies")
    assert report.findings[-1].image.metadata == {}


def test_identical_files_are_told_as_identical_bytes(policy: Policy, tmp_path: Path) -> None:
    one = picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(one.read_bytes())
    (finding,) = [found for found in judge(policy, tmp_path / "in").findings if found.rule == "copies"]
    assert (finding.kind, finding.reason) == (Kind.COPY, "identical bytes; the match is kept by path")


def test_a_copy_of_a_picture_stored_by_an_earlier_scan_is_found(policy: Policy, uploads: Path, tmp_path: Path) -> None:
    judge(policy, uploads)
    late = picture(tmp_path / "later" / "late.png", size=128)
    report = judge(policy, late.parent)
    assert ("late.png", "larger.png") in named(report, "copies")
    assert all(Path(finding.image.path).name == "late.png" for finding in report.findings)


def test_after_a_folder_was_moved_the_report_tells_that_the_pictures_matched_are_gone(
    policy: Policy, uploads: Path, tmp_path: Path
) -> None:
    assert not any("files are gone, as after" in note for note in judge(policy, uploads).notes)
    uploads.rename(tmp_path / "moved")
    report = judge(policy, tmp_path / "moved")
    copies = [one for one in report.findings if isinstance(one.match, Image) and not one.match.scanned]
    assert any(note.startswith(f"{len(copies)} findings of stored pictures") for note in report.notes)


def test_pictures_whose_files_are_gone_are_forgotten(policy: Policy, uploads: Path) -> None:
    judge(policy, uploads)
    (uploads / "larger.png").unlink()
    report = judge(policy, uploads)
    assert named(report, "copies") == []
    assert any("forgotten" in note for note in report.notes)


def test_a_file_that_became_unreadable_is_rejected_and_no_longer_matched(policy: Policy, uploads: Path) -> None:
    judge(policy, uploads)
    (uploads / "larger.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    report = judge(policy, uploads)
    assert "larger.png" in {Path(one.path).name for one in report.rejected}
    assert named(report, "copies") == []


def test_a_policy_of_lookalikes_alone_says_that_copies_are_told_by_no_rule(policy: Policy, uploads: Path) -> None:
    alone = policy.model_copy(update={"rules": [rule for rule in policy.rules if rule.detector == "lookalike"]})
    said = [[note for note in judge(one, uploads).notes if "no `duplicates` rule" in note] for one in (alone, policy)]
    assert [len(notes) for notes in said] == [1, 0]


def test_pictures_of_one_sku_are_no_lookalikes(policy: Policy, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    front, back = picture(folder / "front.png"), picture(folder / "back.png", WARM)
    assert named(judge(policy, folder), "alike")
    skus = {str(front): {"sku": "17"}, str(back): {"sku": "17"}}
    assert named(judge(policy, folder, **skus), "alike") == []


def test_metadata_from_a_manifest_reaches_the_findings(policy: Policy, tmp_path: Path) -> None:
    picture(tmp_path / "shop" / "a.png")
    picture(tmp_path / "shop" / "b.png", size=64)
    (tmp_path / "shop" / "table.csv").write_text("path,sku\na.png,1\nb.png,2\n")
    report = judge(policy, tmp_path / "shop" / "table.csv")
    assert report.findings[0].image.metadata == {"sku": "1"}


def test_a_named_file_that_is_no_picture_is_rejected_not_skipped(policy: Policy, uploads: Path) -> None:
    report = judge(policy, uploads / "notes.txt")
    assert [one.code for one in report.rejected] == ["not_an_image"]
    assert report.exit_code(Verdict.BLOCK) == 5


def test_listed_paths_that_are_missing_are_rejected(policy: Policy, uploads: Path) -> None:
    wanted = Pictures(["-"], listed=[f"{uploads / 'first.png'}\n", f"{uploads / 'gone.png'}\n"])
    report = scan(policy, wanted, registry=fake_registry())
    assert (report.judged, [one.code for one in report.rejected]) == (1, ["missing"])


def test_a_source_that_is_not_there_ends_the_scan_before_anything_is_stored(policy: Policy, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="nowhere"):
        judge(policy, tmp_path / "nowhere")
    assert not (tmp_path / "store.db").exists()


# Reference sets


def with_folder(policy: Policy, folder: Path) -> Policy:
    return policy.model_copy(update={"reference_sets": {"banned": ReferenceSet(folder=folder, severity="critical")}})


def test_a_prohibited_picture_is_told_by_set_and_entry_and_never_by_name(policy: Policy, tmp_path: Path) -> None:
    picture(tmp_path / "banned" / "secret-name.png")
    upload = picture(tmp_path / "uploads" / "upload.png", size=64)
    report = judge(with_folder(policy, tmp_path / "banned"), upload)
    (finding,) = [one for one in report.findings if one.rule == "banned"]
    assert isinstance(finding.match, Reference)
    assert (finding.match.set, finding.match.severity) == ("banned", "critical")
    assert "secret-name" not in repr(report)
    assert report.exit_code(Verdict.BLOCK) == 1


def test_a_reference_that_left_its_folder_no_longer_matches(policy: Policy, tmp_path: Path) -> None:
    reference = picture(tmp_path / "banned" / "one.png")
    picture(tmp_path / "banned" / "other.png", ("black",) * 4)
    upload = picture(tmp_path / "uploads" / "upload.png", size=64)
    mirrored = with_folder(policy, tmp_path / "banned")
    assert named(judge(mirrored, upload), "banned")
    reference.unlink()
    assert named(judge(mirrored, upload), "banned") == []


def test_a_reference_folder_that_is_missing_ends_the_scan(policy: Policy, uploads: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="banned"):
        judge(with_folder(policy, tmp_path / "nowhere"), uploads)


def test_a_reference_that_cannot_be_read_is_noted_and_the_scan_is_not_clean(policy: Policy, tmp_path: Path) -> None:
    (tmp_path / "banned").mkdir()
    (tmp_path / "banned" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    report = judge(with_folder(policy, tmp_path / "banned"), picture(tmp_path / "in" / "a.png"))
    assert report.unread_references == 1
    assert report.exit_code(Verdict.BLOCK) == 5
    assert any("banned" in note and "torn" not in note for note in report.notes)


def test_a_reference_folder_may_be_scanned_as_well(policy: Policy, tmp_path: Path) -> None:
    picture(tmp_path / "banned" / "one.png")
    report = judge(with_folder(policy, tmp_path / "banned"), tmp_path / "banned")
    (finding,) = report.findings
    assert (finding.rule, finding.kind, finding.reason) == (
        "banned",
        Kind.COPY,
        "copy of a reference: identical bytes",
    )


def test_without_references_the_report_says_that_nothing_could_match(policy: Policy, uploads: Path) -> None:
    assert any("no references" in note for note in judge(policy, uploads).notes)


# Reviewers


def test_a_pair_that_a_reviewer_allowed_is_left_out_and_counted(
    policy: Policy, uploads: Path, tmp_path: Path
) -> None:
    report = judge(policy, uploads)
    (copy,) = [one for one in report.findings if one.rule == "copies"]
    assert isinstance(copy.match, Image)
    word = Decision(copy.match.sha256, copy.image.sha256, Verdict.ALLOW, "ours", "ann")
    with SqlStore.open(f"sqlite:///{tmp_path}/store.db") as store:
        store.decide(word)
    again = judge(policy, uploads)
    assert named(again, "copies") == []
    assert any("1 pair left out, called no match by a reviewer" in note for note in again.notes)


def test_a_pair_called_no_match_hides_no_other_link_of_its_group(policy: Policy, tmp_path: Path) -> None:
    for size in (128, 64, 32):
        picture(tmp_path / "in" / f"{size}.png", size=size)
    first = judge(policy, tmp_path / "in")
    images = [one for found in first.findings for one in (found.image, found.match) if isinstance(one, Image)]
    by_name = {Path(one.path).name: one for one in images}
    with SqlStore.open(f"sqlite:///{tmp_path}/store.db") as store:
        store.decide(Decision(by_name["128.png"].sha256, by_name["64.png"].sha256, Verdict.ALLOW, "no", "ann"))
    told = {frozenset(pair) for pair in named(judge(policy, tmp_path / "in"), "copies")}
    assert told == {frozenset({"32.png", "128.png"}), frozenset({"64.png", "32.png"})}


def test_a_pair_that_a_reviewer_called_a_match_says_so(policy: Policy, uploads: Path, tmp_path: Path) -> None:
    (copy,) = [one for one in judge(policy, uploads).findings if one.rule == "copies"]
    assert isinstance(copy.match, Image)
    with SqlStore.open(f"sqlite:///{tmp_path}/store.db") as store:
        store.decide(Decision(copy.match.sha256, copy.image.sha256, Verdict.BLOCK, "the same bag", "ann"))
    (again,) = [one for one in judge(policy, uploads).findings if one.rule == "copies"]
    assert again.reason.endswith("; a match, says ann: the same bag")


# Between two folders


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    """Two copies on one side, two on the other, and one picture that both sides have byte for byte."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for size, folder in ((32, ours), (64, ours), (48, theirs), (128, theirs)):
        picture(folder / f"{size}.png", size=size)
    other = picture(ours / "other.png", ("black", "white", "black", "white"))
    (theirs / "same.png").write_bytes(other.read_bytes())
    return ours, theirs


def across(policy: Policy, sides: tuple[Path, Path]) -> Report:
    return scan(policy, Pictures([], between=(str(sides[0]), str(sides[1]))), registry=fake_registry())


def test_between_two_folders_only_pairs_across_them_are_told(policy: Policy, sides: tuple[Path, Path]) -> None:
    report = across(policy, sides)
    assert (report.found, report.judged) == (6, 6)
    assert set(named(report, "copies")) == {("128.png", "64.png"), ("48.png", "64.png"), ("same.png", "other.png")}
    assert {one.group.size for one in report.findings if one.group} == {2, 4}


def test_between_two_folders_what_else_is_stored_is_left_out(policy: Policy, sides: tuple[Path, Path]) -> None:
    judge(policy, picture(sides[0].parent / "elsewhere" / "256.png", size=256).parent)
    assert not any("256" in name for pair in named(across(policy, sides), "copies") for name in pair)


def test_between_two_folders_reference_sets_are_asked_about_both(policy: Policy, sides: tuple[Path, Path]) -> None:
    banned = picture(sides[0].parent / "banned" / "one.png", ("black", "white", "black", "white"))
    report = across(with_folder(policy, banned.parent), sides)
    assert {name for name, _ in named(report, "banned")} == {"other.png", "same.png"}


def test_between_two_folders_one_without_a_picture_is_named(policy: Policy, tmp_path: Path) -> None:
    picture(tmp_path / "ours" / "one.png")
    (tmp_path / "theirs").mkdir()
    report = across(policy, (tmp_path / "ours", tmp_path / "theirs"))
    assert [note for note in report.notes if "theirs holds no picture that could be judged" in note]


@pytest.mark.parametrize("second", ["ours", "ours/inner", "nowhere"])
def test_between_two_folders_that_are_not_apart_is_refused(policy: Policy, tmp_path: Path, second: str) -> None:
    (tmp_path / "ours" / "inner").mkdir(parents=True)
    with pytest.raises(ArgumentError, match=r"lies in the other|no such folder"):
        across(policy, (tmp_path / "ours", tmp_path / second))


# Texts


def with_prompts(policy: Policy, *prompts: str) -> Policy:
    sets = {"reds": ReferenceSet(prompts=prompts)}
    options = {"prompt_threshold": 0.9}
    rules = [rule.model_copy(update={"options": options}) for rule in policy.rules if rule.id == "banned"]
    return policy.model_copy(update={"reference_sets": sets, "rules": rules})


def test_a_text_finds_pictures_and_only_asks_for_a_review(policy: Policy, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "red.png", ("red",) * 4)
    picture(tmp_path / "in" / "blue.png", ("blue",) * 4)
    report = judge(with_prompts(policy, "red"), tmp_path / "in")
    (finding,) = report.findings
    assert (Path(finding.image.path).name, str(finding.match)) == ("red.png", "reds, red, high severity")
    assert finding.verdict is Verdict.REVIEW
    assert not any("no references" in note for note in report.notes)


def test_what_a_reviewer_says_of_a_text_is_heeded_until_it_is_withdrawn(policy: Policy, tmp_path: Path) -> None:
    red = str(picture(tmp_path / "in" / "red.png", ("red",) * 4))
    policy = with_prompts(policy, "red")
    word = Decision("", "", decisions.NO_MATCH, "a flag", "ann")
    with SqlStore.open(f"sqlite:///{tmp_path}/store.db") as store:
        decisions.decide(store, policy, red, "reds#red", word)
        (told,) = decisions.listed(store, policy)
        assert "reds#red" in (told.first, told.second)
        report = judge(policy, tmp_path / "in")
        assert report.findings == ()
        assert any("1 pair left out, called no match by a reviewer" in note for note in report.notes)
        decisions.withdraw(store, policy, "reds#red", red)
    assert len(judge(policy, tmp_path / "in").findings) == 1


def test_a_real_clip_reads_texts_and_what_they_fit_is_only_ever_a_review(
    tmp_path: Path, tiny_clip: Path, photographs: Path
) -> None:
    """The architecture is CLIP's, its weights are random: so the threshold asks for all, and the scores are its own."""
    document = f"""
version: 1
embedders:
  clip: {{type: clip, model: {tiny_clip}}}
reference_sets:
  pets: {{prompts: [a photo of a cat, a photo of a dog]}}
rules:
  - {{id: described, detector: prohibited, threshold: 0.9, verdict: block, options: {{prompt_threshold: -1.0}}}}
"""
    chosen = fake_policy(tmp_path, document)
    report = judge(chosen, photographs)
    texts = {(Path(one.image.path).name, str(one.match)): one for one in report.findings}
    pets = [f"pets, a photo of a {pet}, high severity" for pet in ("cat", "dog")]
    wanted = {(path.name, pet) for path in photographs.iterdir() for pet in pets}
    assert texts.keys() == wanted
    assert {(one.verdict, one.kind) for one in report.findings} == {(Verdict.REVIEW, Kind.LOOKALIKE)}
    assert report.exit_code(chosen.fail_on) == 0
    embedder = ClipEmbedder(EmbedderSpec(model=str(tiny_clip)))
    with Photographs.open(photographs / "chelsea.png") as opened:
        ours = embedder.embed([prepare(opened.convert("RGB"), embedder.preprocessing)])
    cosine = float((ours @ embedder.embed_text(["a photo of a cat"]).T)[0, 0])
    (rung,) = texts["chelsea.png", pets[0]].evidence
    assert rung.score == pytest.approx(cosine, abs=1e-5)
    closer = chosen.rules[0].model_copy(update={"options": {"prompt_threshold": cosine - 1e-4}})
    fewer = judge(chosen.model_copy(update={"rules": [closer]}), photographs).findings
    assert ("chelsea.png", pets[0]) in {(Path(one.image.path).name, str(one.match)) for one in fewer}
    assert all(one.evidence[-1].score >= cosine - 1e-4 for one in fewer if one.evidence[-1].score is not None)


def test_a_folder_of_pictures_that_are_fine_is_read_whichever_sets_a_rule_names(uploads: Path, tmp_path: Path) -> None:
    for name in ("banned", "fine"):
        picture(tmp_path / name / "known.png", size=48)
    document = fake_policy(tmp_path).model_dump(mode="json")
    document["reference_sets"] = {
        "banned": {"folder": str(tmp_path / "banned")},
        "fine": {"folder": str(tmp_path / "fine"), "allow": True},
    }
    document["rules"] = [{"id": "banned", "detector": "prohibited", "threshold": 0.95, "sets": ["banned"]}]
    report = judge(Policy.model_validate(document), uploads)
    assert report.findings == ()
    assert "banned: pictures left out, as an allowlist matches them as closely: 2" in report.notes


def test_texts_that_no_model_reads_are_refused_before_anything_is_read(policy: Policy, uploads: Path) -> None:
    sscd = {"sscd": EmbedderSpec(type="onnx", model="sscd")}
    with pytest.raises(ArgumentError, match="`reds` has prompts, but no rule that asks it has a model that reads text"):
        judge(with_prompts(policy, "red").model_copy(update={"embedders": sscd}), uploads)


# Plugins, progress


class Broken(Detector):
    name = "broken"

    def detect(self, search: Search) -> Iterable[Finding]:
        raise ZeroDivisionError("no luck")


class Wrong(Detector):
    name = "wrong"

    def detect(self, search: Search) -> Iterable[Finding]:
        return ["a finding"]  # type: ignore[list-item]


class Hears(Detector):
    """Tells no finding, and keeps which of its kind was asked when."""

    order: ClassVar[list[str]] = []

    def detect(self, search: Search) -> Iterable[Finding]:
        self.order.append(self.rule.id)
        return ()


class Early(Hears):
    name = "early"


class Late(Hears):
    name = "late"
    asked_last = True


class Hearing:
    @hookimpl
    def register_detectors(self) -> Iterable[type[Detector]]:
        return [Early, Late]


class Bad:
    @hookimpl
    def register_detectors(self) -> Iterable[type[Detector]]:
        return [Broken, Wrong]


class Watcher:
    def __init__(self) -> None:
        self.seen: list[Report] = []

    @hookimpl
    def scan_finished(self, report: Report) -> None:
        self.seen.append(report)
        raise RuntimeError("watched too closely")


@pytest.mark.parametrize(("detector", "says"), [("broken", "ZeroDivisionError: no luck"), ("wrong", "TypeError")])
def test_a_rule_whose_plugin_fails_is_named_and_the_others_answer(
    detector: str, says: str, uploads: Path, tmp_path: Path
) -> None:
    registry = fake_registry(Bad())
    document = fake_policy(tmp_path).model_dump(mode="json")
    document["rules"].append({"id": "mine", "detector": detector, "threshold": 0.5})
    report = scan(Policy.model_validate(document), [str(uploads)], registry=registry)
    (fault,) = report.faults
    assert (fault.where, fault.version) == ("rule mine", "9")
    assert says in fault.message
    assert named(report, "copies")
    assert report.exit_code(Verdict.BLOCK) == 2


def test_a_detector_that_is_asked_last_waits_for_rules_that_stand_below_it(uploads: Path, tmp_path: Path) -> None:
    Hears.order.clear()
    document = fake_policy(tmp_path).model_dump(mode="json")
    document["rules"] = [{"id": one, "detector": one, "threshold": 0.5} for one in ("late", "early")]
    scan(Policy.model_validate(document), [str(uploads)], registry=fake_registry(Hearing()))
    assert Hears.order == ["early", "late"]


def test_a_plugin_hears_of_a_finished_scan_and_its_failure_is_a_fault(policy: Policy, uploads: Path) -> None:
    watcher = Watcher()
    report = scan(policy, [str(uploads)], registry=fake_registry(watcher))
    assert watcher.seen[0].judged == 3
    assert [fault.where for fault in report.faults] == ["scan_finished"]


class Told(Progress):
    def __init__(self) -> None:
        self.stages: list[tuple[str, int | None]] = []

    def stage(self, name: str, total: int | None):  # type: ignore[no-untyped-def]
        self.stages.append((name, total))
        return super().stage(name, total)


def test_progress_tells_how_many_files_are_to_be_read(policy: Policy, uploads: Path) -> None:
    told = Told()
    scan(policy, [str(uploads)], registry=fake_registry(), progress=told)
    assert ("Reading and embedding", 5) in told.stages


def test_names_that_are_no_utf_8_are_judged_and_printable(policy: Policy, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    picture(folder / "a.png")
    (folder / "a.png").rename(folder / os.fsdecode(b"\xff.png"))
    picture(folder / "b.png", size=64)
    for _ in range(2):
        report = judge(policy, folder)
        assert report.judged == 2
        (found,) = [one for one in report.findings if one.rule == "copies"]
        assert found.image.path.endswith("\\xff.png")


# What changes between two scans of an unchanged folder


def _decided(policy: Policy, report: Report) -> Policy:
    (copy,) = [one for one in report.findings if one.rule == "copies"]
    assert isinstance(copy.match, Image)
    with SqlStore.open(str(policy.store)) as store:
        store.decide(Decision(copy.match.sha256, copy.image.sha256, Verdict.ALLOW, "ours", "ann"))
    return policy


def _filled(policy: Policy, report: Report) -> Policy:
    bad = picture(Path(str(policy.store).removeprefix("sqlite:///")).with_name("bad") / "bad.png", size=48)
    return policy.model_copy(update={"reference_sets": {"banned": ReferenceSet(folder=str(bad.parent))}})


def _stricter(policy: Policy, report: Report) -> Policy:
    rules = [rule.model_copy(update={"threshold": 0.5}) for rule in policy.rules]
    return policy.model_copy(update={"rules": rules})


def _copied(policy: Policy, report: Report) -> Policy:
    first = next(Path(one.image.file) for one in report.findings)
    (first.parent / "again.png").write_bytes(first.read_bytes())
    return policy


def _removed(policy: Policy, report: Report) -> Policy:
    (copy,) = [one for one in report.findings if one.rule == "copies"]
    Path(copy.image.file).unlink()
    return policy


@pytest.mark.parametrize("change", [_decided, _filled, _stricter, _copied, _removed])
def test_a_scan_heeds_what_has_changed_though_it_keeps_the_pairs_of_an_earlier_one(
    policy: Policy, uploads: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Policy, Report], Policy]
) -> None:
    for module in (near, hashed):
        monkeypatch.setattr(module, "INDEXED", 1)
    monkeypatch.setattr(hashes, "FEW", 0)
    before = judge(policy, uploads)
    assert list(index.folder_of(str(policy.store)).glob("*.pairs"))
    changed = change(policy, before)
    kept, anew = judge(changed, uploads), judge(changed.model_copy(update={"search": SearchSpec(index=False)}), uploads)
    assert kept.findings == anew.findings
    assert kept.findings != before.findings


def test_plain_pictures_are_told_as_nothing_in_them_can_be_recognised(policy: Policy, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "black.png", ("black",) * 4)
    Photographs.effect_noise((64, 64), 90).save(tmp_path / "in" / "busy.png")
    notes = judge(policy, tmp_path / "in").notes
    assert any(note.startswith("1 picture too plain for a perceptual hash") for note in notes)
