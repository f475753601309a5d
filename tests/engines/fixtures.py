"""Fixtures: each test gets an empty database on a shared server, dropped afterwards, or a server of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines import ENGINES, MARIADB, MYSQL, OCEANBASE, Engine, OwnServer

__all__ = ["database_url", "engine", "mariadb_url", "mysql_url", "oceanbase_url", "own_mysql"]


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of the three engines in turn."""
    found: Engine = request.param
    return found


def _empty_database(engine: Engine) -> Iterator[str]:
    server = engine.server()
    with server.database() as name:
        yield server.url(name)


@pytest.fixture
def database_url(engine: Engine) -> Iterator[str]:
    """The URL of an empty database, on each of the three engines in turn."""
    yield from _empty_database(engine)


@pytest.fixture
def mysql_url() -> Iterator[str]:
    """The URL of an empty MySQL database."""
    yield from _empty_database(MYSQL)


@pytest.fixture
def mariadb_url() -> Iterator[str]:
    """The URL of an empty MariaDB database."""
    yield from _empty_database(MARIADB)


@pytest.fixture
def oceanbase_url() -> Iterator[str]:
    """The URL of an empty OceanBase database."""
    yield from _empty_database(OCEANBASE)


@pytest.fixture
def own_mysql() -> Iterator[OwnServer]:
    """A MySQL server of the test's own, to be stopped and killed."""
    with MYSQL.private() as server:
        yield server
