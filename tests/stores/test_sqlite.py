"""The SQLite store keeps the contract, and keeps what it holds private, whole and bound to its model."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from moderator.contracts import Store
from moderator.errors import ArgumentError, StoreError, VectorError
from moderator.models import ModelId
from moderator.stores import tables
from moderator.stores.sql import SqlStore
from moderator.vectors import normalise, pack
from tests.handmade import FLAT, at, entry, vectors
from tests.stores.contract import Execute, StoreContract, read, referenced, written

BIG = ModelId("big", "r1", "fp32", "by-hand-1", 512)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/moderator.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with SqlStore.open(url) as opened:
        yield opened


@pytest.fixture
def execute(tmp_path: Path) -> Execute:
    def run(statement: str) -> None:
        with closing(sqlite3.connect(tmp_path / "moderator.db")) as connection, connection:
            connection.execute(statement)

    return run


class TestSqliteStore(StoreContract):
    store_class = SqlStore
    nowhere = "sqlite:////dev/null/moderator.db"
    malformed = "sqlite://moderator.db"


def everything_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_removed_reference_leaves_no_bytes_on_the_disk(tmp_path: Path, store: Store) -> None:
    secret = normalise(np.random.default_rng(7).normal(size=(1, 512)))
    referenced(store, "banned", entry("/banned/a.png", vectors(secret, BIG)))
    before = everything_below(tmp_path)
    store.remove_references("banned", [])
    after = everything_below(tmp_path)
    for needle in (pack(secret[0])[:64], b"/banned/a.png"):
        assert needle in before
        assert needle not in after


def test_a_reference_removed_from_among_others_leaves_no_bytes_on_the_disk(tmp_path: Path, store: Store) -> None:
    rows = normalise(np.random.default_rng(7).normal(size=(50, 512)))
    referenced(store, "banned", *[entry(f"/banned/{i}.png", vectors(rows[i : i + 1], BIG)) for i in range(50)])
    gone = [reference.entry for reference in store.references()][:25]
    store.remove_references("banned", gone)
    left = everything_below(tmp_path)
    assert [pack(row)[:64] in left for row in rows] == [False] * 25 + [True] * 25


def test_a_removed_entry_is_audited_without_its_name(tmp_path: Path, store: Store) -> None:
    referenced(store, "banned", entry("/banned/a.png"))
    store.remove_references("banned", [])
    with closing(sqlite3.connect(tmp_path / "moderator.db")) as connection:
        rows = connection.execute("SELECT action, subject FROM audit_log ORDER BY id").fetchall()
    assert rows == [("references.add", "banned: 1"), ("references.remove", "banned: 1")]


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log"])
def test_the_audit_log_cannot_be_rewritten(store: Store, execute: Execute, statement: str) -> None:
    referenced(store, "banned", entry("/banned/a.png"))
    with pytest.raises(sqlite3.IntegrityError, match="append only"):
        execute(statement)


def test_vectors_are_read_in_blocks_of_bounded_size(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = written(store, *[entry(f"/shop/{number}.png", at(number)) for number in range(10)])
    monkeypatch.setattr(tables, "BLOCK", 3)
    blocks = list(store.vectors(FLAT, "all"))
    assert [content for block in blocks for content in block.contents.tolist()] == contents
    assert max(len(block.contents) for block in blocks) <= 3


@pytest.mark.parametrize("block", [1, 2, 3, 4, 7, 100])
def test_a_block_never_ends_between_two_views_of_one_content(
    store: Store, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    contents = written(store, *[entry(f"/shop/{n}.png", at(*range(n, n + 1 + n % 4))) for n in range(9)])
    monkeypatch.setattr(tables, "BLOCK", block)
    met = [dict.fromkeys(one.contents.tolist()) for one in store.vectors(FLAT, "all")]
    assert [content for some in met for content in some] == contents
    assert {content: len(rows) for content, rows in read(store).items()} == {
        content: 1 + number % 4 for number, content in enumerate(contents)
    }


def test_added_vectors_are_read_in_blocks_of_bounded_size(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = written(store, *[entry(f"/shop/{number}.png", at(number)) for number in range(10)])
    monkeypatch.setattr(tables, "BLOCK", 3)
    blocks = [block.contents.tolist() for block in store.added(FLAT, 0, 9)]
    assert blocks == [contents[0:3], contents[3:6], contents[6:9]]


def test_fingerprints_are_read_in_blocks_of_bounded_size(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = written(store, *[entry(f"/shop/{number}.png") for number in range(10)])
    monkeypatch.setattr(tables, "BLOCK", 3)
    blocks = list(store.hashes("all"))
    assert [content for block in blocks for content in block.contents.tolist()] == contents
    assert max(len(block.contents) for block in blocks) <= 3


def test_a_stored_vector_of_another_length_is_refused_and_never_cut(store: Store, execute: Execute) -> None:
    # Together the two have the right number of bytes.
    first, second = written(store, entry("/shop/a.png", at(10)), entry("/shop/b.png", at(20)))
    execute(f"UPDATE embeddings SET embedding = x'00000000' WHERE content_id = {first}")
    execute(f"UPDATE embeddings SET embedding = x'{'00' * 12}' WHERE content_id = {second}")
    with pytest.raises(VectorError, match="4 bytes"):
        list(store.vectors(FLAT, "all"))


def test_the_database_is_found_whole(store: Store) -> None:
    assert store.status()["integrity"] == "ok"


def test_a_damaged_database_is_a_store_error_that_names_the_file(tmp_path: Path, url: str) -> None:
    with SqlStore.open(url) as store:
        written(store, *[entry(f"/shop/{number}.png", at(number)) for number in range(500)])
    path = tmp_path / "moderator.db"
    whole = path.read_bytes()
    path.write_bytes(whole[: 4096 * 8] + bytes(len(whole) - 4096 * 8))
    with pytest.raises(StoreError, match=str(path)), SqlStore.open(url) as store:
        read(store)


@pytest.mark.parametrize("url", ["sqlite://two/slashes.db", "sqlite:///", "sqlite:moderator.db"])
def test_a_url_without_a_file_is_refused_with_how_to_write_it(url: str) -> None:
    with pytest.raises(ArgumentError) as refusal:
        SqlStore.open(url)
    assert "three slashes" in refusal.value.hint


def test_the_folder_of_a_new_store_is_made(tmp_path: Path) -> None:
    with SqlStore.open(f"sqlite:///{tmp_path}/new/folder/moderator.db") as store:
        assert store.status()["images"] == "0"
    assert (tmp_path / "new" / "folder" / "moderator.db").is_file()


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "holiday.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(4096))
    with pytest.raises(StoreError, match=r"holiday\.png") as refusal:
        SqlStore.open(f"sqlite:///{path}")
    assert "--store" in refusal.value.hint
    assert path.read_bytes() == b"\x89PNG\r\n\x1a\n" + bytes(4096)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=str(tmp_path)):
        SqlStore.open(f"sqlite:///{tmp_path}")
