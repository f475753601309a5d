"""Verification in whole scans: edited copies are named, lookalikes are not copies, references need no file."""

from __future__ import annotations

import hashlib
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from moderator import Finding, Kind, Reference, Registry, Verdict, references, scan
from moderator.contracts import Progress
from moderator.edits import BATTERY
from moderator.ingest import Ingest
from moderator.policy import Policy, ReferenceSet
from moderator.scanning import Pictures
from moderator.search.verify import Verification, verify_within
from moderator.search.verify.features import Features
from moderator.search.verify.within import Boxes
from moderator.verification import in_company


def findings(policy: Policy, folder: Path, registry: Registry, rule: str) -> list[Finding]:
    report = scan(policy, [str(folder)], registry=registry)
    assert report.faults == ()
    return [one for one in report.findings if one.rule == rule]


@pytest.mark.parametrize("folder", ["reg-test-input-dih", "bridge-mods"])
def test_every_edit_of_the_bridge_is_in_one_group_of_copies(
    folder: str, shared_data: Path, offline: Policy, registry: Registry
) -> None:
    found = findings(offline, shared_data / "edits" / folder, registry, "duplicates")
    pictures = len(list((shared_data / "edits" / folder).iterdir()))
    assert len({one.image.path for one in found}) == pictures - 1
    assert {one.kind for one in found} <= {Kind.COPY, Kind.EDITED_COPY}


def test_two_photographs_of_one_scene_are_lookalikes_and_no_copies(
    tmp_path: Path, photographs: Path, offline: Policy, registry: Registry
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    left = photographs / "motorcycle_left.png"
    shutil.copy(left, pictures)
    with Image.open(_right(left)) as right:
        right.convert("RGB").save(pictures / "right.jpg", quality=90)
    report = scan(offline, [str(pictures)], registry=registry)
    assert {one.kind for one in report.findings} == {Kind.LOOKALIKE}


@pytest.mark.parametrize(
    ("skus", "verdict", "words"),
    [
        (("mh03", "mh03"), Verdict.ALLOW, "variant: sku mh03 in colour black and green; "),
        (("mh03", "other"), Verdict.REVIEW, "variant: verified at "),
    ],
)
def test_what_is_verified_to_be_a_thing_in_another_colour_is_told_as_a_variant(
    skus: tuple[str, str], verdict: Verdict, words: str, shared_data: Path, offline: Policy, registry: Registry
) -> None:
    files = [str(shared_data / "catalog" / f"mh03-{colour}_main.jpg") for colour in ("black", "green")]
    rows = [{"sku": sku, "colour": colour} for sku, colour in zip(skus, ("black", "green"), strict=True)]
    report = scan(offline, Pictures(files, metadata=dict(zip(files, rows, strict=True))), registry=registry)
    (finding,) = report.findings
    assert (finding.kind, finding.verdict) == (Kind.VARIANT, verdict)
    assert finding.reason.startswith(words)


def sketched(picture: Image.Image) -> Image.Image:
    """Returns a picture as a pencil would draw it: one picture, whose colours no edit that is known explains."""
    grey = picture.convert("L")
    blurred = grey.filter(ImageFilter.GaussianBlur(6))
    ratio = np.asarray(grey, np.float64) / (np.asarray(blurred, np.float64) + 1)
    return Image.fromarray((255 * ratio).clip(0, 255).astype(np.uint8)).convert("RGB")


@pytest.fixture
def sketch(tmp_path: Path, photographs: Path) -> Path:
    """A folder with a photograph and a drawing of it, which lie below the threshold of every rule."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    with Image.open(photographs / "astronaut.png") as opened:
        opened.convert("RGB").save(folder / "astronaut.png")
        sketched(opened.convert("RGB")).save(folder / "drawn.jpg", quality=90)
    return folder


def test_one_picture_is_told_for_review_however_little_its_edit_resembles_it(
    sketch: Path, offline: Policy, registry: Registry
) -> None:
    first_of_all = sorted(offline.rules, key=lambda rule: rule.detector != "lookalike")
    policy = offline.model_copy(update={"rules": first_of_all})
    (finding,) = scan(policy, [str(sketch)], registry=registry).findings
    assert (finding.rule, finding.kind, finding.verdict) == ("lookalikes", Kind.VARIANT, Verdict.REVIEW)
    assert not finding.evidence[-1].holds
    assert finding.reason.startswith("variant: verified at ")


def test_a_policy_without_a_rule_on_lookalikes_says_how_many_it_does_not_tell(
    sketch: Path, offline: Policy, registry: Registry
) -> None:
    rules = [rule for rule in offline.rules if rule.detector != "lookalike"]
    report = scan(offline.model_copy(update={"rules": rules}), [str(sketch)], registry=registry)
    assert report.findings == ()
    (note,) = [note for note in report.notes if note.startswith("not told: 1 pair of one picture, ")]
    assert note.endswith("a rule of the detector `lookalike` would tell them")


def test_a_policy_of_copies_alone_says_how_many_prohibited_pictures_it_does_not_tell(
    sketch: Path, offline: Policy, registry: Registry
) -> None:
    rules = [rule for rule in offline.rules if rule.id == "prohibited"]
    policy = offline.model_copy(update={"rules": rules})
    with registry.open_store(policy.store or "") as store:
        ingest = Ingest(store, list(registry.make_embedders(policy).values()), policy.limits)
        references.add(store, policy, ingest, "prohibited", [str(sketch / "astronaut.png")])
    report = scan(policy, [str(sketch / "drawn.jpg")], registry=registry)
    assert report.findings == ()
    assert any(note.startswith("not told: 1 pair") and "`copies_only: false`" in note for note in report.notes)


@pytest.mark.parametrize(("banned", "told"), [(["yellow"], 1), (["red", "yellow"], 1), (["yellow", "red"], 2)])
def test_a_copy_of_one_of_two_references_that_differ_in_a_colour_is_told_of_that_alone(
    banned: list[str], told: int, tmp_path: Path, shared_data: Path, offline: Policy, registry: Registry
) -> None:
    pictures = {colour: shared_data / "catalog" / f"wb03-{colour}_main.jpg" for colour in ("red", "yellow")}
    upload = tmp_path / "uploads" / "feed.jpg"
    upload.parent.mkdir()
    (feed,) = [edit for edit in BATTERY if edit.name == "feed"]
    with Image.open(pictures["red"]) as opened:
        feed.apply(opened.convert("RGB"), 1).save(upload, quality=90)
    with registry.open_store(offline.store or "") as store:
        ingest = Ingest(store, list(registry.make_embedders(offline).values()), offline.limits)
        for colour in banned:
            references.add(store, offline, ingest, "banned", [str(pictures[colour])])
    report = scan(offline, [str(upload)], registry=registry)
    entries = {one.match.entry: one.kind for one in report.findings if isinstance(one.match, Reference)}
    others = {entry: Kind.VARIANT for entry in range(1, 1 + len(banned)) if entry != told}
    assert entries == {told: Kind.EDITED_COPY, **others}
    noted = [note for note in report.notes if note.startswith("told as no copy: 1 match with a reference")]
    assert len(noted) == len(banned) - 1


def test_a_pair_that_was_verified_is_not_verified_again(
    tmp_path: Path, photographs: Path, offline: Policy, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    with Image.open(photographs / "astronaut.png") as opened:
        opened.convert("RGB").save(pictures / "astronaut.png")
        opened.convert("RGB").crop((90, 60, 460, 430)).save(pictures / "cropped.jpg")
    first = findings(offline, pictures, registry, "duplicates")
    assert [one.strongest.signal for one in first] == ["verified"]
    monkeypatch.setattr("moderator.verification.verify_within", lambda *_: 1 / 0)
    assert findings(offline, pictures, registry, "duplicates") == first


class Counted(Progress):
    def __init__(self) -> None:
        self.stages: list[tuple[int | None, list[int]]] = []

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        done: list[int] = []
        if name == "Verifying candidates":
            self.stages.append((total, done))
        yield done.append


def test_a_scan_that_is_ended_while_it_verifies_goes_on_from_there(
    tmp_path: Path, photographs: Path, offline: Policy, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    with Image.open(photographs / "astronaut.png") as opened:
        for left in (0, 40, 80, 120):
            opened.convert("RGB").crop((left, 60, left + 370, 430)).save(pictures / f"{left}.jpg")
    told: list[int] = []

    def ended(first: Features, second: Features, boxes: Boxes) -> Verification:
        told.append(1)
        if len(told) == 3:
            raise KeyboardInterrupt
        return verify_within(first, second, boxes)

    monkeypatch.setattr("moderator.verification.CHUNK", 1)
    monkeypatch.setattr("moderator.verification.verify_within", ended)
    with pytest.raises(KeyboardInterrupt):
        scan(offline, [str(pictures)], registry=registry)
    progress = Counted()
    scan(offline, [str(pictures)], registry=registry, progress=progress)
    total, done = progress.stages[0]
    assert total == sum(done) == 6
    assert done[:2] == [0, 2]  # none with identical pixels, and two that were kept
    assert len(told) == 3 + 4


def test_a_reference_whose_file_is_gone_is_verified_by_what_is_stored_or_the_report_says_that_it_is_not(
    tmp_path: Path, photographs: Path, offline: Policy, registry: Registry
) -> None:
    for name in ("uploads", "banned"):
        (tmp_path / name).mkdir()
    shutil.copy(photographs / "astronaut.png", tmp_path / "banned")
    with Image.open(photographs / "astronaut.png") as opened:
        opened.convert("RGB").crop((90, 60, 460, 430)).save(tmp_path / "uploads" / "cropped.jpg")
    with registry.open_store(offline.store or "") as store:
        ingest = Ingest(store, list(registry.make_embedders(offline).values()), offline.limits)
        references.add(store, offline, ingest, "prohibited", [str(tmp_path / "banned")])
    shutil.rmtree(tmp_path / "banned")
    (found,) = findings(offline, tmp_path / "uploads", registry, "prohibited")
    assert "stored features" in found.strongest.note
    with sqlite3.connect(tmp_path / "moderator.db") as connection:
        connection.execute("DELETE FROM features")
    report = scan(offline, [str(tmp_path / "uploads")], registry=registry)
    assert any("1 candidate pair not verified" in note for note in report.notes)
    assert [one.strongest.signal for one in report.findings if one.rule == "prohibited"] == ["sscd"]


def test_what_is_kept_of_a_verification_does_not_tell_the_other_picture(
    tmp_path: Path, photographs: Path, offline: Policy, registry: Registry
) -> None:
    for name in ("uploads", "banned"):
        (tmp_path / name).mkdir()
        shutil.copy(photographs / "astronaut.png", tmp_path / name)
    with Image.open(photographs / "astronaut.png") as opened:
        opened.convert("RGB").crop((90, 60, 460, 430)).save(tmp_path / "uploads" / "astronaut.png")
    sets = {"prohibited": ReferenceSet(folder=tmp_path / "banned")}
    policy = offline.model_copy(update={"reference_sets": sets})
    cropped = findings(policy, tmp_path / "uploads", registry, "prohibited")
    digest = hashlib.sha256((tmp_path / "banned" / "astronaut.png").read_bytes())
    with sqlite3.connect(tmp_path / "moderator.db") as connection:
        books = [row[0] for row in connection.execute("SELECT made FROM features WHERE extractor LIKE 'verified %'")]
    assert [one.strongest.signal for one in cropped] == ["verified"]
    assert len(books) == 1
    assert digest.hexdigest().encode() not in books[0]
    assert digest.digest() not in books[0]


def _right(left: Path) -> Path:
    from importlib.util import find_spec

    spec = find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("data") / left.name.replace("left", "right")


def test_pairs_of_more_pictures_than_are_held_come_with_those_of_each_picture_together() -> None:
    pairs = [(number, number + 1) for number in range(300)]
    shuffled = random.Random(1).sample(pairs, len(pairs))
    ordered = in_company(shuffled)
    assert sorted(ordered) == pairs
    assert all(abs(ordered.index(one) - ordered.index(next_one)) <= 2 for one, next_one in pairwise(pairs))
    assert in_company(shuffled[:20]) == shuffled[:20]
