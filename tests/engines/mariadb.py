"""MariaDB 11.8 or newer."""

from __future__ import annotations

import os
from pathlib import Path

from tests.engines.mysql import listening
from tests.engines.packages import Root, on_path, unpacked
from tests.engines.servers import Engine, first_data


class MariaDB(Engine):
    """`mariadbd`: of PATH, of the image mariadb:11.8, or Debian's mariadb-server-core."""

    name = "mariadb"
    title = "MariaDB 11.8"

    def find_root(self) -> Root:
        return on_path("mariadbd", (11, 8)) or unpacked(
            "mariadb", "mariadb:11.8", ["mariadb-server-core", "mariadb-client-core"]
        )

    def _mariadbd(self) -> list[str]:
        command = [*self.root.program("mariadbd"), "--no-defaults", *(["--user=root"] if os.getuid() == 0 else [])]
        if not self.root.loader:
            return command
        share = self._share()
        return [
            *command, f"--basedir={self.root.usr}", f"--lc-messages-dir={share}",
            f"--character-sets-dir={share / 'charsets'}",
        ]  # fmt: skip

    def _share(self) -> Path:
        return self.root.find("share/*/mariadb_system_tables.sql").parent

    def prepare(self, folder: Path) -> None:
        # What the script mariadb-install-db feeds to the server, with passwordless root@localhost.
        scripts = ("mariadb_system_tables", "mariadb_performance_tables", "mariadb_system_tables_data")
        first = "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = NULL, @skip_auth_anonymous = 1;\n"
        sql = first + "\n".join((self._share() / f"{name}.sql").read_text() for name in scripts)
        first_data(self.root, "data", [*self._mariadbd(), "--bootstrap", *_SMALL], folder, sql)

    def command(self, folder: Path, port: int) -> list[str]:
        return [*self._mariadbd(), f"--datadir={folder / 'data'}", *_SMALL, *listening(self, folder, port)]

    def client_command(self) -> list[str]:
        return [*self.root.program("mariadb"), "--no-defaults"]


_SMALL = ["--innodb-log-file-size=32M", "--innodb-flush-log-at-trx-commit=2", "--secure-file-priv="]
"""As for MySQL: little disk, and what is committed survives kill -9."""
