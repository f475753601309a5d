"""Makes the engines' fixtures known to the tests of this folder."""

from __future__ import annotations

from tests.engines.fixtures import database_url, engine, migrated, mysql_url, own_mysql, url

__all__ = ["database_url", "engine", "migrated", "mysql_url", "own_mysql", "url"]
