"""`moderator db` on a real MySQL server, and what is asked on a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from moderator.stores.address import PASSWORD_VARIABLE
from tests.cli.conftest import Run
from tests.engines import MYSQL
from tests.engines.fixtures import mysql_url
from tests.scanning import picture

__all__ = ["mysql_url"]
SECRET = "s3ntinel"


def _at_a_terminal() -> None:
    """Gives the program the terminal, and the interrupt, which a suite that runs in the background ignores."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A command on a pseudo-terminal of its own, which a test reads and types on."""

    def __init__(self, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moderator", *arguments],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=_at_a_terminal,  # noqa: PLW1509 - and nothing else
            env={name: value for name, value in os.environ.items() if name != PASSWORD_VARIABLE},
        )  # fmt: skip
        os.close(slave)
        self.shown = ""

    def reads(self, words: str) -> None:
        """Waits until these words are on the screen."""
        deadline = time.monotonic() + 60
        while words not in self.shown:
            if not self._more(deadline - time.monotonic()):
                pytest.fail(f"`{words}` is not said; this is: {self.shown}")

    def _more(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], max(0.0, seconds))[0]:
            return False
        try:
            said = os.read(self._master, 4096)
        except OSError:  # EIO: the other side has closed
            return False
        self.shown += said.decode(errors="replace")
        return bool(said)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def ends(self, key: str = "") -> int:
        """Reads the rest and returns the exit code; presses a key until it ends, as an interrupt just before
        a program begins to read is heeded with the next one only."""
        for _ in range(60):
            os.write(self._master, key.encode())
            while self._more(1.0):
                pass
            with suppress(subprocess.TimeoutExpired):
                code = self._process.wait(1)
                while self._more(0.0):  # what it said at last
                    pass
                return code
        pytest.fail(f"it does not end; this is: {self.shown}")

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._master)


@pytest.fixture
def locked() -> Iterator[str]:
    """The URL of an empty database, by a user who has a password."""
    server = MYSQL.server()
    with server.database() as name:
        server.execute_each([f"CREATE USER {name} IDENTIFIED BY '{SECRET}'", f"GRANT ALL ON {name}.* TO {name}"])
        yield server.url(name).replace("//root@", f"//{name}@")
        server.execute(f"DROP USER {name}")


@pytest.fixture
def terminal() -> Iterator[type[Terminal]]:
    opened: list[Terminal] = []

    class Kept(Terminal):
        def __init__(self, *arguments: str) -> None:
            super().__init__(*arguments)
            opened.append(self)

    yield Kept
    for one in opened:
        one.close()


def test_init_makes_the_database_and_its_tables_and_loses_nothing_a_second_time(
    run: Run, policy_file: Path, uploads: Path
) -> None:
    server = MYSQL.server()
    with server.database() as name:
        server.execute(f"DROP DATABASE {name}")
        store = ("--store", server.url(name))
        assert "schema             2" in run("db", "init", *store).out
        assert run("scan", uploads, *store).code in (0, 1)
        ran = run("db", "init", *store)
        assert (ran.code, "images             3" in ran.out) == (0, True)


def test_status_names_engine_and_counts_and_never_makes_a_table(run: Run, policy_file: Path, mysql_url: str) -> None:
    ran = run("db", "status", "--store", mysql_url)
    assert (ran.code, "`moderator db upgrade`" in ran.err) == (3, True)
    assert "schema 2" in run("db", "upgrade", "--store", mysql_url).out
    ran = run("db", "status", "--store", mysql_url)
    assert "MySQL" in ran.out
    assert "images             0" in ran.out


def test_a_store_that_is_damaged_fails_its_check(run: Run, policy_file: Path, uploads: Path, mysql_url: str) -> None:
    store = ("--store", mysql_url)
    run("scan", uploads, *store)
    assert run("db", "check", *store).code == 0
    database = mysql_url.partition("?")[0].rpartition("/")[2]
    MYSQL.server().execute("UPDATE embeddings SET embedding = STRING_TO_VECTOR('[3, 4]') LIMIT 1", (), database)
    ran = run("db", "check", *store)
    assert (ran.code, "1 not of 13 numbers" in ran.out) == (3, True)


def test_purge_removes_what_nothing_refers_to_unasked_and_everything_only_when_told_so(
    run: Run, policy_file: Path, uploads: Path, mysql_url: str
) -> None:
    store = ("--store", mysql_url)
    run("scan", uploads, *store)
    (uploads / "alike.png").unlink()
    run("scan", uploads, *store)
    assert "1 content removed" in run("db", "purge", *store).out
    refused = run("db", "purge", "--everything", *store)
    assert (refused.code, "--yes does it unasked" in refused.err) == (2, True)
    assert "images             2" in run("db", "status", *store).out
    assert "2 contents removed" in run("db", "purge", "--everything", "--yes", *store).out
    assert "images             0" in run("db", "status", *store).out


def test_purge_forgets_the_pictures_below_a_path_and_those_whose_files_are_gone_and_no_other(
    run: Run, policy_file: Path, uploads: Path
) -> None:
    odd = os.fsdecode(b"caf\xe9.png")  # a name that is no UTF-8 is stored escaped, and its file is there
    shutil.copy(uploads / "first.png", uploads / odd)
    shutil.copytree(uploads, "older")
    run("scan", uploads, "older")
    assert "4 pictures forgotten" in run("db", "purge", "--pictures", "older", "--yes").out
    assert "1 picture forgotten" in run("db", "purge", "--pictures", uploads / "larger.png", "--yes").out
    refused = run("db", "purge", "--pictures", uploads)
    assert (refused.code, "--yes does it unasked" in refused.err) == (2, True)
    (uploads / "alike.png").unlink()
    ran = run("db", "purge", "--gone", "--yes").out
    assert "1 picture forgotten\n1 content removed" in ran
    assert "images             2" in run("db", "status").out
    assert (uploads / odd).exists()


@pytest.mark.parametrize("named", [("--set", "baned"), ("--pictures", "uplaods")])
def test_purge_says_when_nothing_of_what_is_named_is_there(
    run: Run, policy_file: Path, uploads: Path, named: tuple[str, str]
) -> None:
    run("scan", uploads)
    ran = run("db", "purge", *named, "--yes")
    assert (ran.code, named[1] in ran.err) == (2, True)
    assert "images             3" in run("db", "status").out


def test_a_password_that_is_wanted_is_asked_on_the_terminal_and_not_shown(
    terminal: type[Terminal], locked: str
) -> None:
    screen = terminal("db", "init", "--store", locked)
    screen.reads("wants a password for the user")
    screen.type(f"{SECRET}\n")
    assert screen.ends() == 0
    assert "schema" in screen.shown
    assert SECRET not in screen.shown


def test_a_wrong_password_is_not_asked_for_again(terminal: type[Terminal], locked: str) -> None:
    screen = terminal("db", "status", "--store", locked)
    screen.reads("wants a password for the user")
    screen.type("mistyped\n")
    assert screen.ends() == 3
    assert "Access denied" in screen.shown
    assert screen.shown.count("wants a password") == 1


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["ctrl-c", "ctrl-d"])
def test_a_question_for_a_password_that_is_not_answered_ends_with_what_to_do_and_no_traceback(
    terminal: type[Terminal], locked: str, key: str
) -> None:
    screen = terminal("db", "status", "--store", locked)
    screen.reads("wants a password for the user")
    assert screen.ends(key) == 3
    assert "Traceback" not in screen.shown
    assert f"set {PASSWORD_VARIABLE}" in screen.shown


@pytest.mark.usefixtures("policy_file")
@pytest.mark.parametrize(("answer", "said", "left"), [("n", "nothing was removed", "1"), ("y", "1 content", "0")])
def test_purging_everything_is_asked_about_on_the_terminal(
    run: Run, mysql_url: str, terminal: type[Terminal], answer: str, said: str, left: str
) -> None:
    run("scan", picture(Path("first.png")), "--store", mysql_url)
    Path("policy.yaml").unlink()  # whose embedder only this process knows
    screen = terminal("db", "purge", "--everything", "--store", mysql_url)
    screen.reads("Remove everything from")
    screen.type(f"{answer}\n")
    assert screen.ends() == 0
    assert said in screen.shown
    assert f"images             {left}" in run("db", "status", "--store", mysql_url).out
