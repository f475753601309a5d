"""`moderator plan`: a scan whose copies become a script."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.scanning import picture


@pytest.fixture
def twins(uploads: Path) -> Path:
    shutil.copy(uploads / "larger.png", uploads / "twin.png")
    return uploads


def test_it_writes_a_script_that_says_what_it_would_do(run: Run, policy_file: Path, twins: Path) -> None:
    ran = run("plan", twins, "--action", "hardlink", "--output", "links.sh")
    assert ran.code == 0
    assert "1 to hardlink; `sh links.sh` tells what it would do" in ran.err
    told = subprocess.run(["sh", "links.sh"], capture_output=True, text=True, check=True).stdout
    assert f"would link {twins.absolute()}/twin.png to {twins.absolute()}/larger.png" in told


def test_edited_copies_are_moved_only_when_asked_for(run: Run, policy_file: Path, twins: Path) -> None:
    move = ("plan", twins, "--action", "move", "--into", "aside")
    asked = run(*move).err
    assert "1 to move" in asked
    assert "edited copies, which no hash proves: 1; they are in it with --edited" in asked
    assert "2 to move" in run(*move, "--edited").err
    subprocess.run(["sh", "plan.sh", "--yes"], check=True, capture_output=True)
    assert sorted(path.name for path in twins.iterdir()) == ["alike.png", "larger.png"]
    assert len([path for path in Path("aside").rglob("*") if path.is_file()]) == 2


def test_a_later_copy_does_not_take_the_place_of_what_was_there_first(run: Run, policy_file: Path) -> None:
    picture(Path("photos/shirt.png"))
    run("scan", "photos")
    picture(Path("supplier/larger.png"), size=64)
    run("scan", "supplier")
    move = ("--action", "move", "--into", "aside", "--edited")
    assert "0 to move" in run("plan", "photos", *move).err
    assert "1 to move" in run("plan", "supplier", *move).err


def test_the_same_copy_is_kept_however_the_folder_is_named(run: Run, policy_file: Path) -> None:
    picture(Path("pictures/a/shirt.png"))
    shutil.copytree("pictures/a", "pictures/b")
    run("scan", "pictures")
    move = ("--action", "move", "--into", "aside")
    for folder in ("./pictures/b", "pictures/b", Path("pictures/b").absolute()):
        assert "1 to move" in run("plan", folder, *move).err, folder
    assert "0 to move" in run("plan", "./pictures/a", *move).err


def test_a_copy_that_an_earlier_scan_stored_is_left_alone_and_counted(run: Run, policy_file: Path) -> None:
    keep = "detector: duplicates, options: {keep: [resolution]},"
    policy_file.write_text(policy_file.read_text().replace("detector: duplicates,", keep))
    picture(Path("photos/shirt.png"))
    run("scan", "photos")
    picture(Path("supplier/larger.png"), size=64)
    told = run("plan", "supplier", "--edited").err
    assert "0 to list" in told
    assert "left alone, as they were stored by an earlier scan and a picture of this one is kept: 1" in told


def test_a_folder_for_copies_within_what_is_scanned_is_noted(run: Run, policy_file: Path, twins: Path) -> None:
    move = ("plan", twins, "--action", "move", "--into")
    assert f"lies in {twins}, where the next scan finds the copies again" in run(*move, twins / "aside").err
    assert "lies in" not in run(*move, "aside").err


def test_what_a_scan_notes_is_told_with_the_plan(run: Run, policy_file: Path, twins: Path) -> None:
    Path("table.csv").write_text(f"path,sku\n{next(twins.iterdir())},7\n")
    assert "note: 1 of 4 pictures in the table of metadata" in run("plan", twins, "--metadata", "table.csv").err


@pytest.mark.parametrize(
    "arguments", [["--action", "move"], ["--into", "aside"], ["--action", "hardlink", "--edited"]]
)
def test_what_does_not_fit_together_is_refused(
    run: Run, policy_file: Path, uploads: Path, arguments: list[str]
) -> None:
    assert run("plan", uploads, *arguments).code == 2
    assert not Path("plan.sh").exists()


def test_between_two_folders_the_first_one_is_kept(run: Run, policy_file: Path, twins: Path) -> None:
    Path("new").mkdir()
    shutil.copy(twins / "larger.png", "new/again.png")
    assert "1 to list" in run("plan", "--between", twins, "new").err
    told = subprocess.run(["sh", "plan.sh"], capture_output=True, text=True, check=True).stdout
    assert "new/again.png is a copy of" in told
