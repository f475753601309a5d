"""The SQL store, on SQLite or a database server.

Every write is one transaction that may be repeated, so a scan that was killed, or whose server was, is started again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

from moderator.models import ModelId
from moderator.stores import address, connect, functions, sqlite
from moderator.stores.dialects import SERVERS, SQLITE
from moderator.stores.migrations import migrate
from moderator.stores.nearest import Nearest
from moderator.stores.pictures import Pictures
from moderator.stores.results import Results
from moderator.stores.session import Session

COUNTED = ("images", "contents", "embeddings", "reference_entries", "scans")


class SqlStore(Pictures, Nearest, Results):
    """A store in one SQLite file, or in one database of MySQL, MariaDB, OceanBase or TiDB."""

    schemes = (SQLITE.name, *(dialect.name for dialect in SERVERS))

    def __init__(self, session: Session, url: str, engine: str) -> None:
        self._session = session
        self._url = url
        self._engine = engine
        self._models: dict[ModelId, int] = {}
        self._opened = datetime.now(UTC).isoformat(timespec="microseconds")
        self.approximates = bool(session.dialect.index)

    @classmethod
    def checked(cls, url: str) -> str:
        if url.partition(":")[0] != SQLITE.name:
            return address.parse(url).shown
        sqlite.path_of(url)
        return url

    @classmethod
    def open(cls, url: str) -> SqlStore:
        store = cls.unmigrated(url)
        try:
            migrate(store._session, store.url)
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def unmigrated(cls, url: str, timeout: float = 0.0) -> SqlStore:
        """Opens the store at `url` as it is, to wait for each answer at least `timeout` seconds.

        Raises: ArgumentError, StoreError.
        """
        if url.partition(":")[0] == SQLITE.name:
            file = sqlite.SqliteDriver(sqlite.path_of(url))
            return cls(Session(file, SQLITE, None), url, f"{SQLITE.title} {sqlite.version()}")
        where = address.parse(url).with_credentials()
        driver = connect.ServerDriver(replace(where, timeout=max(timeout, where.timeout)))
        dialect, version, connection = connect.greet(driver)
        return cls(Session(driver, dialect, connection), where.shown, f"{dialect.title} {version}")

    @classmethod
    def create(cls, url: str) -> None:
        """Makes the database that `url` names, if its server has none of that name, and brings it to the newest schema.

        Raises: ArgumentError, StoreError.
        """
        if url.partition(":")[0] != SQLITE.name:
            where = address.parse(url).with_credentials()
            driver = connect.ServerDriver(where, database="")
            dialect, _, connection = connect.greet(driver)
            with closing(Session(driver, dialect, connection)) as session:
                session.rows(f"CREATE DATABASE IF NOT EXISTS `{where.database}` DEFAULT CHARACTER SET utf8mb4")
        cls.open(url).close()

    @property
    def session(self) -> Session:
        """The connection, for what is done to a store and not to pictures: `stores.upkeep`."""
        return self._session

    @property
    def url(self) -> str:
        return self._url

    def close(self) -> None:
        self._session.close()

    def install_functions(self) -> list[str]:
        """Installs the functions of sql/<dialect>/functions.sql and returns their names. Raises: StoreError."""
        return functions.install(self._session)

    def status(self) -> Mapping[str, str]:
        counts = {name: f"{self._session.rows(f'SELECT COUNT(*) FROM {name}')[0][0]:,}" for name in COUNTED}
        ((schema,),) = self._session.rows("SELECT MAX(number) FROM schema_migrations")
        whole = {}
        if self._session.dialect is SQLITE:
            whole["integrity"] = self._session.rows("PRAGMA quick_check(1)")[0][0]
        return {"engine": self._engine, "schema": str(schema), **whole, **counts}
