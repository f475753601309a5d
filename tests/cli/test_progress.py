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
    assert capsys.readouterr().err.splitlines()[0] == "Asking the rules: 1 of 4, 20 s each, 60 s left"
