"""`moderator attack`: pictures in, what a policy finds of their edited copies out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run, interrupted
from tests.scanning import many_pictures


@pytest.fixture
def folder(run: Run, policy_file: Path) -> Path:
    return many_pictures(Path("in"), 4)


def test_blind_spots_are_named_first_and_every_figure_is_written(run: Run, folder: Path) -> None:
    narrow = ("--edit", "jpeg-30", "--edit", "upside-down", "--edit", "padding")
    ran = run("attack", folder, *narrow, "--json", "out.json", "--svg", "out.svg", "--least", "0.1")
    assert ran.code == 0, ran.err
    assert "policy.yaml: " in ran.out.splitlines()[0]
    told = json.loads(Path("out.json").read_text())
    assert (told["pictures"], told["copies"]) == (4, 12)
    assert {one["edit"] for one in told["edits"]} == {"jpeg-30", "upside-down", "padding"}
    assert sum(told[outcome] for outcome in ("blocked", "review", "alike", "missed")) == 12
    assert told["edits"][0]["rate"] == min(one["rate"] for one in told["edits"]) < 0.9
    assert f"Blind spots: {told['edits'][0]['edit']} ({told['edits'][0]['words']})" in ran.out
    assert Path("out.svg").read_text().startswith("<svg")
    assert not Path("moderator.db").exists()


def test_what_has_no_blind_spot_is_said_of_so_many_copies(run: Run, folder: Path) -> None:
    ran = run("attack", folder, "--edit", "jpeg-30", "--pictures", "3")
    assert "No blind spots seen: of every edit at least 90% of 3 or more copies are found" in ran.out


def test_a_narrow_screen_shows_fewer_columns_and_cuts_none_short(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("attack", folder, "--edit", "picture-in-picture", "--pictures", "1")
    for columns, shown in (("80", "found"), ("140", "interval")):
        monkeypatch.setenv("COLUMNS", columns)
        table = run(*arguments).out
        assert "picture-in-picture" in table
        assert all(title in table for title in (shown, "blocked", "review", "alike", "missed", "false"))
        assert "…" not in table
        assert ("interval" in table) is (shown == "interval")


def test_copies_that_cannot_be_judged_are_a_blind_spot_and_exit_with_5(
    run: Run, folder: Path, policy_file: Path
) -> None:
    policy_file.write_text(f"{policy_file.read_text()}\nlimits: {{megapixels: 0.0015}}\n")
    ran = run("attack", folder, "--edit", "padding", "--edit", "jpeg-30", "--json", "out.json")
    assert ran.code == 5, ran.err
    assert "Blind spots: padding" in ran.out
    assert "Not judged, and counted as missed ?: " in ran.out
    told = json.loads(Path("out.json").read_text())
    assert (told["edits"][0]["edit"], told["unjudged"], told["copies"]) == ("padding", 4, 8)


def test_a_rate_below_the_least_one_exits_with_1(run: Run, folder: Path) -> None:
    ran = run("attack", folder, "--edit", "padding", "--least", "1")
    assert ran.code == 1
    assert "Blind spots: padding" in ran.out


def test_a_model_that_cannot_be_had_fails_as_a_scan_does_and_says_how_to_go_without(run: Run, folder: Path) -> None:
    Path("other.yaml").write_text(
        "version: 1\nembedders:\n  sscd: {type: onnx, model: /nowhere/model.onnx}\n"
        "rules:\n  - {id: copies, detector: duplicates, threshold: 0.6, verdict: review}\n"
    )
    attacked, scanned = run("attack", folder, "--policy", "other.yaml"), run("scan", folder, "--policy", "other.yaml")
    assert attacked.code == scanned.code == 3
    assert attacked.err.splitlines()[0] == scanned.err.splitlines()[0]
    assert "--without EMBEDDER" in attacked.err


def test_an_embedder_and_its_rules_can_be_left_out_and_are_named(run: Run, folder: Path) -> None:
    text = Path("policy.yaml").read_text()
    text = text.replace("embedders:\n", "embedders:\n  lost: {type: onnx, model: /nowhere/model.onnx}\n")
    text = text.replace("detector: ", "embedder: fake, detector: ")
    Path("two.yaml").write_text(text + "  - {id: lookalike, detector: lookalike, embedder: lost, threshold: 0.9}\n")
    narrow = ("attack", folder, "--policy", "two.yaml", "--edit", "mirror")
    assert run(*narrow).code == 3
    ran = run(*narrow, "--without", "lost")
    assert ran.code == 0, ran.err
    assert "not attacked, without lost: the rules lookalike" in ran.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["in", "--edit", "miror"], 2, "did you mean `mirror`?"),
        (["nowhere"], 2, "nowhere"),
        (["in", "--without", "fke"], 2, "did you mean `fake`?"),
        (["in", "--without", "fake"], 2, "without these embedders the policy has no rule"),
        (["in", "--svg", "nowhere/out.svg"], 3, "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_attacked_is_refused(run: Run, folder: Path, arguments: list[str], code: int, says: str) -> None:
    ran = run("attack", *arguments)
    assert ran.code == code
    assert says in ran.err


def test_an_attack_that_is_interrupted_says_that_nothing_of_it_is_kept(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderator.attack.save_copies", interrupted)
    ran = run("attack", folder)
    assert ran.code == 130
    assert "interrupted: nothing is kept, and the same command begins anew" in ran.err
