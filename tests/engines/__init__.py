"""Real MySQL, MariaDB and OceanBase servers for tests: one of each per pytest run, or one of a test's own.

`MYSQL.server()` is shared by the whole run; `with MYSQL.private() as server` may be stopped and killed; the
fixtures of `tests.engines.fixtures` hand each test the URL of an empty database.
"""

from __future__ import annotations

from tests.engines.mariadb import MariaDB
from tests.engines.mysql import MySQL
from tests.engines.oceanbase import OceanBase
from tests.engines.servers import Engine, OwnServer, Server

__all__ = ["ENGINES", "MARIADB", "MYSQL", "OCEANBASE", "Engine", "OwnServer", "Server"]

MYSQL = MySQL()
MARIADB = MariaDB()
OCEANBASE = OceanBase(client=MARIADB)
ENGINES: tuple[Engine, ...] = (MYSQL, MARIADB, OCEANBASE)
