"""Numbered migrations: append only, each recorded with its digest; a newer database is refused."""

from __future__ import annotations

import hashlib
import re
import sqlite3
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
    """Brings a SQLite database to the newest schema, each migration in one transaction with its record.

    Raises:
        StoreError: the database is newer than this program, or holds tables that moderator did not make.
    """
    known = migrations("sqlite")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (number INTEGER PRIMARY KEY, name TEXT, digest TEXT)"
    )
    done = dict(connection.execute("SELECT number, digest FROM schema_migrations").fetchall())
    newest = known[-1].number
    if done and max(done) > newest:
        raise StoreError(
            f"the store has schema {max(done)}, this moderator knows {newest} at most", hint="upgrade moderator"
        )
    for migration in known:
        if migration.number not in done:
            values = f"({migration.number}, '{migration.name}', '{migration.digest}')"
            record = f"INSERT INTO schema_migrations VALUES {values};"
            connection.executescript(f"BEGIN IMMEDIATE;\n{migration.sql}\n{record}\nCOMMIT;")
        elif done[migration.number] != migration.digest:
            raise StoreError(f"migration {migration.number} of the store is not the one this moderator ships")
    return newest
