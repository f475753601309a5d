"""Whatever fails between a command and its store, no output holds the password."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from moderator.stores.address import PASSWORD_VARIABLE
from tests.cli.conftest import Ran, Run
from tests.engines import MYSQL, OwnServer
from tests.scanning import POLICY

SENTINEL = "s3ntinel/of:a@pass#word"
PARTS = ("s3ntinel", "pass#word", "pass%23word")
COMMANDS = (
    ("scan", "uploads", "--format", "json"),
    ("scan", "uploads", "--output", "report.json", "--format", "json"),
    ("search", "uploads/first.png"),
    ("search", "uploads/first.png", "--show-sql"),
    ("references", "add", "banned", "uploads"),
    ("references", "list"),
    ("plan", "uploads"),
    ("decisions", "list"),
    ("doctor",),
    ("db", "init"),
    ("db", "status"),
    ("db", "check"),
    ("db", "upgrade"),
    ("db", "purge", "--everything", "--yes"),
)


FAILURES = {
    "Access denied": "localhost/{user}?unix_socket={server.socket}",
    "Connection refused": "127.0.0.1:1/{user}?plaintext=1",
    "CERTIFICATE_VERIFY_FAILED": "localhost:{server.port}/{user}",
    "cannot read certificates": "localhost:{server.port}/{user}?ssl_ca=nowhere.pem",
    "'nobodys'": "localhost/nobodys?unix_socket={server.socket}",
    "cannot read the store's URL": "localhost:x/{user}",
    "unknown in the store's URL": "localhost/{user}?password=x",
    "without TLS": "db.example/{user}?plaintext=1",
}
"""What follows `mysql://`, the user and the `@` where a store cannot be used, by what is said of it."""


@pytest.fixture(autouse=True)
def wide(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks no line, in which a word could hide."""
    monkeypatch.setenv("COLUMNS", "1000")


@pytest.fixture(scope="module")
def server() -> OwnServer:
    found = MYSQL.server()
    if not isinstance(found, OwnServer):
        pytest.fail("these tests need a server of their own: unset MODERATOR_TEST_MYSQL_URL")
    return found


@pytest.fixture(scope="module")
def user(server: OwnServer) -> Iterator[str]:
    """A user with the sentinel for a password, and rights on one database of that name alone."""
    with server.database() as name:
        server.execute_each([f"CREATE USER {name} IDENTIFIED BY '{SENTINEL}'", f"GRANT ALL ON {name}.* TO {name}"])
        yield name
        server.execute(f"DROP USER {name}")


def told(ran: Ran) -> str:
    """All that a command let out: both outputs, and what it left in the current folder."""
    left = [path.read_text(errors="replace") for path in Path().iterdir() if path.is_file()]
    return "\n".join([ran.out, ran.err, *left])


@pytest.mark.usefixtures("policy_file", "uploads")
@pytest.mark.parametrize("where", ["environment", "URL"])
@pytest.mark.parametrize("words", FAILURES)
def test_no_command_tells_the_password_of_a_store_that_cannot_be_used(
    run: Run, server: OwnServer, user: str, words: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "root" if words == "Access denied" else user
    if where == "environment":
        monkeypatch.setenv(PASSWORD_VARIABLE, SENTINEL)
    else:
        name = f"{name}:{quote(SENTINEL, safe='')}"
    store = f"mysql://{name}@{FAILURES[words].format(server=server, user=user)}"
    for command in COMMANDS:
        ran = run(*command, "--store", store)
        assert ran.code in (2, 3), (command, ran)
        assert words in ran.out + ran.err, (command, ran)
        assert not [part for part in PARTS if part in told(ran)], (command, ran)


@pytest.mark.usefixtures("uploads")
def test_no_command_tells_a_password_that_a_policy_holds_and_each_warns_of_it(
    run: Run, server: OwnServer, user: str
) -> None:
    url = f"mysql://{user}:{quote(SENTINEL, safe='')}@localhost/{user}?unix_socket={server.socket}"
    policy = Path("../secret.yaml")
    policy.write_text(f"{POLICY}store: {url}\n")
    for command in COMMANDS:
        ran = run(*command, "--policy", policy)
        assert ran.code in (0, 1), (command, ran)
        assert "a password in a URL can be read" in ran.err
        assert not [part for part in PARTS if part in told(ran)], (command, ran)
    assert json.loads(Path("report.json").read_text())["store"] == url.replace(f":{quote(SENTINEL, safe='')}", "")
