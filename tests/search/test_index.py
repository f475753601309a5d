"""A local index holds exactly what the store holds, or is built anew and says why."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from moderator.contracts import Store
from moderator.models import ModelId
from moderator.search import codes, index
from moderator.search.codes import Codes
from moderator.stores.sql import SqlStore
from moderator.vectors import Matrix, normalise
from tests.handmade import INTAKE, entry, vectors

MODEL = ModelId("sixteen", "r1", "fp32", "by-hand-1", 16)
OTHER = ModelId("sixteen", "r2", "fp32", "by-hand-1", 16)


def rows(count: int, seed: int = 0) -> Matrix:
    return normalise(np.random.default_rng(seed).standard_normal((count, 16)))


def add(store: Store, *names: str, model: ModelId = MODEL, seed: int = 0) -> list[int]:
    made = [entry(name, vectors(rows(1, seed + place), model)) for place, name in enumerate(names)]
    return list(store.write(made, INTAKE, "picture"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with SqlStore.open(f"sqlite:///{tmp_path}/moderator.db") as opened:
        add(opened, "a", "b", "c")
        yield opened


@pytest.fixture
def folder(store: Store) -> Path:
    return index.folder_of(store.url)


def opened(store: Store, model: ModelId = MODEL) -> tuple[Codes, list[str]]:
    notes: list[str] = []
    made = index.mirror(store, model, notes.append)
    assert made is not None
    return made, notes


def holds_what_the_store_holds(made: Codes, store: Store, model: ModelId = MODEL) -> bool:
    told = index.gathered(store, model)
    assert told is not None
    # A product of matrices may round a row otherwise among other rows: on some processors it does.
    apart = abs(made.matrix.astype(int) - told.matrix)
    alike = (apart <= 1).all() and (apart > 0).mean() < 0.01 and np.allclose(made.slack, told.slack, atol=1e-4)
    return bool(alike) and np.array_equal(made.contents, told.contents)


def file_of(folder: Path, model: ModelId = MODEL) -> Path:
    headers = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    name: str = next(header["file"] for header in headers if header["source"] == str(model))
    return folder / name


def header_of(folder: Path) -> Path:
    (path,) = folder.glob("*.json")
    return path


def test_it_holds_every_vector_of_the_store(store: Store) -> None:
    made, notes = opened(store)
    assert holds_what_the_store_holds(made, store)
    assert notes == []


def test_what_was_added_since_is_appended_to_the_same_file(store: Store, folder: Path) -> None:
    opened(store)
    before, start = file_of(folder), file_of(folder).read_bytes()
    add(store, "d", "e", seed=10)
    made, notes = opened(store)
    assert holds_what_the_store_holds(made, store)
    assert (file_of(folder), notes) == (before, [])
    assert before.read_bytes().startswith(start)


def test_an_index_that_fits_is_not_written_again(store: Store, folder: Path) -> None:
    opened(store)
    before = header_of(folder).stat().st_ino
    opened(store)
    assert header_of(folder).stat().st_ino == before


def test_the_models_of_a_store_have_an_index_each(store: Store, folder: Path) -> None:
    add(store, "d", model=OTHER, seed=5)
    assert len(opened(store)[0]) == 3
    assert len(opened(store, OTHER)[0]) == 1
    assert file_of(folder) != file_of(folder, OTHER)
    assert holds_what_the_store_holds(opened(store)[0], store)


def test_a_model_that_never_embedded_has_none(store: Store, folder: Path) -> None:
    assert index.mirror(store, OTHER, pytest.fail) is None
    assert list(folder.glob("*.json")) == []


def test_files_are_their_owners_alone(store: Store, folder: Path) -> None:
    opened(store)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


# What does not fit


def built_anew(store: Store, why: str) -> None:
    made, notes = opened(store)
    assert [why in note for note in notes] == [True], notes
    assert holds_what_the_store_holds(made, store)
    assert opened(store)[1] == []


def test_a_file_that_is_cut_short_is_built_anew(store: Store, folder: Path) -> None:
    opened(store)
    os.truncate(file_of(folder), 40)
    built_anew(store, "cut short")


def test_a_file_that_is_gone_is_built_anew(store: Store, folder: Path) -> None:
    opened(store)
    file_of(folder).unlink()
    built_anew(store, "cut short")


@pytest.mark.parametrize("place", [0, 9, 20, -1])
def test_a_file_with_one_wrong_byte_is_built_anew(store: Store, folder: Path, place: int) -> None:
    opened(store)
    held = bytearray(file_of(folder).read_bytes())
    held[place] ^= 1
    file_of(folder).write_bytes(held)
    built_anew(store, "not those that were written")


def test_another_models_rows_are_built_anew(store: Store, folder: Path) -> None:
    add(store, "d", "e", "f", model=OTHER, seed=5)
    opened(store)
    opened(store, OTHER)
    shutil.copyfile(file_of(folder, OTHER), file_of(folder))
    built_anew(store, "not those that were written")


def test_another_stores_index_is_built_anew(store: Store, folder: Path, tmp_path: Path) -> None:
    with SqlStore.open(f"sqlite:///{tmp_path}/other.db") as other:
        add(other, "x", "y", "z", seed=20)
        opened(other)
        shutil.copytree(index.folder_of(other.url), folder)
    built_anew(store, "removed or replaced")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 1', '{"file": "../../moderator.db"}'])
def test_a_damaged_header_is_built_anew(store: Store, folder: Path, text: str) -> None:
    opened(store)
    header_of(folder).write_text(text)
    built_anew(store, "damaged")


def test_a_header_that_names_a_file_elsewhere_is_not_followed(store: Store, folder: Path) -> None:
    opened(store)
    header = json.loads(header_of(folder).read_text())
    header_of(folder).write_text(json.dumps({**header, "file": "../moderator.db"}))
    built_anew(store, "damaged")


@pytest.mark.parametrize("change", [{"format": 0}, {"source": "another"}])
def test_an_index_of_another_format_or_model_is_built_anew(
    store: Store, folder: Path, change: dict[str, object]
) -> None:
    opened(store)
    header = json.loads(header_of(folder).read_text())
    header_of(folder).write_text(json.dumps({**header, **change}))
    built_anew(store, "another model or format")


def test_a_vector_that_was_replaced_is_built_anew(store: Store) -> None:
    opened(store)
    add(store, "a", seed=30)
    built_anew(store, "removed or replaced")


def test_a_backup_that_went_another_way_is_built_anew(store: Store, tmp_path: Path) -> None:
    opened(store)
    backup = tmp_path / "backup.db"
    with closing(sqlite3.connect(tmp_path / "moderator.db")) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    add(store, "d", seed=11)
    opened(store)
    with SqlStore.open(f"sqlite:///{backup}") as restored:
        add(restored, "e", seed=12)
        shutil.copytree(index.folder_of(store.url), index.folder_of(restored.url))
        built_anew(restored, "not the store's")


def test_an_index_ahead_of_its_store_is_built_anew(store: Store, folder: Path) -> None:
    opened(store)
    header = json.loads(header_of(folder).read_text())
    header_of(folder).write_text(json.dumps({**header, "sequence": 99}))
    built_anew(store, "more than the store")


def test_a_store_whose_newest_vector_was_removed_is_mirrored_without_a_word(store: Store) -> None:
    (content,) = store.write([entry("d", vectors(rows(1, 40), MODEL))], INTAKE, "reference")
    store.add_references("banned", [(content, "", "by hand")], "tester")
    store.remove_references("banned", [])
    opened(store)
    made, notes = opened(store)
    assert (len(made), notes) == (3, [])


# What is left behind


def test_erasing_leaves_no_file(store: Store, folder: Path) -> None:
    opened(store)
    index.erase(store.url)
    assert not folder.exists()
    index.erase(store.url)


def test_building_anew_leaves_none_of_the_old_rows(store: Store, folder: Path) -> None:
    opened(store)
    old = file_of(folder)
    add(store, "a", seed=30)
    opened(store)
    assert not old.exists()
    assert len(list(folder.glob("*.codes"))) == 1


def test_a_folder_that_cannot_be_written_is_noted_and_the_store_read_instead(store: Store, folder: Path) -> None:
    folder.write_text("a file stands where the folder should")
    notes: list[str] = []
    assert index.mirror(store, MODEL, notes.append) is None
    assert "cannot be kept" in notes[0]


KILLED = """
import os, signal, sys
from pathlib import Path
from moderator.models import ModelId
from moderator.search import index
from moderator.stores.sql import SqlStore

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

owner, name = {"rename": (Path, "replace"), "sync": (os, "fsync")}[sys.argv[2]]
setattr(owner, name, die)
index.mirror(SqlStore.open(sys.argv[1]), ModelId("sixteen", "r1", "fp32", "by-hand-1", 16), print)
"""


@pytest.mark.parametrize("step", ["rename", "sync"])
@pytest.mark.parametrize("there", [False, True])
def test_killed_before_the_rename_the_old_index_counts(store: Store, folder: Path, step: str, there: bool) -> None:
    if there:
        opened(store)
        add(store, "d", "e", seed=10)
    killed = subprocess.run([sys.executable, "-c", KILLED, store.url, step], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    made, notes = opened(store)
    assert notes == []
    assert holds_what_the_store_holds(made, store)
    assert len(list(folder.glob("*.codes"))) == 1


def test_a_store_that_is_no_file_is_mirrored_in_the_cache_folder() -> None:
    one, other = (index.folder_of(f"mysql://moderator@{host}/pictures") for host in ("here", "there"))
    assert one != other
    assert one.parent == other.parent
    assert "pictures" not in str(one)


def test_rows_under_several_digests_grow_by_any_number(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "SEGMENT", 2)
    for seed in (50, 60, 70):
        opened(store)
        add(store, *(f"{seed + place}" for place in range(seed // 25)), seed=seed)
    made, notes = opened(store)
    assert (holds_what_the_store_holds(made, store), notes) == (True, [])


def test_codes_from_the_index_are_scanned_like_any(store: Store) -> None:
    made, _ = opened(store)
    query = codes.encode(np.array([7]), rows(1, 1))
    assert made.contents[codes.reach(query, made, 0.99)].tolist() == [made.contents[1]]
