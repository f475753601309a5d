"""A server is reached privately or not at all; a wrong engine, user or database is named with what to do about it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from moderator.errors import ArgumentError, PasswordWanted, StoreError
from moderator.resources import resource
from moderator.stores.address import PASSWORD_VARIABLE, parse
from moderator.stores.connect import ServerDriver
from moderator.stores.dialects import MARIADB, MYSQL, OCEANBASE, TIDB, recognise
from moderator.stores.sql import SqlStore
from tests import engines
from tests.engines import OwnServer
from tests.engines.certificates import make_certificates
from tests.handmade import FLAT, at, entry
from tests.stores.contract import decision, referenced, report, written


@pytest.fixture(scope="module")
def server() -> OwnServer:
    """The shared MySQL, which listens on TCP with TLS."""
    found = engines.MYSQL.server()
    if not isinstance(found, OwnServer):
        pytest.fail("these tests need a server of their own: unset MODERATOR_TEST_MYSQL_URL")
    return found


@pytest.fixture
def database(server: OwnServer) -> Iterator[str]:
    with server.database() as name:
        yield name


def opened(url: str) -> dict[str, str]:
    with SqlStore.open(url) as store:
        return dict(store.status())


def refused(url: str) -> StoreError:
    with pytest.raises(StoreError) as refusal:
        opened(url)
    return refusal.value


# Privacy


def test_a_server_is_trusted_by_its_certificate_and_its_name(server: OwnServer, database: str) -> None:
    assert opened(f"mysql://root@localhost:{server.port}/{database}?ssl_ca={server.ca}")["images"] == "0"


def test_the_connection_is_encrypted(server: OwnServer, database: str) -> None:
    where = parse(f"mysql://root@localhost:{server.port}/{database}?ssl_ca={server.ca}")
    connection = ServerDriver(where).connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
        assert cursor.fetchone()[1]


def test_a_certificate_of_another_authority_is_refused(
    server: OwnServer, database: str, tmp_path: Path
) -> None:
    make_certificates(tmp_path / "other")
    error = refused(f"mysql://root@localhost:{server.port}/{database}?ssl_ca={tmp_path}/other/ca.pem")
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert "?ssl_ca=FILE" in error.hint


def test_a_certificate_that_this_machine_does_not_know_is_refused(server: OwnServer, database: str) -> None:
    assert "CERTIFICATE_VERIFY_FAILED" in str(refused(f"mysql://root@localhost:{server.port}/{database}"))


def test_a_certificate_of_another_name_is_refused(server: OwnServer, database: str) -> None:
    error = refused(f"mysql://root@127.0.0.1:{server.port}/{database}?ssl_ca={server.ca}")
    assert "not valid for '127.0.0.1'" in str(error)


def test_a_server_without_tls_is_refused_before_it_learns_the_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "s3ntinel")
    make_certificates(tmp_path / "tls")
    with engines.MARIADB.private("--skip-ssl") as plain:
        error = refused(f"mariadb://root@localhost:{plain.port}/any?ssl_ca={tmp_path}/tls/ca.pem")
    assert "SSL is required" in str(error)
    assert "?plaintext=1" in error.hint


def test_plaintext_works_on_this_machine_when_it_is_asked_for(server: OwnServer, database: str) -> None:
    assert opened(f"mysql://root@127.0.0.1:{server.port}/{database}?plaintext=1")["images"] == "0"


def test_a_file_of_authorities_that_is_not_there_is_named(server: OwnServer, database: str) -> None:
    error = refused(f"mysql://root@localhost:{server.port}/{database}?ssl_ca=/nowhere/ca.pem")
    assert "/nowhere/ca.pem" in str(error)


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        error = refused(f"mysql://root@127.0.0.1:{port}/any?plaintext=1&timeout=0.2")
    assert "is the server up?" in error.hint


# Engines and versions


def test_the_wrong_scheme_is_named_with_the_right_one() -> None:
    server = engines.MARIADB.server()
    with server.database() as name:
        url = server.url(name)
        with pytest.raises(ArgumentError, match=r"there is MariaDB 11\.\d+\.\d+") as refusal:
            SqlStore.open(url.replace("mariadb://", "mysql://"))
    assert refusal.value.hint == f"write {url}"


@pytest.mark.parametrize(
    ("said", "dialect", "version"),
    [
        ("9.7.4 MySQL Community Server - GPL", MYSQL, (9, 7, 4)),
        ("8.0.39-0ubuntu0.22.04.1 (Ubuntu)", MYSQL, (8, 0, 39)),
        ("11.8.9-MariaDB-4 from Debian -- Please help", MARIADB, (11, 8, 9)),
        ("5.5.5-10.6.12-MariaDB MariaDB Server", MARIADB, (10, 6, 12)),
        ("5.7.25-OceanBase-v4.3.5.1 OceanBase_CE 4.3.5.1 (r101000042025)", OCEANBASE, (4, 3, 5)),
        ("5.7.25-OceanBase seekdb-v1.4.0.0 OceanBase 4.3.5.3 seekdb (r1.4.0.0)", OCEANBASE, (4, 3, 5)),
        ("8.0.11-TiDB-v8.5.1 TiDB Server (Apache License 2.0)", TIDB, (8, 5, 1)),
    ],
)
def test_an_engine_is_recognised_by_what_it_says_of_itself(
    said: str, dialect: object, version: tuple[int, ...]
) -> None:
    assert recognise(said) == (dialect, version)


def test_a_server_that_is_too_old_is_named_with_what_it_lacks(
    server: OwnServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderator.stores.connect.recognise", lambda _: (MYSQL, (8, 0, 39)))
    assert "is MySQL 8.0.39; the VECTOR type needs 9.0.0 or newer" in str(refused(server.url(database)))


# Users and databases


def grants(engine: str) -> str:
    return resource("sql", engine, "grants.sql").read_text()


def named(sql: str, database: str) -> str:
    """The statements for another database, and a user who has its name."""
    return re.sub(r"\bmoderator\b(?=[.'])", database, sql)


@contextmanager
def granted(server: OwnServer, database: str) -> Iterator[str]:
    """Makes a store, and a user by the engine's grants.sql who has the database's name; yields that user's URL."""
    engine = server.engine.name
    SqlStore.create(server.url(database))
    server.client(named(grants(engine), database))
    yield f"{engine}://{database}@localhost:{server.port}/{database}?ssl_ca={server.ca}"
    server.execute(f"DROP USER '{database}'@'%'")


@pytest.fixture
def limited(server: OwnServer, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a store by a user such as sql/mysql/grants.sql makes."""
    with granted(server, database) as url:
        monkeypatch.setenv(PASSWORD_VARIABLE, "change-this")
        yield url


def works(store: SqlStore) -> None:
    """Does once what scans, searches and `references` do to a store."""
    written(store, entry("/shop/a.png", at(10)))
    written(store, entry("/shop/a.png", at(20)))
    referenced(store, "banned", entry("/banned/b.png", at(30)))
    assert store.likely(FLAT, at(20), 2)
    assert store.remove_references("banned", []) == 1
    store.decide(decision("a"))
    store.record(report())
    store.forget(["/shop/a.png"])
    assert store.status()["images"] == "0"


def test_the_granted_rights_are_enough_to_write_search_and_remove(limited: str) -> None:
    with SqlStore.open(limited) as store:
        works(store)


def test_the_rights_granted_on_mariadb_are_enough_and_those_on_an_index_are_added_to_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = engines.MARIADB.server()
    if not isinstance(server, OwnServer):
        pytest.fail("this test needs a server of its own: unset MODERATOR_TEST_MARIADB_URL")
    with server.database() as database, granted(server, database) as limited:
        with SqlStore.open(server.url(database)) as store:
            written(store, entry("/shop/c.png", at(40)))
            store.build_indexes()
            store.forget(["/shop/c.png"])
        monkeypatch.setenv(PASSWORD_VARIABLE, "change-this")
        with SqlStore.open(limited) as store:
            referenced(store, "banned", entry("/banned/d.png", at(50)))
            with pytest.raises(StoreError, match="vectors_1") as refusal:
                store.remove_references("banned", [])
            assert "the last line of sql/mariadb/grants.sql" in refusal.value.hint
        comment = next(line for line in grants("mariadb").splitlines() if "vectors_1" in line)
        server.client(named(comment.removeprefix("-- "), database))
        with SqlStore.open(limited) as store:
            assert store.guess(FLAT, at(40), 1) is not None
            assert store.remove_references("banned", []) == 1
            works(store)


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "DROP TABLE images"]
)
def test_the_granted_rights_change_neither_the_log_nor_the_schema(limited: str, statement: str) -> None:
    with SqlStore.open(limited) as store, pytest.raises(StoreError, match="denied") as refusal:
        store.session.rows(statement)
    assert "administrator" in refusal.value.hint


def test_a_user_without_the_right_to_migrate_is_told_who_can(
    limited: str, server: OwnServer, database: str
) -> None:
    with server.database() as bare:
        server.execute(f"GRANT SELECT ON {bare}.* TO '{database}'@'%'")
        error = refused(limited.replace(f"/{database}?", f"/{bare}?"))
    assert "denied" in str(error)
    assert "`moderator db init`" in error.hint


def test_a_server_that_wants_a_password_says_where_to_put_it(
    limited: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE)
    with pytest.raises(PasswordWanted, match="wants a password for the user moderator_") as refusal:
        SqlStore.open(limited)
    assert PASSWORD_VARIABLE in refusal.value.hint


def test_a_password_with_any_letters_is_understood(
    limited: str, server: OwnServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.execute(f"ALTER USER '{database}'@'%' IDENTIFIED BY 'pässwörd€😀'")
    monkeypatch.setenv(PASSWORD_VARIABLE, "pässwörd€😀")
    assert opened(limited)["images"] == "0"


def test_a_database_that_is_not_there_is_named_with_what_makes_it(server: OwnServer) -> None:
    error = refused(server.url("nobodys"))
    assert "Unknown database 'nobodys'" in str(error)
    assert error.hint == "`moderator db init` makes the database"


def test_a_database_of_another_program_is_refused_and_left_as_it_is(server: OwnServer, database: str) -> None:
    server.execute("CREATE TABLE holiday (photo TEXT)", (), database)
    assert "tables that moderator did not make: holiday" in str(refused(server.url(database)))
    assert server.execute("SHOW TABLES", (), database) == (("holiday",),)


def test_a_newer_database_is_refused(server: OwnServer, database: str) -> None:
    opened(server.url(database))
    server.execute("INSERT INTO schema_migrations VALUES (9999, 'from_the_future', 'x')", (), database)
    assert "schema 9999" in str(refused(server.url(database)))


def test_a_migration_that_was_killed_is_done_again(server: OwnServer, database: str) -> None:
    opened(server.url(database))
    whole = server.execute("SHOW TABLES", (), database)
    server.execute_each(
        ["DELETE FROM schema_migrations", "DROP TABLE findings", "DROP TABLE audit_log"], database
    )
    assert opened(server.url(database))["schema"] == "2"
    assert server.execute("SHOW TABLES", (), database) == whole


def test_several_programs_may_make_one_store_at_once(server: OwnServer, database: str) -> None:
    program = "from moderator.stores.sql import SqlStore; import sys; SqlStore.open(sys.argv[1]).close()"
    command = [sys.executable, "-c", program, server.url(database)]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=60)[1] for process in started] == [""] * 3
