"""MySQL Community 9."""

from __future__ import annotations

import os
from pathlib import Path

from tests.engines.packages import Root, on_path, unpacked
from tests.engines.servers import Engine, first_data


class MySQL(Engine):
    """`mysqld` 9 or newer: of PATH, of the image mysql:9, or Debian's mysql-server-core."""

    name = "mysql"
    title = "MySQL 9"

    def find_root(self) -> Root:
        return on_path("mysqld", (9, 0)) or unpacked(
            "mysql", "mysql:9", ["mysql-server-core", "mysql-client-core"]
        )

    def _mysqld(self) -> list[str]:
        command = [*self.root.program("mysqld"), "--no-defaults", *(["--user=root"] if os.getuid() == 0 else [])]
        if not self.root.loader:
            return command  # the system's own knows its folders
        share = self.root.find("share/mysql*/charsets").parent
        return [
            *command, f"--basedir={self.root.usr}", f"--lc-messages-dir={share}",
            f"--character-sets-dir={share / 'charsets'}", f"--plugin-dir={self._plugins()}",
        ]  # fmt: skip

    def _plugins(self) -> Path:
        return self.root.find("lib*/mysql/plugin")

    def prepare(self, folder: Path) -> None:
        first_data(self.root, "data", [*self._mysqld(), "--initialize-insecure", *_SMALL], folder)

    def command(self, folder: Path, port: int) -> list[str]:
        return [*self._mysqld(), f"--datadir={folder / 'data'}", *_SMALL, *listening(self, folder, port)]

    def client_command(self) -> list[str]:
        folder = [f"--plugin-dir={self._plugins()}"] if self.root.loader else []
        return [*self.root.program("mysql"), "--no-defaults", *folder]


_SMALL = [
    "--mysqlx=OFF", "--skip-log-bin", "--performance-schema=OFF", "--innodb-redo-log-capacity=32M",
    "--innodb-flush-log-at-trx-commit=2", "--secure-file-priv=",
]  # fmt: skip
"""A test server's options: little memory and disk. What is committed survives kill -9, though not a power cut."""


def listening(engine: Engine, folder: Path, port: int) -> list[str]:
    """Returns the options of a private socket and of TCP with TLS on loopback, as MySQL and MariaDB share them."""
    tls = folder / "tls"
    return [
        f"--socket={engine.socket(folder)}", f"--port={port}", "--bind-address=127.0.0.1",
        f"--pid-file={folder / 'data' / 'server.pid'}", f"--ssl-ca={tls / 'ca.pem'}",
        f"--ssl-cert={tls / 'server-cert.pem'}", f"--ssl-key={tls / 'server-key.pem'}",
    ]  # fmt: skip
