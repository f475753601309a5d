"""Plans run for real: real files of hostile names, a real shell, and nothing lost when files change."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from moderator.models import Evidence, Finding, Group, Image, Kind, Region, Report, Verdict
from moderator.plan import Action, Step, script, steps
from moderator.scanning import scan
from moderator.testing import report
from tests.scanning import fake_policy, fake_registry, picture

HOSTILE = (
    "plain.png", "it's.png", "two  spaces.png", "-rf.png", "$(touch pwned).png", "`touch pwned`.png", 'a"b;c&d|e.png',
    "back\\slash\\0101.png", "new\nline.png", "ends in newline.png\n", "\x1b[31mred.png", "\u202egnp.png", "ü✓.png",
    "per%cent%s.png", os.fsdecode(b"\xff\xfe.png"), "*.png", "#.png", "~.png",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copies under hostile names in a folder of a hostile name, and beside it the picture to keep."""
    folder = tmp_path / "it's a $HOME\n"
    folder.mkdir()
    held = picture(keeper(folder)).read_bytes()
    for name in HOSTILE:
        (folder / name).write_bytes(held)
    return folder


def keeper(folder: Path) -> Path:
    return folder.parent / "a keeper" / "0.png"


def planned(folder: Path, action: Action, tmp_path: Path) -> Path:
    """Scans the folder and writes the plan."""
    found = scan(fake_policy(tmp_path), [str(folder), str(keeper(folder))], registry=fake_registry())
    todo = steps(found, [Kind.COPY], identical=action is Action.HARDLINK)
    assert len(todo) == len(HOSTILE)
    plan = tmp_path / "plan.sh"
    plan.write_text(script(found, action, todo, str(tmp_path / "moved there's")))
    assert plan.read_text().isprintable() or set(plan.read_text()) - {"\n"} <= set(map(chr, range(32, 0x2FFF)))
    return plan


def run(plan: Path, *arguments: str, shell: str = "sh") -> subprocess.CompletedProcess[str]:
    return subprocess.run([shell, plan, *arguments], capture_output=True, text=True, check=False, cwd=plan.parent)


def tree(folder: Path) -> dict[bytes, bytes]:
    return {os.fsencode(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("action", [Action.HARDLINK, Action.MOVE])
def test_without_yes_a_plan_does_nothing_and_tells_what_it_would_do(
    folder: Path, tmp_path: Path, action: Action
) -> None:
    plan = planned(folder, action, tmp_path)
    before, inode = tree(tmp_path), keeper(folder).stat().st_nlink
    ran = run(plan)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert f"{len(HOSTILE)} to do, 0 passed over; nothing was done" in ran.stdout
    assert (tree(tmp_path), keeper(folder).stat().st_nlink) == (before, inode)


def test_list_tells_every_copy_and_wants_no_yes(folder: Path, tmp_path: Path) -> None:
    plan = planned(folder, Action.LIST, tmp_path)
    before = tree(tmp_path)
    ran = run(plan)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.count(" is a copy of ") == len(HOSTILE)
    assert ran.stdout.endswith(f"{len(HOSTILE)} done, 0 passed over\n")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_hardlink_makes_every_copy_one_file_with_the_keeper(folder: Path, tmp_path: Path, shell: str) -> None:
    plan = planned(folder, Action.HARDLINK, tmp_path)
    before = tree(folder)
    ran = run(plan, "--yes", shell=shell)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert tree(folder) == before
    assert {path.stat().st_ino for path in folder.iterdir()} == {keeper(folder).stat().st_ino}
    again = run(plan, "--yes", shell=shell)
    assert (again.returncode, again.stdout.count("already one file")) == (0, len(HOSTILE))


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_move_puts_every_copy_under_its_whole_path_and_keeps_the_keeper(
    folder: Path, tmp_path: Path, shell: str
) -> None:
    plan = planned(folder, Action.MOVE, tmp_path)
    before = tree(folder)
    ran = run(plan, "--yes", shell=shell)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert list(folder.iterdir()) == []
    moved = tmp_path / "moved there's"
    assert {name.removeprefix(os.fsencode(moved)): held for name, held in tree(moved).items()} == before
    assert keeper(folder).is_file()
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("action", [Action.HARDLINK, Action.MOVE])
def test_a_copy_that_changed_after_the_scan_is_passed_over(folder: Path, tmp_path: Path, action: Action) -> None:
    plan = planned(folder, action, tmp_path)
    changed = picture(folder / "it's.png", ("black",) * 4)
    held = changed.read_bytes()
    ran = run(plan, "--yes")
    assert ran.returncode == 1
    assert "the copy has changed or is gone" in ran.stderr
    assert changed.read_bytes() == held
    assert f"{len(HOSTILE) - 1} done, 1 passed over" in ran.stdout


@pytest.mark.parametrize("action", [Action.HARDLINK, Action.MOVE])
@pytest.mark.parametrize("gone", [True, False])
def test_nothing_is_done_when_the_picture_to_keep_changed_or_is_gone(
    folder: Path, tmp_path: Path, action: Action, gone: bool
) -> None:
    plan = planned(folder, action, tmp_path)
    keeper(folder).unlink()
    if not gone:
        keeper(folder).symlink_to(folder / "plain.png")  # the same bytes, but no file of its own
    before = tree(folder)
    ran = run(plan, "--yes")
    assert ran.returncode == 1
    assert f"0 done, {len(HOSTILE)} passed over" in ran.stdout
    assert tree(folder) == before


def test_move_overwrites_nothing(folder: Path, tmp_path: Path) -> None:
    plan = planned(folder, Action.MOVE, tmp_path)
    there = Path(f"{tmp_path}/moved there's{folder}/plain.png")
    there.parent.mkdir(parents=True)
    there.write_text("precious")
    assert "something is already at" in run(plan, "--yes").stderr
    assert there.read_text() == "precious"
    assert (folder / "plain.png").is_file()


# Which steps


def finding(copy: Image, keeper: Image, kind: Kind = Kind.COPY) -> Finding:
    rung = (Evidence("bytes", kind, 1.0, 1.0),)
    return Finding("copies", "duplicates", Verdict.REVIEW, copy, keeper, rung, "", Group("g", 2, 1.0, keeper))


def made(name: str, digest: str = "0" * 64) -> Image:
    return Image(name, 1, digest, 1, 1, 1, file=f"/{name}")


def told(*findings: Finding) -> Report:
    return replace(report(), findings=findings)


A, B, C = made("a"), made("b"), made("c", "1" * 64)


def test_two_rules_that_disagree_on_the_keeper_lose_no_picture() -> None:
    assert steps(told(finding(B, A), finding(A, B)), [Kind.COPY]) == [Step(B, A)]
    assert steps(told(finding(B, A), finding(C, B)), [Kind.COPY]) == [Step(B, A)]


def test_a_copy_that_two_rules_tell_is_one_step() -> None:
    assert steps(told(finding(B, A), finding(B, A)), [Kind.COPY]) == [Step(B, A)]


def test_edited_copies_and_other_bytes_are_left_alone_unless_asked_for() -> None:
    edited = finding(C, A, Kind.EDITED_COPY)
    assert steps(told(edited), [Kind.COPY]) == []
    assert steps(told(edited), [Kind.COPY, Kind.EDITED_COPY]) == [Step(C, A)]
    assert steps(told(finding(C, A)), [Kind.COPY], identical=True) == []


def test_a_copy_that_shows_more_than_the_picture_kept_is_left_alone() -> None:
    corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    for coverage, planned in ((0.25, []), (0.7, [Step(B, A)])):
        rung = replace(finding(B, A).evidence[0], region=Region(corners, corners, coverage, 1.0))
        partial = told(replace(finding(B, A), evidence=(rung,)))
        assert steps(partial, [Kind.COPY]) == planned
        assert steps(partial, [Kind.COPY], partly=True) == [Step(B, A)]


def test_a_file_under_another_name_is_no_copy_of_itself(tmp_path: Path) -> None:
    held = picture(tmp_path / "a.png")
    (tmp_path / "b.png").hardlink_to(held)
    first, second = (replace(made(name), file=str(tmp_path / name)) for name in ("a.png", "b.png"))
    assert steps(told(finding(second, first)), [Kind.COPY]) == []
