"""OceanBase's single-node engine, seekdb, out of the wheel `pylibseekdb`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from tests.engines.mariadb import MariaDB
from tests.engines.packages import Root, Unobtainable
from tests.engines.servers import Engine


class OceanBase(Engine):
    """The program `seekdb` that the wheel brings along. It listens on a socket only: no TCP, no TLS."""

    name = "oceanbase"
    title = "OceanBase (seekdb)"
    environment: ClassVar[Mapping[str, str]] = {"TELEMETRY_ENABLED": "false"}
    """Without it seekdb reports machine and version to its maker."""

    def __init__(self, client: MariaDB) -> None:
        super().__init__()
        self._client = client

    def find_root(self) -> Root:
        spec = find_spec("pylibseekdb")  # found, not imported
        if spec is None or spec.origin is None:
            raise Unobtainable("the wheel pylibseekdb is not installed; `pip install pylibseekdb`")
        folder = Path(spec.origin).parent
        return Root(folder, folder)

    def prepare(self, folder: Path) -> None:
        (folder / "data" / "run").mkdir(parents=True)

    def command(self, folder: Path, port: int) -> list[str]:
        return [
            str(self.root.find("seekdb")), f"--base-dir={folder / 'data'}", "--embedded", "--nodaemon",
            "--parameter", "memory_budget=1G", "--parameter", "log_disk_size=2G",
        ]  # fmt: skip

    def client_command(self) -> list[str]:
        return [*self._client.client_command(), "--skip-ssl"]  # the client wants TLS by itself

    def socket(self, folder: Path) -> Path:
        return folder / "data" / "run" / "sql.sock"

    def hold(self, folder: Path) -> Path:
        return folder / "data" / "run" / "seekdb.clients"  # an embedded seekdb ends when nobody locks it
