"""Opens a SQLite database the way results deserve: private, durable, one writer, a clear word when it is busy."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from pathlib import Path

from moderator.errors import ArgumentError, StoreError
from moderator.stores.session import Cursor, Session

PREFIX = "sqlite:///"
BUSY_SECONDS = 30.0
"""How long a writer waits for another one before it gives up."""
ATTEMPT_SECONDS = 1.0
"""How long SQLite itself waits in each attempt; from the second one on, it is said that there is a wait."""


def path_of(url: str) -> Path:
    """Returns the file of `sqlite:///relative` or `sqlite:////absolute`. Raises: ArgumentError."""
    if not url.startswith(PREFIX) or url == PREFIX:
        raise ArgumentError(f"not a SQLite URL: {url}", hint="write sqlite:///path, with three slashes")
    return Path(url.removeprefix(PREFIX)).expanduser()


class SqliteDriver:
    """Reaches one SQLite file. What another process keeps from it is tried again, and the wait is told once."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waits_since: float | None = None
        self._told = False

    @property
    def patience(self) -> float:
        return BUSY_SECONDS

    def connect(self) -> sqlite3.Connection:
        """Opens or makes the database file, readable by its owner only. Raises: StoreError, sqlite3.Error if it is
        locked."""
        connection = None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = sqlite3.connect(self._path, timeout=ATTEMPT_SECONDS, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")
        except (OSError, sqlite3.Error) as error:
            if connection is not None:
                connection.close()
            if _is_locked(error):
                raise
            raise StoreError(
                f"cannot open the store {self._path}: {getattr(error, 'strerror', None) or error}",
                hint="choose another with --store sqlite:///path",
            ) from error
        return connection

    def passes(self, error: Exception) -> bool:
        if not _is_locked(error):
            return False
        now = time.monotonic()
        self._waits_since = self._waits_since or now
        if not self._told and now - self._waits_since >= ATTEMPT_SECONDS:
            self._told = True
            logging.getLogger(__name__).warning(
                "another process has the store %s: waiting for it, up to %g s", self._path, BUSY_SECONDS
            )
        return True

    def translated(self, error: Exception) -> StoreError:
        """Names the file and the way out."""
        words, hint = str(error), "`moderator doctor` checks it"
        if _is_locked(error):
            return StoreError(
                f"another process has the store {self._path} and did not let go of it within {BUSY_SECONDS:g} s",
                hint="wait until that is done, such as another scan; on a MySQL store several can run at once",
            )
        if "full" in words:
            hint = "the disk is full; what was committed before is safe, and a new scan goes on from there"
        elif isinstance(error, sqlite3.OperationalError):
            hint = ""
        return StoreError(f"the store {self._path} cannot be used: {words}", hint=hint)


def _is_locked(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def empty_log(session: Session) -> None:
    """Empties the write-ahead log, in which removed bytes would stay. Raises: StoreError while others read from it."""

    def empty(cursor: Cursor) -> None:
        ((busy, *_),) = cursor.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        if busy:
            raise sqlite3.OperationalError("the log is locked")

    session.alone(empty)


def version() -> str:
    """The version of the SQLite library."""
    return sqlite3.sqlite_version
