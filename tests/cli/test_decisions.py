"""`moderator decide` and `moderator decisions`: a reviewer's word, and what scans make of it."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import Run

NO = ("--not-a-match", "--reason", "another bag", "--owner", "ann")
LONG_PAST = date(2020, 2, 29)


def test_a_pair_called_no_match_is_not_reported_again_wherever_the_files_are(
    run: Run, policy_file: Path, uploads: Path
) -> None:
    ran = run("decide", uploads / "first.png", uploads / "larger.png", *NO)
    assert ran.out == f"{uploads}/first.png and {uploads}/larger.png: no match, says ann\n"
    shutil.move(uploads, "elsewhere")
    out = run("scan", "elsewhere").out
    assert "copies: nothing found" in out
    assert "1 pair left out, called no match by a reviewer" in out


def test_a_reference_is_named_by_set_and_entry_and_its_file_is_not_needed(
    run: Run, policy_file: Path, uploads: Path
) -> None:
    run("references", "add", "banned", uploads / "first.png")
    (uploads / "first.png").unlink()
    assert run("scan", uploads / "larger.png").code == 1
    assert run("decide", uploads / "larger.png", "banned#1", *NO).code == 0
    assert run("scan", uploads / "larger.png").code == 0
    listed = run("decisions", "list").out
    assert "banned#1" in listed
    assert "first.png" not in listed


def test_on_a_narrow_screen_the_pictures_of_a_decision_are_told_uncut(
    run: Run, policy_file: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = [uploads.absolute() / "first.png", uploads.absolute() / "larger.png"]
    run("scan", uploads)
    run("decide", *pair, *NO[:1], "--reason", "[bold] another bag", "--owner", "ann")
    monkeypatch.setenv("COLUMNS", str(len(str(pair[1])) + 4))
    lines = [line.strip() for line in run("decisions", "list").out.splitlines()]
    assert sorted(line.removesuffix(" and") for line in lines[:2]) == [str(path) for path in pair]
    assert " ".join(lines[2:]) == "no match, says ann: [bold] another bag"


def test_a_withdrawn_decision_no_longer_holds(run: Run, policy_file: Path, uploads: Path) -> None:
    pair = uploads / "first.png", uploads / "larger.png"
    run("decide", *pair, *NO)
    assert run("decisions", "withdraw", *reversed(pair)).code == 0
    assert "copies: 1 finding" in run("scan", uploads).out
    assert run("decisions", "list").out == "No decisions.\n"
    assert run("decisions", "withdraw", *pair).code == 2


def test_a_decision_holds_through_its_last_day(run: Run, policy_file: Path, uploads: Path) -> None:
    today = datetime.now(UTC).date()  # asked here, as a day may end while the suite runs
    ran = run("decide", uploads / "first.png", uploads / "larger.png", *NO, "--expires", today)
    assert f"no match until {today}" in ran.out
    assert str(today) in run("decisions", "list").out


def test_a_confirmed_match_says_so_in_the_next_report(run: Run, policy_file: Path, uploads: Path) -> None:
    run("decide", uploads / "first.png", uploads / "larger.png", "--match", "--reason", "same bag", "--owner", "ann")
    assert "a match, says ann: same bag" in " ".join(run("scan", uploads).out.split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["first.png", "larger.png", "--reason", "x"], "say --match or --not-a-match"),
        (["first.png", "larger.png", "--match"], "why with --reason"),
        (["first.png", "first.png", *NO], "identical files always match"),
        (["first.png", "nowhere.png", *NO], "no such file or reference: nowhere.png"),
        (["first.png", "banned#7", *NO], "no such file or reference: banned#7"),
        (["first.png", "policy.yaml", *NO], "policy.yaml is no picture"),
        (["first.png", "larger.png", *NO, "--expires", "soon"], "`soon` is no date"),
        (["first.png", "larger.png", *NO, "--expires", LONG_PAST], "is past"),
    ],
)
def test_what_cannot_be_decided_is_refused(
    run: Run, policy_file: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(uploads)
    shutil.copy(Path("..") / policy_file, ".")
    ran = run("decide", *arguments)
    assert ran.code == 2
    assert says in ran.err
