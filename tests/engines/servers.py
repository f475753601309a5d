"""Starts, shares, breaks and stops database servers."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, ClassVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pymysql
import pytest

from tests.engines import packages
from tests.engines.certificates import make_certificates
from tests.engines.packages import Root, Unobtainable

START_SECONDS = 60.0
"""The longest a server may take until it answers; one to two seconds are usual."""
_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", secrets.token_hex(16))[:12]
"""Names this pytest run; all xdist workers of one run have the same."""


class Server:
    """A database server that answers at an address."""

    def __init__(self, engine: Engine, url: str) -> None:
        self.engine = engine
        parts = urlsplit(url)
        self.user, self.password = unquote(parts.username or "root"), unquote(parts.password or "")
        self.host, self.port = parts.hostname or "localhost", parts.port or 0
        self.socket = parse_qs(parts.query).get("unix_socket", [""])[0]

    def url(self, database: str = "") -> str:
        """Returns `mysql://user@host/database?unix_socket=path`, or with a port where there is no socket."""
        user = quote(self.user, safe="") + (f":{quote(self.password, safe='')}" if self.password else "")
        if self.socket:
            return f"{self.engine.name}://{user}@{self.host}/{database}?unix_socket={quote(self.socket)}"
        return f"{self.engine.name}://{user}@{self.host}:{self.port or 3306}/{database}"

    def connect(self, database: str = "", **options: Any) -> pymysql.connections.Connection[Any]:
        """Opens a connection; the options are PyMySQL's and replace these. Raises: pymysql.MySQLError."""
        where = {"unix_socket": self.socket} if self.socket else {"host": self.host, "port": self.port or 3306}
        asked = {"user": self.user, "password": self.password, "autocommit": True, "charset": "utf8mb4"}
        limits = {"connect_timeout": 10, "read_timeout": 60, "write_timeout": 60}
        return pymysql.connect(**{**where, **asked, **limits, "database": database or None, **options})

    def execute(self, sql: str, values: Sequence[Any] = (), database: str = "") -> tuple[tuple[Any, ...], ...]:
        """Runs one statement on a connection of its own and returns its rows."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, tuple(values) or None)
                return tuple(cursor.fetchall())
        finally:
            connection.close()

    def execute_each(self, statements: Sequence[str], database: str = "") -> None:
        """Runs statements in turn on one connection."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        finally:
            connection.close()

    def client(self, sql: str, database: str = "") -> str:
        """Runs the engine's own command-line client and returns its rows, tab-separated, names first.

        Raises:
            subprocess.CalledProcessError: the client failed; `stderr` has the server's words.
        """
        where = [f"--socket={self.socket}"] if self.socket else [f"--host={self.host}", f"--port={self.port or 3306}"]
        done = subprocess.run(
            [*self.engine.client_command(), "--batch", "--default-character-set=utf8mb4", f"--user={self.user}",
             *where, *([database] if database else [])],
            input=sql, text=True, capture_output=True, check=True, timeout=300,
            env={**os.environ, "MYSQL_PWD": self.password},
        )  # fmt: skip
        return done.stdout

    @contextmanager
    def database(self) -> Iterator[str]:
        """Makes an empty database, yields its name, and drops it even if a connection still holds its tables."""
        name = self.create()
        try:
            yield name
        finally:
            self.drop(name)

    def create(self) -> str:
        """Makes an empty database and returns its name."""
        name = f"moderator_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} DEFAULT CHARACTER SET utf8mb4")
        return name

    def drop(self, name: str) -> None:
        """Drops a database, with the connections that hold its tables; where the test killed the server, it is gone."""
        if not self.answers():
            return
        for (session,) in self.execute("SELECT id FROM information_schema.processlist WHERE db = %s", [name]):
            try:
                self.execute(f"KILL {session}")
            except pymysql.MySQLError:  # it went by itself
                continue
        self.execute(f"DROP DATABASE IF EXISTS {name}")

    def answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except pymysql.MySQLError:
            return False
        return True


class OwnServer(Server):
    """A server process of this machine in a folder of its own, under a watchdog, that a test may break and mend."""

    def __init__(self, engine: Engine, folder: Path, options: Sequence[str] = ()) -> None:
        super().__init__(engine, f"mysql://root@localhost/?unix_socket={engine.socket(folder)}")
        self.folder = folder
        self.options = options
        self.certificates = folder / "tls"
        self._users = folder.with_suffix(".users")
        self._lock: IO[str] | None = None
        self._watchdogs: list[subprocess.Popen[bytes]] = []
        self._process = -1

    @property
    def ca(self) -> Path:
        """The authority of the server's certificate, which is good for `localhost` and not for 127.0.0.1."""
        return self.certificates / "ca.pem"

    @property
    def pid(self) -> int:
        return int((self.folder / "pid").read_text())

    def share(self) -> None:
        """Starts the server if no other process of this run has, and keeps it until this process ends."""
        with packages.locked(_folder(f"{self.engine.name}.lock")):
            self._use()
            if (self.folder / "ready").is_file():
                self.port = int((self.folder / "ready").read_text())
            else:
                _sweep(self.folder.parent)
                self.start()

    def _use(self) -> None:
        while self._lock is None:
            lock = self._users.open("a")
            fcntl.flock(lock, fcntl.LOCK_SH)
            if self._users.exists() and self._users.stat().st_ino == os.fstat(lock.fileno()).st_ino:
                self._lock = lock
            else:  # a watchdog has just cleaned up and taken the file away
                lock.close()

    def start(self) -> None:
        """Starts the server, at first with a new data folder, and waits until it answers."""
        self._use()
        if not self.folder.is_dir():
            self.folder.mkdir()
            make_certificates(self.certificates)
            self.engine.prepare(self.folder)
        for _ in range(3):  # another program may take the free port first
            if self._launch():
                (self.folder / "ready").write_text(str(self.port))
                return
        log = (self.folder / "server.log").read_text(errors="replace")[-2000:]
        pytest.fail(f"{self.engine.title} does not start; it says:\n{log}", pytrace=False)

    def _launch(self) -> bool:
        self.port = self.port or _free_port()
        for stale in (self.folder / "pid", Path(self.socket), Path(f"{self.socket}.lock")):
            stale.unlink(missing_ok=True)
        task = {
            "users": str(self._users),
            "hold": str(self.engine.hold(self.folder)),
            "folder": str(self.folder),
            "command": [*self.engine.command(self.folder, self.port), *self.options],
        }
        script = str(Path(__file__).with_name("watchdog.py"))
        watchdog = subprocess.Popen(
            [sys.executable, "-I", script, json.dumps(task)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, **self.engine.environment},
        )  # fmt: skip
        self._watchdogs.append(watchdog)
        deadline = time.monotonic() + START_SECONDS
        while not (self.folder / "pid").is_file() and watchdog.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if not (self.folder / "pid").is_file():
            return False
        self._forget()
        self._process = os.pidfd_open(self.pid)
        while time.monotonic() < deadline and not self._ended(0):
            if Path(self.socket).exists() and self.answers():
                return True
            time.sleep(0.02)
        self.kill9()
        self.port = 0
        return False

    def _ended(self, seconds: float) -> bool:
        return bool(select.select([self._process], [], [], seconds)[0])

    def _signal(self, number: signal.Signals) -> None:
        signal.pidfd_send_signal(self._process, number)

    def kill9(self) -> None:
        """Kills the server as a power cut would, and waits until it is gone."""
        if not self._ended(0):
            self._signal(signal.SIGKILL)
        if not self._ended(30):
            pytest.fail(f"{self.engine.title} survives SIGKILL", pytrace=False)

    def sigstop(self) -> None:
        """Makes the server hang: it keeps its connections and answers nobody."""
        self._signal(signal.SIGSTOP)

    def sigcont(self) -> None:
        """Lets a hanging server go on."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Kills the server if it runs and starts it on the same data, socket and port."""
        self.kill9()
        if not self._launch():
            pytest.fail(f"{self.engine.title} does not start again", pytrace=False)

    def stop(self) -> None:
        """Ends the server and removes its folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        for watchdog in self._watchdogs:
            watchdog.wait(30)
        self._watchdogs.clear()
        self._forget()

    def _forget(self) -> None:
        if self._process >= 0:
            os.close(self._process)
            self._process = -1


class Engine(ABC):
    """A kind of database server: how its programs are found and what starts them."""

    name: str
    title: str
    environment: ClassVar[Mapping[str, str]] = {}
    """Variables for the server."""

    def __init__(self) -> None:
        self._shared: Server | None = None
        self._root: Root | None = None

    @property
    def variable(self) -> str:
        """The environment variable with the URL of a server to be used instead of an own one."""
        return f"MODERATOR_TEST_{self.name.upper()}_URL"

    @property
    def root(self) -> Root:
        """The tree with the engine's programs; the test fails with one sentence where none can be had."""
        if self._root is None:
            try:
                self._root = self.find_root()
            except Unobtainable as reason:
                pytest.fail(
                    f"{self.title} cannot be had on this machine ({reason}); "
                    f"set {self.variable} to the URL of a server, such as mysql://root@127.0.0.1:3306/",
                    pytrace=False,
                )
        return self._root

    def server(self) -> Server:
        """Returns the one server that all tests of a pytest run share, in every xdist worker."""
        if self._shared is None:
            if url := os.environ.get(self.variable):
                self._shared = Server(self, url)
                if not self._shared.answers():
                    pytest.fail(f"{self.variable} is set, but no server answers there", pytrace=False)
            else:
                own = OwnServer(self, _folder(f"{_RUN}-{self.name}"))
                own.share()
                self._shared = own
        return self._shared

    @contextmanager
    def private(self, *options: str) -> Iterator[OwnServer]:
        """Starts a server for one test alone, with options of its own, and ends it afterwards."""
        server = OwnServer(self, _folder(f"{secrets.token_hex(6)}-{self.name}"), options)
        try:
            server.start()
            yield server
        finally:
            server.stop()

    @abstractmethod
    def find_root(self) -> Root:
        """Finds or fetches the programs. Raises: Unobtainable."""

    @abstractmethod
    def prepare(self, folder: Path) -> None:
        """Puts a first data folder into a server's folder."""

    @abstractmethod
    def command(self, folder: Path, port: int) -> list[str]:
        """Returns the command line of the server."""

    @abstractmethod
    def client_command(self) -> list[str]:
        """Returns the beginning of the command line of the client."""

    def socket(self, folder: Path) -> Path:
        """Returns the path at which the server listens."""
        return folder / "sock"

    def hold(self, folder: Path) -> Path:
        """Returns a file on which the server wants a shared lock as long as it is needed."""
        return folder / "server.log"


def first_data(root: Root, name: str, initialise: list[str], folder: Path, script: str | None = None) -> None:
    """Copies a data folder that the engine initialises once for its tree; initialising takes five times as long."""
    made = root.home / name
    with packages.locked(root.home / "data.lock"):
        if not made.is_dir():
            part = made.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            done = subprocess.run(
                [*initialise, f"--datadir={part}"], input=script, capture_output=True, text=True, check=False
            )
            if done.returncode:
                pytest.fail(f"{initialise[0]} cannot initialise:\n{done.stderr[-2000:]}", pytrace=False)
            part.rename(made)
    shutil.copytree(made, folder / "data")


def _folder(name: str) -> Path:
    parent = Path(tempfile.gettempdir()) / f"moderator-engines-{os.getuid()}"
    parent.mkdir(mode=0o700, exist_ok=True)
    return parent / name


def _sweep(parent: Path) -> None:
    """Removes the folders of processes that were killed before they had a watchdog."""
    for users in parent.glob("*.users"):
        with users.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # in use
            shutil.rmtree(users.with_suffix(""), ignore_errors=True)
            users.unlink(missing_ok=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
