"""A policy attacked with edited copies, on the fake embedder: what is counted as found, alike, missed and false."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from moderator import hookimpl
from moderator.attack import Asked, Attack, attack, chosen_edits, detected
from moderator.edits import BATTERY, EDITS
from moderator.errors import ArgumentError
from moderator.models import Report, Verdict
from tests.scanning import POLICY, fake_policy, fake_registry

MIRROR = EDITS["mirror"]


class Ending:
    """Remembers the scans that ended."""

    def __init__(self) -> None:
        self.reports: list[Report] = []

    @hookimpl
    def scan_finished(self, report: Report) -> None:
        self.reports.append(report)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Six pictures of four random colours, and a file that is none."""
    random = np.random.default_rng(5)
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(6):
        colours = random.integers(0, 256, (2, 2, 3), dtype=np.uint8)
        Image.fromarray(colours).resize((64, 64), Image.Resampling.NEAREST).save(folder / f"{number}.png")
    return folder


def attacked(tmp_path: Path, pictures: Path, *edits: str, document: str = POLICY, count: int = 6) -> Attack:
    folder = tmp_path / "work"
    folder.mkdir()
    asked = Asked(folder, count, seed=1, edits=chosen_edits(edits))
    return attack(fake_policy(tmp_path, document), fake_registry(), [str(pictures)], asked)


def test_each_edit_has_its_share_and_the_one_found_least_comes_first(tmp_path: Path, pictures: Path) -> None:
    found = attacked(tmp_path, pictures, "jpeg-30", "greyscale")
    assert [edit.name for edit in found.by_edit] == ["greyscale", "jpeg-30"]
    grey, jpeg = found.by_edit.values()
    assert detected(grey).value < 1
    assert [one.verdict for one in jpeg] == [Verdict.BLOCK] * 6  # two rules find it, and the severer verdict counts
    assert {one.rung for one in jpeg} <= {"pdq", "fake"}
    assert {Path(one.picture).name for one in jpeg} == {f"{number}.png" for number in range(6)}
    assert detected(jpeg).low == pytest.approx(1 / (1 + 1.959964**2 / 6), abs=1e-6)  # Wilson's, of 6 in 6


def test_without_a_prohibited_rule_duplicates_alone_answer(tmp_path: Path, pictures: Path) -> None:
    document = POLICY.replace("  - {id: banned, detector: prohibited, threshold: 0.95, verdict: block}\n", "")
    found = attacked(tmp_path, pictures, "jpeg-30", document=document)
    assert [one.verdict for one in found.attempts] == [Verdict.REVIEW] * 6


def test_a_copy_of_another_picture_is_a_false_match(tmp_path: Path, pictures: Path) -> None:
    always = POLICY.replace("threshold: 0.95", "threshold: -1")
    found = attacked(tmp_path, pictures, "jpeg-30", document=always)
    assert all(one.found for one in found.attempts)
    assert all(one.wrong for one in found.attempts)
    assert all(one.picture not in one.wrong for one in found.attempts)


def test_a_picture_that_is_there_twice_is_no_false_match(tmp_path: Path, pictures: Path) -> None:
    Image.open(pictures / "0.png").save(pictures / "twin.png", compress_level=0)
    found = attacked(tmp_path, pictures, "jpeg-30", count=7)
    assert found.pictures == 7
    assert [one.wrong for one in found.attempts] == [[]] * 7


def test_what_is_only_told_as_a_lookalike_is_missed_and_counted_apart(tmp_path: Path, pictures: Path) -> None:
    meaning = POLICY.replace("model: quarters", "model: quarters, options: {finds_copies: false}")
    meaning = meaning.replace("threshold: 0.95", "threshold: 0.5")
    found = attacked(tmp_path, pictures, "padding", document=meaning)
    assert not any(one.found for one in found.attempts)
    assert any(one.alike for one in found.attempts)


def test_the_same_seed_chooses_the_same_pictures_and_edits(tmp_path: Path, pictures: Path) -> None:
    first = attacked(tmp_path, pictures, "collage-2x2", count=2)
    (tmp_path / "work").rename(tmp_path / "before")
    assert attacked(tmp_path, pictures, "collage-2x2", count=2).attempts == first.attempts


def test_what_cannot_be_read_is_told(tmp_path: Path, pictures: Path) -> None:
    (pictures / "broken.png").write_bytes((pictures / "0.png").read_bytes()[:60])
    found = attacked(tmp_path, pictures, "mirror", count=7)
    assert found.pictures == 6
    assert "not in it, as they cannot be read: 1 picture" in found.notes


def test_plugins_hear_of_no_scan_and_the_policys_store_stays_untouched(tmp_path: Path, pictures: Path) -> None:
    ending, folder = Ending(), tmp_path / "work"
    folder.mkdir()
    attack(fake_policy(tmp_path), fake_registry(ending), [str(pictures)], Asked(folder, 1, edits=[MIRROR]))
    assert ending.reports == []
    assert not (tmp_path / "store.db").exists()


def test_the_whole_battery_is_the_default_and_an_unknown_edit_is_refused() -> None:
    assert chosen_edits([]) == BATTERY
    with pytest.raises(ArgumentError, match="no edit named `miror`") as refused:
        chosen_edits(["miror"])
    assert "mirror" in refused.value.hint


def test_a_policy_that_tells_no_copies_is_refused(tmp_path: Path, pictures: Path) -> None:
    head, rules = POLICY.split("  - {id: copies")
    alike = head + rules[rules.index("  - {id: alike") :]
    with pytest.raises(ArgumentError, match="no rule that tells copies"):
        attacked(tmp_path, pictures, "mirror", document=alike)


def test_a_copy_that_cannot_be_judged_counts_as_missed_and_tells_why(tmp_path: Path, pictures: Path) -> None:
    bounded = f"{POLICY}limits: {{megapixels: 0.0042}}\n"
    found = attacked(tmp_path, pictures, "jpeg-30", "padding", document=bounded)
    padded, same = found.by_edit.values()
    assert [one.edit.name for one in (padded[0], same[0])] == ["padding", "jpeg-30"]
    assert all("megapixels" in one.unjudged and not one.found for one in padded)
    assert [detected(attempts).value for attempts in (padded, same)] == [0, 1]


def test_files_that_are_no_pictures_take_no_picture_s_place(tmp_path: Path, pictures: Path) -> None:
    for number in range(30):
        (pictures / f"n{number}.txt").write_text("nothing to see")
    assert attacked(tmp_path, pictures, "mirror", count=5).pictures == 5


def test_a_background_that_cannot_be_read_is_none(tmp_path: Path, pictures: Path) -> None:
    for number in range(3):
        (pictures / f"broken-{number}.png").write_bytes((pictures / "0.png").read_bytes()[:60])
    found = attacked(tmp_path, pictures, "collage-2x2", count=6)
    assert all(not one.unjudged for one in found.attempts)
