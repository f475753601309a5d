"""The store keeps the contract on real MySQL, MariaDB and OceanBase servers."""

from __future__ import annotations

import pytest

from moderator.stores.sql import SqlStore
from tests.engines import Engine
from tests.engines.fixtures import database_url, engine, migrated, mysql_url, own_mysql, url
from tests.stores.contract import Execute, StoreContract

__all__ = ["database_url", "engine", "migrated", "mysql_url", "own_mysql", "url"]


@pytest.fixture
def execute(engine: Engine, url: str, migrated: dict[str, str]) -> Execute:
    def run(statement: str) -> None:
        engine.server().execute(statement, (), migrated[engine.name])

    return run


class TestSqlStore(StoreContract):
    store_class = SqlStore
    nowhere = "mysql://ann@localhost:1/shop?plaintext=1&option_file=/nowhere/my.cnf"
    malformed = "mysql://ann@localhost:1"
