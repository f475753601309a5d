"""One connection to a database that reconnects by itself, and repeats what was cut off."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from moderator.errors import StoreError
from moderator.stores.dialects import Dialect

T = TypeVar("T")
Row = tuple[Any, ...]
VARIABLES = 500
"""Values in one IN list; SQLite takes 32,766, older ones 999."""
PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds before the first and any later attempt to reconnect; each pause is twice the last, and blurred."""


class Driver(Protocol):
    """How one library reaches its database."""

    @property
    def patience(self) -> float:
        """Seconds after a failure in which a statement or transaction is tried anew."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the library raises."""

    def connect(self) -> Any:
        """Opens a connection in autocommit mode. Raises: one of `errors`, StoreError."""

    def passes(self, error: Exception) -> bool:
        """Whether another attempt, on a new connection, may succeed."""

    def translated(self, error: Exception) -> StoreError:
        """Says an error of the library in moderator's words."""


class Cursor:
    """Runs statements inside one transaction, or one by one."""

    def __init__(self, dialect: Dialect, cursor: Any) -> None:
        self.dialect = dialect
        self._cursor = cursor

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Runs a statement and returns its rows."""
        self.run(sql, values)
        return list(self._cursor.fetchall())

    def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Runs a statement and returns how many rows it changed."""
        if values:
            self._cursor.execute(self.dialect.sql(sql), tuple(values))
        else:
            self._cursor.execute(sql)
        return int(self._cursor.rowcount)

    def each(self, sql: str, values: Sequence[Any], *before: Any) -> list[Row]:
        """Runs a query, whose `{}` becomes an IN list, over any number of values; those `before` come first."""
        return [row for some in chunks(values) for row in self.rows(sql.format(marks(some)), (*before, *some))]

    def run_each(self, sql: str, values: Sequence[Any], *before: Any) -> int:
        """Runs a change as `each` runs a query, and returns how many rows it changed."""
        return sum(self.run(sql.format(marks(some)), (*before, *some)) for some in chunks(values))

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Runs an INSERT for all rows at once."""
        if rows:
            self._cursor.executemany(self.dialect.sql(sql), [tuple(row) for row in rows])

    @property
    def last_id(self) -> int:
        """The id of the row inserted last."""
        return int(self._cursor.lastrowid)


def chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Cuts values into IN lists."""
    for start in range(0, len(values), VARIABLES):
        yield values[start : start + VARIABLES]


def marks(values: Sequence[Any]) -> str:
    """Returns the places of an IN list."""
    return ", ".join("?" * len(values))


class Session:
    """A database that is asked statement by statement, or transaction by transaction.

    Where the connection is lost, a lock is broken or the server restarts, the statement or the whole transaction is
    repeated on a new connection, until the driver's patience ends. The outcome of a COMMIT that was cut off is not
    known, so a transaction must change nothing when it is run a second time.
    """

    def __init__(self, driver: Driver, dialect: Dialect, connection: Any | None) -> None:
        self.dialect = dialect
        self._driver = driver
        self._connection: Any = connection

    def close(self) -> None:
        self._drop()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Runs one statement and returns its rows. Raises: StoreError."""
        return self._until_done(lambda connection: self._cursor(connection).rows(sql, values))

    def each(self, sql: str, values: Sequence[Any], *before: Any) -> list[Row]:
        """Runs a query over any number of values, as `Cursor.each`. Raises: StoreError."""
        return self._until_done(lambda connection: self._cursor(connection).each(sql, values, *before))

    def transact(self, work: Callable[[Cursor], T]) -> T:
        """Runs `work` in a transaction, again where it was cut off, and returns what it says. Raises: StoreError."""

        def once(connection: Any) -> T:
            cursor = self._cursor(connection)
            cursor.run(self.dialect.begin)
            result = work(cursor)
            cursor.run("COMMIT")
            return result

        return self._until_done(once)

    def alone(self, work: Callable[[Cursor], T]) -> T:
        """Runs `work` on one connection, statement by statement, again where it was cut off. Raises: StoreError."""
        return self._until_done(lambda connection: work(self._cursor(connection)))

    def _cursor(self, connection: Any) -> Cursor:
        return Cursor(self.dialect, connection.cursor())

    def _until_done(self, act: Callable[[Any], T]) -> T:
        deadline, pause = 0.0, PAUSE
        while True:
            try:
                if self._connection is None:
                    self._connection = self._driver.connect()
                return act(self._connection)
            except self._driver.errors as error:
                self._drop()  # and with it whatever the transaction had begun
                now = time.monotonic()
                deadline = deadline or now + self._driver.patience
                if not self._driver.passes(error) or now + pause > deadline:
                    raise self._driver.translated(error) from error
            except BaseException:
                self._drop()
                raise
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that two that collide do not do so again
            pause = min(2 * pause, LONGEST_PAUSE)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except self._driver.errors:
                return  # it was lost already
