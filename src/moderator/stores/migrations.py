"""Numbered migrations: append only, each recorded with its digest; a newer database is refused."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from moderator.errors import StoreError
from moderator.resources import resource
from moderator.stores.session import Cursor, Session

LOCK_SECONDS = 60
"""How long a program waits for another one that migrates the same database."""
_RECORDS = (
    "CREATE TABLE IF NOT EXISTS schema_migrations (number INTEGER PRIMARY KEY, name VARCHAR(64), digest VARCHAR(64))"
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered SQL file."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def record(self) -> tuple[int, str, str]:
        return self.number, self.name, self.digest


def migrations(dialect: str) -> list[Migration]:
    """Returns the migrations of a dialect in order, from `sql/<dialect>/NNNN_name.sql`."""
    return [
        Migration(int(named[1]), named[2], path.read_text(encoding="utf-8"))
        for path in sorted(resource("sql", dialect).glob("*.sql"))
        if (named := re.fullmatch(r"(\d{4})_(\w+)", path.stem))
    ]


def migrate(session: Session, place: str) -> int:
    """Brings a database to the newest schema and returns its number.

    SQLite takes all that is missing, with its records, in one transaction. The others commit each statement by itself,
    so theirs may be repeated, and a migration that was killed begins again; one program at a time holds a lock.

    Args:
        place: where the database is, for messages.

    Raises:
        StoreError: the database is newer than this program, holds tables that moderator did not make, or its user may
            not change it.
    """
    known = migrations(session.dialect.name)
    if missing(session, known, place):
        if session.dialect.name == "sqlite":
            session.transact(lambda cursor: _apply(cursor, known, place))
        else:
            session.alone(lambda cursor: _apply_locked(cursor, known, place))
    return known[-1].number


def _apply(cursor: Cursor, known: Sequence[Migration], place: str) -> None:
    cursor.run(_RECORDS)
    # Asked anew: another program may have migrated while this one waited for its turn.
    for migration in missing(cursor, known, place):
        for statement in statements(migration.sql):
            cursor.run(statement)
        cursor.run("INSERT INTO schema_migrations VALUES (?, ?, ?)", migration.record)


def _apply_locked(cursor: Cursor, known: Sequence[Migration], place: str) -> None:
    ((database,),) = cursor.rows("SELECT DATABASE()")
    name = hashlib.sha256(f"moderator {database}".encode()).hexdigest()[:40]  # a lock's name has 64 letters at most
    if cursor.rows("SELECT GET_LOCK(?, ?)", (name, LOCK_SECONDS)) != [(1,)]:
        raise StoreError("another program is changing the schema of this store", hint="try again when it is done")
    try:
        _apply(cursor, known, place)
    finally:
        cursor.rows("SELECT RELEASE_LOCK(?)", (name,))


def missing(asked: Session | Cursor, known: Sequence[Migration], place: str) -> list[Migration]:
    """Returns which of the `known` migrations the database lacks. Raises: StoreError, as `migrate`."""
    tables = sorted(str(row[0]) for row in asked.rows(asked.dialect.tables))
    if "schema_migrations" not in tables:
        if tables:
            raise StoreError(
                f"{place} holds tables that moderator did not make: {', '.join(tables[:3])}",
                hint="choose another with --store",
            )
        return list(known)
    done: dict[int, str] = dict(asked.rows("SELECT number, digest FROM schema_migrations"))
    if done and max(done) > known[-1].number:
        raise StoreError(
            f"{place} has schema {max(done)}, this moderator knows {known[-1].number} at most",
            hint="upgrade moderator",
        )
    for migration in known:
        if done.get(migration.number, migration.digest) != migration.digest:
            raise StoreError(
                f"{place}: migration {migration.number} is not the one this moderator ships",
                hint="it is of an unreleased version: choose another with --store, and scan again",
            )
    return [migration for migration in known if migration.number not in done]


def statements(sql: str) -> Iterator[str]:
    """Cuts a script whose statements end at line ends (no driver here takes a whole script in a transaction)."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
