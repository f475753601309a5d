"""`moderator calibrate`: pictures or labelled pairs in, thresholds in the policy out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.cli.conftest import Run
from tests.scanning import POLICY

COMMENTED = POLICY.replace("threshold: 0.95, verdict: review}", "threshold: 0.95, verdict: review}  # ours")


@pytest.fixture
def folder(run: Run) -> Path:
    """Forty pictures of four random colours each, and one of them twice."""
    Path("policy.yaml").write_text(COMMENTED)
    random = np.random.default_rng(5)
    Path("in").mkdir()
    for number in range(40):
        colours = random.integers(0, 256, (2, 2, 3), dtype=np.uint8)
        Image.fromarray(colours).resize((64, 64), Image.Resampling.NEAREST).save(f"in/{number:02}.png")
    Image.open("in/00.png").save("in/twin.png", compress_level=0)
    return Path("in")


def test_it_shows_before_and_after_and_changes_nothing_unasked(run: Run, folder: Path) -> None:
    ran = run("calibrate", folder, "--rate", "0.02", "--copies", "1", "--json", "out.json", "--svg", "out.svg")
    assert ran.code == 0, ran.err
    assert "copies before" in ran.out
    assert "copies after" in ran.out
    assert "nothing is written without --write" in ran.out
    assert Path("policy.yaml").read_text() == COMMENTED
    told = json.loads(Path("out.json").read_text())
    assert [one["rule"] for one in told["rules"]] == ["copies", "banned"]
    # 41 files of 41 contents; the twin has the same pixels, and is no impostor of its original.
    assert (told["embedders"]["fake"]["pairs"], told["embedders"]["fake"]["left_out"]) == (819, 1)
    assert told["embedders"]["fake"]["copies"] == 63
    assert Path("out.svg").read_text().startswith("<svg")
    assert not Path("moderator.db").exists() or run("scan", folder).out


def test_write_changes_the_thresholds_and_keeps_the_comments(run: Run, folder: Path) -> None:
    assert run("calibrate", folder, "--rate", "0.02", "--copies", "1", "--write", "--json", "out.json").code == 0
    after = json.loads(Path("out.json").read_text())["rules"][0]["after"]
    assert Path("policy.yaml").read_text() == COMMENTED.replace("threshold: 0.95", f"threshold: {after:g}")


def test_on_a_narrow_screen_names_and_bars_are_not_cut_short(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    Path("policy.yaml").write_text(COMMENTED.replace("id: copies", "id: copies-of-photos"))
    ran = run("calibrate", folder, "--copies", "1", "--rate", "0.02")
    assert "copies-of-photos" in ran.out
    assert "…" not in ran.out
    assert "~none seen" not in ran.out


def test_a_rate_that_the_pictures_cannot_support_is_refused(run: Run, folder: Path) -> None:
    ran = run("calibrate", folder, "--copies", "1", "--rate", "1e-9", "--write")
    assert ran.code == 2
    assert "copies: refused: 819 pairs of different pictures" in ran.out
    assert Path("policy.yaml").read_text() == COMMENTED


def test_labelled_pairs_are_enough(run: Run, folder: Path) -> None:
    different = [f"in/{number:02}.png,in/{number + 1:02}.png,no" for number in range(39)]
    Path("pairs.csv").write_text("first,second,same\n" + "\n".join(["in/00.png,in/twin.png,yes", *different]) + "\n")
    ran = run("calibrate", "--pairs", "pairs.csv", "--rate", "0.3", "--rule", "alike", "--json", "out.json")
    assert ran.code == 0, ran.out
    assert "none seen" in ran.out  # 39 pairs say nothing of a million
    told = json.loads(Path("out.json").read_text())
    assert [one["rule"] for one in told["rules"]] == ["alike"]
    assert told["embedders"]["fake"]["found"]["all"]["count"] == 1


def test_two_lists_are_labelled_pairs(run: Run, folder: Path) -> None:
    Path("yes.csv").write_text("first,second\nin/00.png,in/twin.png\n")
    Path("no.csv").write_text("first,second\n" + "".join(f"in/{n:02}.png,in/{n + 1:02}.png\n" for n in range(39)))
    assert run("calibrate", "--same", "yes.csv", "--different", "no.csv", "--rate", "0.3").code == 0


def test_what_reviewers_have_said_is_labelled_pairs_and_names_no_reference_file(run: Run, folder: Path) -> None:
    assert run("scan", folder).code in (0, 1)
    run("references", "add", "banned", "in/00.png")
    word = ("--reason", "looked at", "--owner", "ann")
    run("decide", "in/twin.png", "banned#1", "--match", *word)
    for number in range(1, 33):
        run("decide", f"in/{number:02}.png", f"in/{number + 1:02}.png", "--not-a-match", *word)
    Path("in/33.png").unlink()
    ran = run("calibrate", "--decided", "--rate", "0.4", "--rule", "alike", "--json", "out.json")
    assert ran.code == 0, ran.out + ran.err
    assert "1 decision left out: a file is gone or has changed" in ran.out
    told = json.loads(Path("out.json").read_text())
    assert told["embedders"]["fake"]["pairs"] == 31
    assert told["embedders"]["fake"]["found"]["all"]["count"] == 1
    assert "00.png" not in ran.out + Path("out.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give pictures, or labelled pairs"),
        (["in/00.png"], "1 different picture: too few"),
        (["in", "--rule", "copeis"], "did you mean `copies`?"),
        (["in", "--write", "--output", "x.yaml"], "give one of them"),
        (["in", "--policy", "offline", "--write"], "is a ready policy and is not changed"),
        (["--decided"], "there is no decision to calibrate on"),
        (["--pairs", "broken.csv"], "broken.csv, line 2: no label in the column same"),
        (["--pairs", "long.csv"], "long.csv, line 2: more fields than the header names"),
        (["--pairs", "none.csv"], "no pair is in none.csv"),
        (["--same", "yes.csv"], "no pair is labelled as different"),
        (["--pairs", "both.csv"], "in/01.png and in/00.png are labelled as a match and as none"),
        (["in", "--same", "yes.csv"], "one at a time: give one of them"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(run: Run, folder: Path, arguments: list[str], says: str) -> None:
    Path("broken.csv").write_text("first,second,same\na,b,perhaps\n")
    Path("long.csv").write_text("first,second,same\na,b,yes,no\n")
    Path("none.csv").write_text("first,second,same\n")
    Path("yes.csv").write_text("first,second\nin/00.png,in/01.png\n")
    Path("both.csv").write_text("first,second,same\nin/00.png,in/01.png,yes\nin/01.png,in/00.png,no\n")
    ran = run("calibrate", *arguments)
    assert ran.code == 2
    assert says in ran.err


def test_what_is_labelled_must_be_a_picture(run: Run, folder: Path) -> None:
    Path("list.csv").write_text("path\nin/00.png\n")
    for strange in ("in", "list.csv"):
        Path("pairs.csv").write_text(f"first,second,same\nin/01.png,in/02.png,no\n{strange},in/00.png,no\n")
        ran = run("calibrate", "--pairs", "pairs.csv", "--rate", "0.3")
        assert ran.code == 2
        assert f"{strange} is no picture" in ran.err


def test_pictures_that_are_all_copies_are_refused(run: Run, folder: Path) -> None:
    for number in range(1, 40):
        numbered = PngInfo()
        numbered.add_text("number", f"{number}")
        Image.open("in/00.png").save(f"in/{number:02}.png", pnginfo=numbered)
    ran = run("calibrate", folder, "--copies", "1", "--rate", "0.02")
    assert ran.code == 2
    assert "each two of the pictures are copies" in ran.err


def test_many_copies_of_one_picture_leave_others_to_calibrate_on(run: Run, folder: Path) -> None:
    for number in range(60):
        Image.open("in/00.png").resize((65 + number, 65 + number), Image.Resampling.NEAREST).save(f"in/s{number}.png")
    ran = run("calibrate", folder, "--copies", "1", "--rate", "0.02")
    assert ran.code in (0, 2), ran.err
    assert "copies before" in ran.out


def test_what_was_measured_is_shown_where_the_policy_cannot_be_written(run: Run, folder: Path) -> None:
    shared = COMMENTED.replace("threshold: 0.95, verdict: review", "threshold: &t 0.95, verdict: review")
    Path("policy.yaml").write_text(shared.replace("threshold: 0.95, verdict: block", "threshold: *t, verdict: block"))
    ran = run("calibrate", folder, "--rate", "0.02", "--copies", "1", "--write", "--json", "out.json")
    assert ran.code == 2
    assert "copies after" in ran.out
    assert json.loads(Path("out.json").read_text())["rules"][0]["after"]


def test_a_policy_that_is_written_keeps_its_mode_and_stays_where_links_lead_to(run: Run, folder: Path) -> None:
    Path("shared").mkdir()
    Path("policy.yaml").rename("shared/policy.yaml")
    Path("shared/policy.yaml").chmod(0o644)
    Path("policy.yaml").symlink_to("shared/policy.yaml")
    assert run("calibrate", folder, "--rate", "0.02", "--copies", "1", "--write").code == 0
    assert Path("policy.yaml").is_symlink()
    assert Path("shared/policy.yaml").stat().st_mode & 0o777 == 0o644
    assert Path("shared/policy.yaml").read_text() != COMMENTED


def test_a_policy_that_is_written_elsewhere_says_what_it_looks_for_there(run: Run, folder: Path) -> None:
    Path("other").mkdir()
    ran = run("calibrate", folder, "--rate", "0.02", "--copies", "1", "--output", "other/policy.yaml")
    assert ran.code == 0
    assert "other/policy.yaml lies elsewhere than policy.yaml, and what is named beside it is sought" in ran.out
    assert ran.out.endswith("its store\n")
