"""Pictures into a store: views, refused vectors, batches, and going on after a kill."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from moderator.contracts import Embedder, Entry, Role
from moderator.errors import VectorError
from moderator.ingest import Ingest
from moderator.intake.walk import walk
from moderator.policy import EmbedderSpec, Limits
from moderator.runners.embedding import embed_each
from moderator.stores.sql import SqlStore
from moderator.testing import FakeEmbedder
from moderator.vectors import Matrix
from tests.scanning import DUMP, SCAN, many_pictures, picture


class RefusesBlack(FakeEmbedder):
    """Returns no direction for a black picture, as a broken model would."""

    name = "refuses-black"

    def embed(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Matrix:
        if any(not one.any() for one in pictures):
            raise VectorError("the embedder returned a zero vector")
        return super().embed(pictures)


def embedder(kind: type[FakeEmbedder] = FakeEmbedder) -> Embedder:
    return kind(EmbedderSpec(type="fake", model="quarters"))


def test_one_refused_vector_spoils_no_other_picture_of_its_batch(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "black.png", ("black",) * 4)
    picture(tmp_path / "in" / "colours.png")
    with SqlStore.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        ingest = Ingest(store, [embedder(RefusesBlack)], Limits())
        for _ in range(2):  # known from the first time, it is rejected for the same reason
            outcome = ingest.run(walk([str(tmp_path / "in")]), "picture")
            assert [Path(found.name).name for found, _ in outcome.judged] == ["colours.png"]
            assert [(one.code, one.reason) for one in outcome.rejected] == [
                ("vector_refused", "the embedder returned a zero vector")
            ]


def test_a_content_that_another_program_removes_meanwhile_comes_back_with_its_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(tmp_path / "in" / "colours.png")
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with SqlStore.open(url) as store, SqlStore.open(url) as other:
        ingest = Ingest(store, [embedder()], Limits())
        ((_, content),) = ingest.run(walk([str(tmp_path / "in")]), "reference").judged
        store.add_references("banned", [(content, "", "")], "tester")
        write = store.write

        def late(entries: Sequence[Entry], intake: str, role: Role) -> Sequence[int]:
            other.remove_references("banned", [])  # nothing any more the second time
            return write(entries, intake, role)

        monkeypatch.setattr(store, "write", late)
        ((_, again),) = ingest.run(walk([str(tmp_path / "in")]), "picture").judged
        assert store.embedded(embedder().model, [again]) == {again}


def test_all_views_of_an_animated_picture_are_embedded(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:], duration=100)
    with SqlStore.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        one = embedder()
        Ingest(store, [one], Limits()).run(walk([str(tmp_path / "moving.gif")]), "picture")
        (block,) = store.vectors(one.model, "images")
        assert list(block.views) == ["frame 1", "frame 2", "whole"]


def test_under_other_limits_a_picture_is_read_again_and_old_views_go(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:], duration=100)
    with SqlStore.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        one = embedder()
        for limits in (Limits(), Limits(frames=1)):
            Ingest(store, [one], limits).run(walk([str(tmp_path / "moving.gif")]), "picture")
        (block,) = store.vectors(one.model, "images")
        assert list(block.views) == ["whole"]


def test_a_picture_gets_the_vectors_that_another_policy_needs(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png")
    second = FakeEmbedder(EmbedderSpec(type="fake", model="quarters", revision="2"))
    with SqlStore.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        for models in ([embedder()], [embedder(), second]):
            outcome = Ingest(store, models, Limits()).run(walk([str(tmp_path / "in")]), "picture")
            assert outcome.embedded == 1
        assert len(store.embedded(second.model, [content for _, content in outcome.judged])) == 1


def test_each_content_is_embedded_once_however_many_paths_hold_it(tmp_path: Path) -> None:
    first = picture(tmp_path / "in" / "a.png")
    for name in ("b.png", "c.png"):
        (tmp_path / "in" / name).write_bytes(first.read_bytes())
    with SqlStore.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        outcome = Ingest(store, [embedder()], Limits()).run(walk([str(tmp_path / "in")]), "picture")
    assert (len(outcome.judged), outcome.embedded) == (3, 1)


def test_batches_are_no_larger_than_the_embedder_takes() -> None:
    sizes: list[int] = []

    class Counts(FakeEmbedder):
        batch = 4

        def embed(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Matrix:
            sizes.append(len(pictures))
            return super().embed(pictures)

    view = np.full((32, 32, 3), 200, dtype=np.uint8)
    contents = {bytes([number]): [("whole", view), ("on black", view)] for number in range(5)}
    results = dict(embed_each(embedder(Counts), contents))
    assert sizes == [4, 4, 2]
    assert {len(one.views) for one in results.values() if not isinstance(one, VectorError)} == {2}


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_scan_goes_on_where_it_was_and_ends_as_if_it_had_not_been(tmp_path: Path, seed: int) -> None:
    folder = many_pictures(tmp_path / "in", 300)
    killed, whole = tmp_path / "killed.db", tmp_path / "whole.db"
    command = [sys.executable, "-c", SCAN]
    root = Path(__file__).parents[1]
    process = subprocess.Popen([*command, f"sqlite:///{killed}", str(folder)], cwd=root)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if killed.exists() and stored(killed) > 64 * (seed - 1):
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 0 < stored(killed) <= 300
    for store in (killed, whole):
        subprocess.run([*command, f"sqlite:///{store}", str(folder)], cwd=root, check=True)
    assert dump(killed) == dump(whole)


def dump(store: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(store) as connection:
        return connection.execute(DUMP.format("e.embedding")).fetchall()


def stored(store: Path) -> int:
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT COUNT(*) FROM images").fetchone()[0])
    except sqlite3.Error:
        return 0


def test_of_a_folder_that_is_excluded_now_no_picture_is_forgotten_whatever_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    picture(folder / "apart" / "plain.png")
    (folder / "apart" / "plain.png").rename(folder / "apart" / os.fsdecode(b"\xff.png"))
    with SqlStore.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        ingest = Ingest(store, [embedder()], Limits())
        ingest.run(walk([str(folder)]), "picture")
        found = [item[0] for item in walk([str(folder)], exclude=["apart"]) if isinstance(item, tuple)]
        assert ingest.forget_missing([str(folder)], found) == 0
        (folder / "apart" / os.fsdecode(b"\xff.png")).unlink()
        assert ingest.forget_missing([str(folder)], found) == 1
