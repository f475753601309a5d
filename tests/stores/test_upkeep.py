"""A store is found whole or what is damaged is named; what is purged leaves no bytes where the engine allows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from moderator.models import ModelId
from moderator.stores import upkeep
from moderator.stores.sql import SqlStore
from moderator.stores.tables import index_table
from moderator.vectors import normalise, pack
from tests.engines import MARIADB, MYSQL, OCEANBASE, OwnServer
from tests.engines.fixtures import engine, migrated, url
from tests.handmade import FLAT, at, entry, vectors
from tests.stores.contract import decision, read, referenced, report, written

__all__ = ["engine", "migrated", "url"]
with_index = pytest.mark.parametrize("engine", [MARIADB, OCEANBASE], ids=lambda engine: engine.name)
BIG = ModelId("big", "r1", "fp32", "by-hand-1", 512)


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    with SqlStore.open(url) as opened:
        yield opened


@pytest.fixture
def local(tmp_path: Path) -> Iterator[SqlStore]:
    """A store in SQLite."""
    with SqlStore.open(f"sqlite:///{tmp_path}/moderator.db") as opened:
        yield opened


def indexed(store: SqlStore) -> int | None:
    """How many vectors the only model's index holds; None where there is no such table."""
    ((model,),) = store.session.rows("SELECT id FROM models")
    if not store.session.rows(f"SHOW TABLES LIKE '{index_table(model)}'"):
        return None
    ((count,),) = store.session.rows(f"SELECT COUNT(*) FROM {index_table(model)}")
    return int(count)


def states(store: SqlStore) -> dict[str, str]:
    return {one.name: one.state for one in upkeep.check(store)}


def test_a_store_that_is_whole_is_found_so_on_every_engine(store: SqlStore) -> None:
    written(store, entry("/shop/a.png", at(10, 20)), entry("/shop/b.png", at(30)))
    referenced(store, "banned", entry("/banned/c.png", at(40)))
    assert "wrong" not in states(store).values()
    assert states(store)["vectors of flat"] == "ok"


@pytest.mark.parametrize(
    "vector", [b"\0\0", pack(at(10, 10).sum(axis=0)), pack(np.array([np.nan, 1], dtype=np.float32))]
)
def test_a_vector_of_a_wrong_length_is_damage(local: SqlStore, vector: bytes) -> None:
    written(local, entry("/shop/a.png", at(10)), entry("/shop/b.png", at(30)))
    local.session.rows("UPDATE embeddings SET embedding = ? WHERE sequence = 1", (vector,))
    assert states(local)["vectors of flat"] == "wrong"


def test_a_row_that_refers_to_nothing_is_damage(local: SqlStore) -> None:
    (content,) = written(local, entry("/shop/a.png", at(10)))
    local.session.rows("PRAGMA foreign_keys = OFF")
    local.session.rows("DELETE FROM contents WHERE id = ?", (content,))
    found = states(local)
    assert (found["images"], found["embeddings"]) == ("wrong", "wrong")


def test_contents_that_nothing_refers_to_are_noted(store: SqlStore) -> None:
    written(store, entry("/shop/a.png", at(10)))
    store.forget(["/shop/a.png"])
    assert states(store)["contents"] == "note"


def test_a_server_that_may_lose_what_was_committed_is_noted() -> None:
    server = MYSQL.server()  # which the tests start with innodb_flush_log_at_trx_commit=2
    with server.database() as name, SqlStore.open(server.url(name)) as store:
        found = {one.name: one for one in upkeep.check(store)}
    assert found["innodb_flush_log_at_trx_commit"].state == "note"
    assert "power cut" in found["innodb_flush_log_at_trx_commit"].message


def test_purging_removes_what_nothing_refers_to_and_no_more(store: SqlStore) -> None:
    gone, kept = written(store, entry("/shop/a.png", at(10)), entry("/shop/b.png", at(20)))
    (banned,) = referenced(store, "banned", entry("/banned/c.png", at(30)))
    store.write_features("corners-1", {gone: b"made", kept: b"made"})
    store.forget(["/shop/a.png"])
    assert upkeep.purge_unused(store) == 1
    assert set(read(store)) == {kept, banned}
    assert store.features("corners-1", [gone, kept]) == {kept: b"made"}


def test_purging_tells_indexes_of_a_new_lineage(store: SqlStore) -> None:
    written(store, entry("/shop/a.png", at(10)), entry("/shop/b.png", at(20)))
    store.forget(["/shop/a.png"])
    before = store.generation(FLAT)
    upkeep.purge_unused(store)
    after = store.generation(FLAT)
    assert before is not None
    assert after is not None
    assert before.lineage != after.lineage


def test_purging_everything_leaves_an_empty_store_and_its_log(store: SqlStore) -> None:
    written(store, entry("/shop/a.png", at(10)))
    referenced(store, "banned", entry("/banned/b.png", at(20)))
    store.decide(decision("a"))
    store.record(report())
    assert upkeep.purge_everything(store) == 2
    counts = [store.status()[name] for name in ("images", "contents", "embeddings", "reference_entries", "scans")]
    assert counts == ["0"] * 5
    assert list(store.decisions()) == []
    actions = [row[0] for row in store.session.rows("SELECT action FROM audit_log ORDER BY id")]
    assert actions == ["references.add", "decisions.decide", "store.purge"]


def test_a_purged_sqlite_store_holds_no_bytes_of_what_it_held(tmp_path: Path, local: SqlStore) -> None:
    secret = normalise(np.random.default_rng(7).normal(size=(1, 512)))
    written(local, entry("/shop/s3ntinel.png", vectors(secret, BIG)))
    upkeep.purge_everything(local)
    assert upkeep.erase(local) == ""
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert pack(secret[0])[:64] not in left
    assert b"s3ntinel" not in left


def test_purged_mysql_tables_hold_no_bytes_of_what_they_held() -> None:
    server = MYSQL.server()
    if not isinstance(server, OwnServer):
        pytest.fail("this test reads the server's files: unset MODERATOR_TEST_MYSQL_URL")
    secret = normalise(np.random.default_rng(7).normal(size=(1, 512)))
    with server.database() as name, SqlStore.open(server.url(name)) as store:
        written(store, entry("/shop/s3ntinel.png", vectors(secret, BIG)))
        upkeep.purge_everything(store)
        assert "redo" in upkeep.erase(store)
        server.execute_each(["FLUSH TABLES images, contents, embeddings FOR EXPORT", "UNLOCK TABLES"], name)
        files = list((server.folder / "data" / name).iterdir())
        left = b"".join(path.read_bytes() for path in files)
    assert any(path.name.startswith("embeddings") for path in files)
    assert pack(secret[0])[:64] not in left
    assert b"s3ntinel" not in left


@with_index
def test_purging_takes_what_was_removed_out_of_an_index_too(store: SqlStore) -> None:
    written(store, entry("/shop/a.png", at(10)), entry("/shop/b.png", at(20)))
    referenced(store, "banned", entry("/banned/c.png", at(30)))
    store.build_indexes()
    store.remove_references("banned", [])
    store.forget(["/shop/a.png"])
    assert (upkeep.purge_unused(store), indexed(store)) == (1, 1)
    store.build_indexes()
    assert upkeep.purge_everything(store) == 1
    assert indexed(store) == 0


@with_index
def test_erasing_drops_an_index_that_is_not_asked_any_more_and_keeps_one_that_is(store: SqlStore) -> None:
    written(store, entry("/shop/a.png", at(10)), entry("/shop/b.png", at(20)))
    store.build_indexes()
    upkeep.erase(store)
    assert (indexed(store), store.guess(FLAT, at(10), 1) is None) == (2, False)
    store.forget(["/shop/a.png"])
    upkeep.purge_unused(store)
    upkeep.erase(store)
    assert indexed(store) is None
    store.build_indexes()
    assert indexed(store) == 1
    store.session.rows("DELETE FROM vector_indexes")  # as a build that was killed leaves it
    upkeep.erase(store)
    assert indexed(store) is None
