"""A decoder that dies, hangs or eats memory costs one file; the rest go on, and no process is left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from moderator.contracts import Found
from moderator.errors import UnreadableImage
from moderator.intake.decode import Decoded, decode
from moderator.intake.pool import DecoderPool, SpareWorkers
from moderator.models import Preprocessing
from moderator.policy import Limits

SQUASHED = Preprocessing(32, 32)
MakeFound = Callable[[Path], Found]


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Five small pictures of one colour each."""
    paths = [tmp_path / f"{index}.png" for index in range(5)]
    for index, path in enumerate(paths):
        Image.new("RGB", (40, 30), (index * 50, 0, 0)).save(path)
    return paths


def workers() -> list[int]:
    """The process ids of this process's decoding workers."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == os.getpid() and b"moderator.intake.worker" in command:
            found.append(int(folder.name))
    return found


def is_judged(outcome: Decoded | UnreadableImage) -> bool:
    return isinstance(outcome, Decoded) and outcome.fingerprint.state == "judged"


def code(outcome: Decoded | UnreadableImage) -> str:
    return outcome.code if isinstance(outcome, UnreadableImage) else outcome.fingerprint.code


def test_every_file_has_one_outcome(pictures: list[Path], found: MakeFound) -> None:
    with DecoderPool(Limits(), [SQUASHED], workers=2) as pool:
        outcomes = list(pool.decode(map(found, pictures)))
    assert sorted(one.path for one, _ in outcomes) == [str(path) for path in pictures]
    assert all(is_judged(outcome) for _, outcome in outcomes)


def test_outcomes_come_in_the_order_of_the_files_however_long_each_takes(tmp_path: Path, found: MakeFound) -> None:
    paths = []
    for index in range(12):
        paths.append(tmp_path / f"{index}.png")
        Image.new("RGB", (4000, 4000) if index % 4 == 0 else (40, 30), "teal").save(paths[-1])
    with DecoderPool(Limits(), [SQUASHED], workers=3) as pool:
        assert [one.path for one, _ in pool.decode(map(found, paths))] == [str(path) for path in paths]


def test_a_worker_answers_what_decoding_in_this_process_gives(photographs: Path, found: MakeFound) -> None:
    preparations = [SQUASHED, Preprocessing(60, 40, "crop", "bicubic")]
    paths = sorted(photographs.iterdir())
    with DecoderPool(Limits(), preparations, workers=2) as pool:
        outcomes = {one.path: outcome for one, outcome in pool.decode(map(found, paths))}
    for path in paths:
        here, there = decode(str(path), Limits(), preparations), outcomes[str(path)]
        assert isinstance(there, Decoded)
        assert there.fingerprint == here.fingerprint
        assert [view.label for view in there.views] == [view.label for view in here.views]
        assert all(map(np.array_equal, there.views[0].prepared, here.views[0].prepared))


def test_models_that_ask_for_different_parts_of_a_picture_each_get_theirs_from_one_worker(
    photographs: Path, found: MakeFound, tmp_path: Path
) -> None:
    collage = tmp_path / "collage.png"
    canvas = Image.new("RGB", (640, 320), "white")
    for place, path in enumerate(sorted(photographs.iterdir())[:2]):
        canvas.paste(Image.open(path).convert("RGB").resize((300, 300)), (10 + 320 * place, 10))
    canvas.save(collage)
    preparations = [Preprocessing(32, 32, views="panels"), SQUASHED, Preprocessing(24, 24, views="tiles")]
    with DecoderPool(Limits(), preparations, workers=1) as pool:
        outcomes = [outcome for _, outcome in pool.decode(map(found, [collage, *sorted(photographs.iterdir())]))]
    assert all(map(is_judged, outcomes))
    assert isinstance(outcomes[0], Decoded)
    whole, *parts = outcomes[0].views
    assert [one.shape for one in whole.prepared] == [(32, 32, 3), (32, 32, 3), (24, 24, 3)]
    assert [one.shape[0] for view in parts[:2] for one in view.prepared] == [32, 0, 24] * 2
    assert {one.shape[0] for view in parts[2:] for one in view.prepared[:2]} == {0}
    for there, here in zip(outcomes[0].views, decode(str(collage), Limits(), preparations).views, strict=True):
        assert all(map(np.array_equal, there.prepared, here.prepared))


def test_a_worker_that_has_died_while_idle_costs_no_file(pictures: list[Path], found: MakeFound) -> None:
    with DecoderPool(Limits(), [SQUASHED], workers=1) as pool:
        first = [outcome for _, outcome in pool.decode(map(found, pictures))]
        (worker,) = workers()
        os.kill(worker, signal.SIGKILL)
        os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)
        second = [outcome for _, outcome in pool.decode(map(found, pictures))]
    assert all(map(is_judged, [*first, *second]))


def test_no_files_start_no_worker() -> None:
    with DecoderPool(Limits(), [SQUASHED], workers=2) as pool:
        assert list(pool.decode([])) == []
        assert workers() == []


def test_a_pool_leaves_its_workers_to_the_next_which_may_prepare_otherwise(
    pictures: list[Path], found: MakeFound
) -> None:
    started = set[int]()
    with SpareWorkers() as spare:
        for wanted in (SQUASHED, Preprocessing(60, 40)):
            with DecoderPool(Limits(), [wanted], workers=1, spare=spare) as pool:
                outcomes = [outcome for _, outcome in pool.decode(map(found, pictures))]
            for outcome in outcomes:
                assert isinstance(outcome, Decoded)
                assert outcome.views[0].prepared[0].shape == (wanted.height, wanted.width, 3)
            started.update(workers())
    assert len(started) == 1
    assert workers() == []


def test_a_pool_that_is_left_early_leaves_no_worker_that_still_works(pictures: list[Path], found: MakeFound) -> None:
    with SpareWorkers() as spare:
        with DecoderPool(Limits(), [SQUASHED], workers=1, spare=spare) as pool:
            next(pool.decode(map(found, pictures)))
        assert not spare
        assert workers() == []


def test_a_killed_worker_costs_one_file_and_the_rest_go_on(pictures: list[Path], found: MakeFound) -> None:
    Image.new("RGB", (6000, 6000), "teal").save(pictures[1])  # so that the worker is still at it
    with DecoderPool(Limits(), [SQUASHED], workers=1) as pool:
        outcomes = pool.decode(map(found, pictures))
        assert is_judged(next(outcomes)[1])
        (worker,) = workers()
        os.kill(worker, signal.SIGKILL)
        rest = [outcome for _, outcome in outcomes]
    (refused,) = [outcome for outcome in rest if not is_judged(outcome)]
    assert code(refused) == "decoder_crashed"
    assert "signal 9" in str(refused)
    assert len(rest) == 4


def test_a_worker_that_hangs_is_killed_at_its_deadline_and_the_rest_go_on(
    pictures: list[Path], found: MakeFound
) -> None:
    with DecoderPool(Limits(seconds=3), [SQUASHED], workers=1) as pool:
        outcomes = pool.decode(map(found, pictures))
        assert is_judged(next(outcomes)[1])
        (worker,) = workers()
        os.kill(worker, signal.SIGSTOP)
        started = time.monotonic()
        rest = [code(outcome) for _, outcome in outcomes]
        assert 2.5 < time.monotonic() - started < 10
        assert worker not in workers()
    assert sorted(rest) == ["", "", "", "timeout"]


def test_a_picture_that_needs_too_much_memory_is_rejected_and_the_rest_go_on(
    pictures: list[Path], found: MakeFound, tmp_path: Path
) -> None:
    big = tmp_path / "big.png"
    Image.new("RGBA", (7000, 7000), (1, 2, 3, 4)).save(big, compress_level=1)
    with DecoderPool(Limits(memory_mb=256), [SQUASHED], workers=1) as pool:
        outcomes = [(one.path, outcome) for one, outcome in pool.decode(map(found, [big, *pictures]))]
    assert code(outcomes[0][1]) == "out_of_memory"
    assert [is_judged(outcome) for _, outcome in outcomes[1:]] == [True] * 5


def test_no_worker_outlives_the_pool_even_when_it_is_left_early(pictures: list[Path], found: MakeFound) -> None:
    with DecoderPool(Limits(), [SQUASHED], workers=2) as pool:
        next(pool.decode(map(found, pictures)))
        assert workers()
    assert workers() == []


def test_a_pool_may_be_used_again(pictures: list[Path], found: MakeFound) -> None:
    with DecoderPool(Limits(), [SQUASHED], workers=1) as pool:
        first = [outcome for _, outcome in pool.decode(map(found, pictures))]
        before = workers()
        second = [outcome for _, outcome in pool.decode(map(found, pictures))]
        assert workers() == before
    assert len(first) == len(second) == 5


@pytest.mark.parametrize("name", [b"new\nline.png", b"caf\xe9.png", b"-rf.png", b'{"path": 1}.png', "猫.png".encode()])
def test_a_picture_with_a_hostile_name_is_judged(tmp_path: Path, found: MakeFound, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    Image.new("RGB", (40, 30), "teal").save(tmp_path / "plain.png")
    (tmp_path / "plain.png").rename(path)
    with DecoderPool(Limits(), [SQUASHED], workers=1) as pool:
        ((one, outcome),) = pool.decode([found(path)])
    assert is_judged(outcome)
    assert os.fsencode(one.path).endswith(b"/" + name)


def test_a_file_that_became_a_pipe_a_link_or_a_folder_is_told_and_not_opened(
    pictures: list[Path], found: MakeFound, tmp_path: Path
) -> None:
    files = [found(path) for path in pictures[:3]]
    pictures[0].unlink()
    os.mkfifo(pictures[0])
    pictures[1].unlink()
    pictures[1].symlink_to(pictures[3])
    pictures[2].unlink()
    pictures[2].mkdir()
    with DecoderPool(Limits(), [SQUASHED], workers=1) as pool:
        assert [code(outcome) for _, outcome in pool.decode(files)] == ["not_regular", "unreadable", "not_regular"]


def test_modules_in_the_scanned_folder_are_not_imported(
    pictures: list[Path], found: MakeFound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("json", "PIL", "numpy", "moderator"):
        (tmp_path / f"{module}.py").write_text(f"open({str(tmp_path / 'taken')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    with DecoderPool(Limits(), [SQUASHED], workers=1) as pool:
        ((_, outcome),) = pool.decode([found(pictures[0])])
    assert is_judged(outcome)
    assert not (tmp_path / "taken").exists()
