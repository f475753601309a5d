"""How far work is: bars in bars at a terminal, lines in logs."""

from __future__ import annotations

import pytest

from moderator.cli.progress import Bars, Lines


def test_a_stage_within_a_stage_has_a_bar_of_its_own_and_leaves_that_of_the_other() -> None:
    bars = Bars()
    with bars.stage("Asking the rules", 2) as asked:
        for _ in range(2):
            with bars.stage("Verifying candidates", 10) as verified:
                verified(10)
            asked(1)
            assert bars._shown is not None
            assert [task.description for task in bars._shown.tasks] == ["Asking the rules"]
    assert bars._shown is None


def test_a_log_says_how_many_of_all_and_how_long_it_will_take(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 6.0, 26.0, 26.0])
    monkeypatch.setattr("moderator.cli.progress.time.monotonic", lambda: next(clock))
    with Lines().stage("Verifying candidates", 4_000) as advance:
        advance(1_200)
        advance(5)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Verifying candidates: 1,200 of 4,000, 200/s, 14 s left"
    assert lines[-1] == "Verifying candidates: 1,205 in 26.0 s"


def test_what_takes_longer_than_a_second_is_told_by_the_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 20.0, 20.0])
    monkeypatch.setattr("moderator.cli.progress.time.monotonic", lambda: next(clock))
    with Lines().stage("Asking the rules", 4) as advance:
        advance(1)
    assert capsys.readouterr().err.splitlines()[0] == "Asking the rules: 1 of 4, 20 s each"


def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *steps: tuple[float, int]) -> str:
    """The last line but the closing one, of a stage of 1,000 steps that goes on so: (second, how many more)."""
    clock = iter([0.0, *(second for second, _ in steps), steps[-1][0]])
    monkeypatch.setattr("moderator.cli.progress.time.monotonic", lambda: next(clock))
    with Lines().stage("Verifying candidates", 1_000) as advance:
        for _, more in steps:
            advance(more)
    return capsys.readouterr().err.splitlines()[-2]


def test_what_was_known_already_makes_the_rest_no_faster(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = told(monkeypatch, capsys, (0.1, 900), (10.1, 20), (20.1, 20))
    assert line == "Verifying candidates: 940 of 1,000, 2/s, 30 s left"


def test_the_time_left_follows_the_last_half_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = told(monkeypatch, capsys, (10, 400), (20, 400), (60, 40), (100, 40))
    assert line == "Verifying candidates: 880 of 1,000, 1/s, 120 s left"
