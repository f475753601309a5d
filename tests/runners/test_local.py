"""Decoding, the model and the store overlap, within bounds; whatever fails, nothing is left running."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from moderator.contracts import Entry, Found, Role
from moderator.errors import ModelError, StoreError, VectorError
from moderator.ingest import Ingest
from moderator.intake.decode import Decoded
from moderator.intake.pool import WINDOW
from moderator.intake.walk import walk
from moderator.policy import EmbedderSpec, Limits
from moderator.runners import runner
from moderator.runners.local import AHEAD, LocalRunner
from moderator.stores.sql import SqlStore
from moderator.testing import FakeEmbedder
from moderator.vectors import Matrix
from tests.intake.test_pool import workers
from tests.scanning import SCAN, Colours, picture
from tests.test_ingest import dump, stored

SHADES = ("red", "green", "blue", "white", "black", "yellow")


class Pairs(FakeEmbedder):
    """Takes two pictures at a time."""

    batch = 2


def made(kind: type[FakeEmbedder]) -> FakeEmbedder:
    return kind(EmbedderSpec(type="fake", model="quarters"))


def pictures(folder: Path, count: int) -> list[Path]:
    """Distinct pictures in the order of their names."""
    paths = []
    for number in range(count):
        colours: Colours = tuple(SHADES[(number // 6**place) % 6] for place in range(4))  # type: ignore[assignment]
        paths.append(picture(folder / f"{number:03}.png", colours))
    return paths


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = SqlStore.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert workers() == []
    assert [thread for thread in threading.enumerate() if thread not in before] == []


def test_decoding_goes_on_while_the_model_works_but_only_so_far(tmp_path: Path) -> None:
    pulled: list[Found] = []
    release = threading.Event()

    class Waits(Pairs):
        def embed(self, prepared: Sequence[npt.NDArray[np.uint8]]) -> Matrix:
            release.wait(30)
            return super().embed(prepared)

    def files() -> Iterator[Found]:
        for item in walk([str(path) for path in pictures(tmp_path, 90)]):
            assert isinstance(item, tuple)
            pulled.append(item[0])
            yield item[0]

    local = LocalRunner([made(Waits)], Limits())
    with local.read(files()) as batches:
        first = next(batches)
        wait = local.embed(first, [[one.fingerprint.sha256 for _, one in first.outcomes if isinstance(one, Decoded)]])
        deadline = time.monotonic() + 30
        while len(pulled) < 2 * (1 + AHEAD) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(pulled) >= 2 * (1 + AHEAD)
        time.sleep(0.3)  # time enough to run away, were there no bound
        assert len(pulled) <= 2 * (1 + AHEAD + 1) + WINDOW + 1
        release.set()
        assert len(wait()) == 2


def test_a_model_that_fails_ends_the_scan_and_the_batches_before_it_are_kept(
    tmp_path: Path, store: SqlStore
) -> None:
    class FailsLater(Pairs):
        calls = 0

        def embed(self, prepared: Sequence[npt.NDArray[np.uint8]]) -> Matrix:
            type(self).calls += 1
            if self.calls == 4:
                raise ModelError("the weights have gone")
            return super().embed(prepared)

    pictures(tmp_path / "in", 40)
    with pytest.raises(ModelError, match="the weights have gone"):
        Ingest(store, [made(FailsLater)], Limits()).run(walk([str(tmp_path / "in")]), "picture")
    assert stored(tmp_path / "store.db") == 6


def test_a_store_that_fails_ends_the_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: SqlStore) -> None:
    real = store.write
    written: list[int] = []

    def full(entries: Sequence[Entry], intake: str, role: Role) -> Sequence[int]:
        if len(written) == 4:
            raise StoreError("the disk is full")
        written.extend(real(entries, intake, role))
        return written[-len(entries) :]

    monkeypatch.setattr(store, "write", full)
    pictures(tmp_path / "in", 40)
    with pytest.raises(StoreError, match="disk is full"):
        Ingest(store, [made(Pairs)], Limits()).run(walk([str(tmp_path / "in")]), "picture")
    assert stored(tmp_path / "store.db") == 4


def test_a_walk_that_fails_in_the_decoding_thread_is_raised_to_the_caller(tmp_path: Path) -> None:
    def files() -> Iterator[Found]:
        yield from (item[0] for item in walk([str(pictures(tmp_path, 1)[0])]) if isinstance(item, tuple))
        raise StoreError("the list of files broke off")

    with LocalRunner([made(Pairs)], Limits()).read(files()) as batches, pytest.raises(StoreError, match="broke off"):
        list(batches)


def test_one_content_under_way_is_not_embedded_again_by_the_next_batch(tmp_path: Path, store: SqlStore) -> None:
    first = picture(tmp_path / "in" / "0.png")
    for number in range(1, 12):
        (tmp_path / "in" / f"{number}.png").write_bytes(first.read_bytes())
    before = Pairs.embedded
    outcome = Ingest(store, [made(Pairs)], Limits()).run(walk([str(tmp_path / "in")]), "picture")
    assert (len(outcome.judged), outcome.embedded, Pairs.embedded - before) == (12, 1, 1)


def test_a_content_without_a_direction_is_rejected_in_every_batch_that_holds_it(
    tmp_path: Path, store: SqlStore
) -> None:
    class Refuses(Pairs):
        def embed(self, prepared: Sequence[npt.NDArray[np.uint8]]) -> Matrix:
            raise VectorError("a zero vector")

    first = picture(tmp_path / "in" / "0.png")
    for number in range(1, 8):
        (tmp_path / "in" / f"{number}.png").write_bytes(first.read_bytes())
    outcome = Ingest(store, [made(Refuses)], Limits()).run(walk([str(tmp_path / "in")]), "picture")
    assert (len(outcome.judged), len(outcome.rejected)) == (0, 8)
    assert {one.code for one in outcome.rejected} == {"vector_refused"}


def test_a_batch_is_bounded_by_its_pixels_whatever_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BATCH_BYTES", 3 * 32 * 32 * 3)
    files = [item[0] for item in walk([str(path) for path in pictures(tmp_path, 10)]) if isinstance(item, tuple)]
    with LocalRunner([made(FakeEmbedder)], Limits()).read(files) as batches:
        assert sorted(len(batch.outcomes) for batch in batches) == [1, 3, 3, 3]


def test_an_interrupted_scan_ends_with_130_leaves_nothing_running_and_goes_on(tmp_path: Path) -> None:
    pictures(tmp_path / "in", 200)
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    handled = "import sys, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program = SCAN.replace("import sys\n", handled)
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program]
    cut = [*command, f"sqlite:///{tmp_path}/cut/store.db", str(tmp_path / "in")]
    process = subprocess.Popen(cut, cwd=root, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None and not stored(tmp_path / "cut" / "store.db"):
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT, told
    assert told.rstrip().endswith("KeyboardInterrupt")
    assert 0 < stored(tmp_path / "cut" / "store.db") < 200
    for name in ("cut", "whole"):
        subprocess.run([*command, f"sqlite:///{tmp_path}/{name}/store.db", str(tmp_path / "in")], cwd=root, check=True)
    assert dump(tmp_path / "cut" / "store.db") == dump(tmp_path / "whole" / "store.db")
