"""Makes the engines' fixtures known to the tests of this folder."""

from __future__ import annotations

from tests.engines.fixtures import database_url, engine, mariadb_url, mysql_url, oceanbase_url, own_mysql

__all__ = ["database_url", "engine", "mariadb_url", "mysql_url", "oceanbase_url", "own_mysql"]
