"""Numbered migrations: append only, each recorded with its digest; a newer database is refused."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from moderator.errors import StoreError
from moderator.resources import resource


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered SQL file."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(dialect: str) -> list[Migration]:
    """Returns the migrations of a dialect in order, from `sql/<dialect>/NNNN_name.sql`."""
    return [
        Migration(int(named[1]), named[2], path.read_text(encoding="utf-8"))
        for path in sorted(resource("sql", dialect).glob("*.sql"))
        if (named := re.fullmatch(r"(\d{4})_(\w+)", path.stem))
    ]


def migrate(connection: sqlite3.Connection) -> int:
    """Brings a SQLite database to the newest schema: all that is missing, with its records, in one transaction.

    Raises:
        StoreError: the database is newer than this program, or holds tables that moderator did not make.
    """
    known = migrations("sqlite")
    if _missing(connection, known):
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS schema_migrations (number INTEGER PRIMARY KEY, name TEXT, digest TEXT)"
            )
            # Asked anew: another program may have migrated while this one waited for its turn.
            for migration in _missing(connection, known):
                for statement in _statements(migration.sql):
                    connection.execute(statement)
                record = (migration.number, migration.name, migration.digest)
                connection.execute("INSERT INTO schema_migrations VALUES (?, ?, ?)", record)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return known[-1].number


def _missing(connection: sqlite3.Connection, known: Sequence[Migration]) -> list[Migration]:
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    if "schema_migrations" not in tables:
        if tables:
            raise StoreError(
                f"the database holds tables that moderator did not make: {', '.join(sorted(tables)[:3])}",
                hint="choose another with --store sqlite:///path",
            )
        return list(known)
    done = dict(connection.execute("SELECT number, digest FROM schema_migrations"))
    if done and max(done) > known[-1].number:
        raise StoreError(
            f"the store has schema {max(done)}, this moderator knows {known[-1].number} at most",
            hint="upgrade moderator",
        )
    for migration in known:
        if done.get(migration.number, migration.digest) != migration.digest:
            raise StoreError(f"migration {migration.number} of the store is not the one this moderator ships")
    return [migration for migration in known if migration.number not in done]


def _statements(sql: str) -> Iterator[str]:
    """Cuts a script whose statements end at line ends (`executescript` would commit before it begins)."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
