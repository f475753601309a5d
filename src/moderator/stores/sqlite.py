"""Opens a SQLite database the way results deserve: private, durable, one writer, a clear word when it is busy."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from moderator.errors import ArgumentError, StoreError

PREFIX = "sqlite:///"
BUSY_SECONDS = 30.0
"""How long a writer waits for another one before it gives up."""


def path_of(url: str) -> Path:
    """Returns the file of `sqlite:///relative` or `sqlite:////absolute`. Raises: ArgumentError."""
    if not url.startswith(PREFIX) or url == PREFIX:
        raise ArgumentError(f"not a SQLite URL: {url}", hint="write sqlite:///path, with three slashes")
    return Path(url.removeprefix(PREFIX)).expanduser()


class SqliteDriver:
    """Reaches one SQLite file. SQLite waits for other writers by itself, so nothing is tried twice."""

    patience = 0.0
    errors: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: Path) -> None:
        self._path = path

    def connect(self) -> sqlite3.Connection:
        """Opens or makes the database file, readable by its owner only. Raises: StoreError."""
        connection = None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
            _write_ahead(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")
        except (OSError, sqlite3.Error) as error:
            if connection is not None:
                connection.close()
            raise StoreError(
                f"cannot open the store {self._path}: {error}", hint="choose another with --store sqlite:///path"
            ) from error
        return connection

    def passes(self, error: Exception) -> bool:
        del error
        return False

    def translated(self, error: Exception) -> StoreError:
        """Names the file and the way out."""
        words, hint = str(error), "`moderator doctor` checks it"
        if "locked" in words:
            hint = "another moderator is writing to it; wait for that scan, or use a MySQL store for several at once"
        elif "full" in words:
            hint = "the disk is full; what was committed before is safe, and a new scan goes on from there"
        elif isinstance(error, sqlite3.OperationalError):
            hint = ""
        return StoreError(f"the store {self._path} cannot be used: {words}", hint=hint)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Chooses the write-ahead log. While another program is choosing it too, SQLite fails at once and does not wait
    for it, as it does for a writer."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def version() -> str:
    """The version of the SQLite library."""
    return sqlite3.sqlite_version
