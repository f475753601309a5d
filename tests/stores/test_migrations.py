"""A database is brought to the newest schema by one program at a time; one from the future is refused."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from moderator.contracts import Store
from moderator.errors import StoreError
from moderator.stores import migrations, sqlite
from moderator.stores.dialects import SQLITE
from moderator.stores.migrations import Migration, migrate
from moderator.stores.session import Session
from moderator.stores.sql import SqlStore
from moderator.stores.sqlite import SqliteDriver
from tests.handmade import INTAKE, entry


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "moderator.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def database(path: Path, url: str) -> Iterator[sqlite3.Connection]:
    """A connection of one's own to a store that was migrated and closed."""
    SqlStore.open(url).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def schema(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    return connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()


def recorded(connection: sqlite3.Connection) -> list[tuple[int, str, str]]:
    return connection.execute("SELECT number, name, digest FROM schema_migrations ORDER BY number").fetchall()


def test_every_migration_is_recorded_with_its_digest(database: sqlite3.Connection) -> None:
    shipped = [(one.number, one.name, one.digest) for one in migrations.migrations("sqlite")]
    assert recorded(database) == shipped
    assert [number for number, _, _ in shipped] == list(range(1, len(shipped) + 1))


def test_migrating_again_changes_nothing(database: sqlite3.Connection) -> None:
    before = schema(database), recorded(database), database.total_changes
    migrate(Session(SqliteDriver(Path()), SQLITE, database), "here")
    assert (schema(database), recorded(database), database.total_changes) == before


def test_opening_again_keeps_what_is_stored(url: str) -> None:
    with SqlStore.open(url) as store:
        (content,) = store.write([entry("/shop/a.png")], INTAKE, "picture")
    with SqlStore.open(url) as store:
        assert store.known(["/shop/a.png"], "picture")["/shop/a.png"].content == content


def test_a_store_of_an_older_schema_is_upgraded_and_what_it_holds_was_there_first(
    url: str, database: sqlite3.Connection
) -> None:
    with SqlStore.open(url) as store:
        store.write([entry("/shop/a.png")], INTAKE, "picture")
    database.execute("ALTER TABLE images DROP COLUMN since")
    database.execute("DELETE FROM schema_migrations WHERE number > 1")
    with SqlStore.open(url) as store:
        (old, new) = store.write([entry("/shop/a.png"), entry("/shop/b.png")], INTAKE, "picture")
        ((first,), (second,)) = (store.images([content])[content] for content in (old, new))
    assert first.since < second.since


def test_a_database_newer_than_the_program_is_refused(database: sqlite3.Connection, url: str) -> None:
    database.execute("INSERT INTO schema_migrations VALUES (9999, 'from_the_future', 'x')")
    with pytest.raises(StoreError, match="schema 9999") as refusal:
        SqlStore.open(url)
    assert refusal.value.hint == "upgrade moderator"


def test_a_database_made_by_an_altered_migration_is_refused(database: sqlite3.Connection, url: str) -> None:
    database.execute("UPDATE schema_migrations SET digest = 'another' WHERE number = 1")
    with pytest.raises(StoreError, match=re.escape(f"{url}: migration 1 is not the one")):
        SqlStore.open(url)


def test_a_migration_that_fails_leaves_neither_half_of_it_nor_its_record(
    database: sqlite3.Connection, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = migrations.migrations("sqlite")
    broken = Migration(shipped[-1].number + 1, "broken", "CREATE TABLE half (id INTEGER);\nCREATE TABLE images (x);")
    monkeypatch.setattr(migrations, "migrations", lambda _: [*shipped, broken])
    before = schema(database), recorded(database)
    with pytest.raises(StoreError, match="images already exists"):
        SqlStore.open(url)
    assert (schema(database), recorded(database)) == before


def test_a_database_of_another_program_is_refused_and_left_as_it_is(path: Path, url: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE holiday (photo TEXT)")
        with pytest.raises(StoreError, match="tables that moderator did not make: holiday"):
            SqlStore.open(url)
        assert [name for _, name, _ in schema(connection)] == ["holiday"]


def test_several_programs_may_make_one_store_at_once(path: Path, url: str) -> None:
    program = "from moderator.stores.sql import SqlStore; import sys; SqlStore.open(sys.argv[1]).close()"
    command = [sys.executable, "-c", program, url]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=60)[1] for process in started] == [""] * 4
    with closing(sqlite3.connect(path)) as connection:
        assert len(recorded(connection)) == len(migrations.migrations("sqlite"))


def test_the_database_can_be_read_by_its_owner_only(path: Path, url: str) -> None:
    before = os.umask(0)
    try:
        with SqlStore.open(url) as store:
            store.write([entry("/shop/a.png")], INTAKE, "picture")
            modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.glob("moderator.db*")}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("moderator.db", "moderator.db-shm", "moderator.db-wal"), 0o600)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives up waiting for another writer at once."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(sqlite, "ATTEMPT_SECONDS", 0.01)


def locked_error(store: Store) -> StoreError:
    with pytest.raises(StoreError) as refusal:
        store.write([entry("/shop/a.png")], INTAKE, "picture")
    return refusal.value


def test_a_store_that_another_program_writes_to_says_so(
    impatient: None, database: sqlite3.Connection, url: str
) -> None:
    with SqlStore.open(url) as store:
        database.execute("BEGIN IMMEDIATE")
        refusal = locked_error(store)
    assert re.search(r"has the store .*moderator\.db and did not let go of it within 0.1 s", str(refusal))
    assert "wait until that is done" in refusal.hint
    assert refusal.exit_code == 3


def test_a_wait_for_another_program_is_told_once_and_soon(database: sqlite3.Connection, url: str) -> None:
    database.execute("BEGIN IMMEDIATE")
    program = "import sys; from moderator.stores.sql import SqlStore; SqlStore.open(sys.argv[1]).log('waited', '')"
    started = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", program, url], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = process.stderr.readline()
        soon = time.monotonic() - started
        database.execute("COMMIT")
        more = process.communicate(timeout=60)[1]
    assert "another process has the store" in told
    assert "waiting for it, up to 30 s" in told
    assert soon < 4.0  # with the start of the program
    assert (more, process.returncode) == ("", 0)


def test_removed_bytes_that_another_program_keeps_in_the_log_are_told(
    impatient: None, database: sqlite3.Connection, url: str
) -> None:
    with SqlStore.open(url) as store:
        (content,) = store.write([entry("/banned/a.png")], INTAKE, "reference")
        store.add_references("banned", [(content, "", "")], "tester")
        database.execute("BEGIN")
        database.execute("SELECT COUNT(*) FROM images").fetchall()
        with pytest.raises(StoreError, match="another process has the store"):
            store.remove_references("banned", [])
        assert store.references() == []


def test_a_store_that_was_locked_can_be_written_to_once_it_is_free(
    impatient: None, database: sqlite3.Connection, url: str
) -> None:
    with SqlStore.open(url) as store:
        database.execute("BEGIN IMMEDIATE")
        locked_error(store)
        database.execute("COMMIT")
        assert len(store.write([entry("/shop/a.png")], INTAKE, "picture")) == 1


def test_a_store_can_be_read_while_another_program_writes(
    impatient: None, database: sqlite3.Connection, url: str
) -> None:
    database.execute("BEGIN IMMEDIATE")
    with SqlStore.open(url) as store:
        assert store.status()["images"] == "0"
