"""Fixtures: each test gets an empty database on a shared server, or a server of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moderator.stores.sql import SqlStore
from tests.engines import ENGINES, MYSQL, Engine, OwnServer

TABLES = (
    "findings", "scans", "audit_log", "decisions", "reference_entries", "reference_sets", "images", "features",
    "embeddings", "contents", "hashing", "models",
)  # fmt: skip
"""All tables of a store; none refers to one before it."""


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of the three engines in turn."""
    found: Engine = request.param
    return found


@pytest.fixture
def database_url(engine: Engine) -> Iterator[str]:
    """The URL of an empty database without tables, on each of the three engines in turn."""
    server = engine.server()
    with server.database() as name:
        yield server.url(name)


@pytest.fixture(scope="session")
def migrated() -> Iterator[dict[str, str]]:
    """The databases of this process, by engine; making one takes a second."""
    databases: dict[str, str] = {}
    yield databases
    for engine in ENGINES:
        if engine.name in databases:
            engine.server().drop(databases[engine.name])


@pytest.fixture
def url(engine: Engine, migrated: dict[str, str]) -> Iterator[str]:
    """The URL of an empty store, on each of the three engines in turn."""
    server = engine.server()
    if engine.name not in migrated:
        migrated[engine.name] = server.create()
        SqlStore.open(server.url(migrated[engine.name])).close()
    yield server.url(migrated[engine.name])
    server.execute_each([f"DELETE FROM {table}" for table in TABLES], migrated[engine.name])


@pytest.fixture
def mysql_url() -> Iterator[str]:
    """The URL of an empty MySQL database without tables."""
    server = MYSQL.server()
    with server.database() as name:
        yield server.url(name)


@pytest.fixture
def own_mysql() -> Iterator[OwnServer]:
    """A MySQL server of the test's own, to be stopped and killed."""
    with MYSQL.private() as server:
        yield server
