"""Connects to a database server by PyMySQL: TLS verified, every wait bounded, errors in moderator's words."""

from __future__ import annotations

import ssl
from functools import cached_property
from typing import TYPE_CHECKING, Any

from moderator.errors import ArgumentError, PasswordWanted, StoreError
from moderator.stores.address import PASSWORD_VARIABLE, Address
from moderator.stores.dialects import Dialect, recognise

if TYPE_CHECKING:
    import pymysql

CONNECT_SECONDS = 10.0
PATIENCE = 3
"""For how many timeouts of the address a transaction is tried again after the server was lost."""

_LOST = {0, 1040, 1053, 1152, 1159, 1160, 1161, 1203, 1927, 2002, 2003, 2006, 2013, 2014, 2055, 4031}
"""The connection ended or was never made: MySQL's manual, "Client Error Message Reference" and "Server Error …"."""
_COLLIDED = {1205, 1213, 1451, 1290, 1836}
"""A lock timed out, a deadlock, a row that another program has just referred to, a primary that became a replica."""
_DISTRIBUTED = {4012, 4038, 4225, 6002, 6005, 8002, 8022, 8028, 9001, 9002, 9003, 9004, 9005, 9007}
"""The same from OceanBase (4000 and 6000) and TiDB (8000 and 9000), as their lists of errors say."""
_DENIED = {1044, 1142, 1143, 1227, 1370}
_INDEX_GRANT = (
    "let an administrator GRANT SELECT, DELETE on that table, which `moderator db index` made: the last line of "
    "sql/mariadb/grants.sql"
)


class ServerDriver:
    """Reaches one database of a server."""

    def __init__(self, address: Address, database: str | None = None) -> None:
        self.address = address
        self.database = address.database if database is None else database
        self.patience = PATIENCE * address.timeout

    @cached_property
    def errors(self) -> tuple[type[Exception], ...]:
        import pymysql

        return (pymysql.MySQLError,)

    def connect(self) -> pymysql.connections.Connection[Any]:
        import pymysql

        address = self.address
        private: dict[str, Any] = {"ssl": self._tls} if self._tls else {"ssl_disabled": True}
        return pymysql.connect(
            user=address.user,
            password=(address.password or "").encode(),  # a str would be encoded as Latin-1
            database=self.database or None,
            charset="utf8mb4",
            autocommit=True,
            sql_mode="TRADITIONAL",  # a value that does not fit is an error and never cut
            init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=address.timeout,
            write_timeout=address.timeout,
            local_infile=False,
            **({"unix_socket": address.socket} if address.socket else {"host": address.host, "port": address.port}),
            **private,
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext | None:
        """Our own context: PyMySQL's settings would not verify the server, or go on without TLS."""
        if self.address.socket or self.address.plaintext:
            return None
        try:
            return ssl.create_default_context(cafile=self.address.ca or None)  # CERT_REQUIRED, and the name is checked
        except OSError as error:
            raise StoreError(
                f"cannot read certificates from {self.address.ca}", hint="ssl_ca names a file of PEM certificates"
            ) from error

    def passes(self, error: Exception) -> bool:
        if isinstance(getattr(error, "original_exception", None), ssl.SSLError):
            return False
        return _code(error) in _LOST | _COLLIDED | _DISTRIBUTED

    def translated(self, error: Exception) -> StoreError:
        """Names the server, what it said, and the way out."""
        address, code = self.address, _code(error)
        if code == 1045 and not address.password:
            return PasswordWanted(
                f"{address.place} wants a password for the user {address.user}",
                hint=f"set {PASSWORD_VARIABLE}, or name a MySQL option file: ?option_file=~/.my.cnf",
            )
        original = getattr(error, "original_exception", None)
        words = str(original or (error.args[1] if len(error.args) > 1 else error)) or "the connection was closed"
        hint = _INDEX_GRANT if code in _DENIED and "'vectors_" in words.replace("`", "'") else ""
        hint = hint or _hint(code, original, address)
        return StoreError(f"the store {address.shown} cannot be used: {words}", hint=hint)


def _code(error: Exception) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else -1


def _hint(code: int, original: object, address: Address) -> str:
    if isinstance(original, ssl.SSLCertVerificationError):
        return f"its certificate must be good for the name {address.host}, by an authority that ?ssl_ca=FILE names"
    if code == 2026 or isinstance(original, ssl.SSLError):
        return "the server must offer TLS; on this machine use ?unix_socket=PATH, or ask for ?plaintext=1"
    hints = {
        1045: f"check the user and {PASSWORD_VARIABLE}",
        1049: "`moderator db init` makes the database",
        **dict.fromkeys(_DENIED, "let an administrator run `moderator db init`, and see sql/*/grants.sql"),
        **dict.fromkeys(_LOST, "is the server up? What was committed is safe, and a new scan goes on from there"),
        **dict.fromkeys(_COLLIDED | _DISTRIBUTED, "others kept it busy for too long; a new scan goes on from here"),
    }
    return hints.get(code, "`moderator doctor` checks it")


def greet(driver: ServerDriver) -> tuple[Dialect, str, Any]:
    """Connects for the first time and returns the engine, its version and the connection.

    Raises:
        ArgumentError: another engine answers than the URL's scheme says.
        StoreError: nobody answers, or the engine is too old.
    """
    try:
        connection = driver.connect()
    except driver.errors as error:
        raise driver.translated(error) from error
    try:
        return *_introduced(driver, connection), connection
    except BaseException:
        connection.close()
        raise


def _introduced(driver: ServerDriver, connection: Any) -> tuple[Dialect, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONCAT(VERSION(), ' ', @@version_comment)")
        dialect, version = recognise(str(cursor.fetchone()[0]))
    address = driver.address
    number = ".".join(map(str, version))
    if dialect.name != address.scheme:
        right = address.shown.replace(f"{address.scheme}:", f"{dialect.name}:", 1)
        raise ArgumentError(f"at {address.place} there is {dialect.title} {number}", hint=f"write {right}")
    if version < dialect.least:
        least = ".".join(map(str, dialect.least))
        raise StoreError(f"{address.place} is {dialect.title} {number}; {dialect.why} needs {least} or newer")
    return dialect, number
