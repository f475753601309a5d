"""URLs of database servers: where one is, who asks, and how the connection is kept private."""

from __future__ import annotations

import getpass
import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from moderator.errors import ArgumentError, StoreError

PASSWORD_VARIABLE = "MODERATOR_STORE_PASSWORD"  # noqa: S105 - a name
TIMEOUT = 60.0
"""Seconds that a server may take for one answer."""
_FORM = "mysql://user@host:3306/database, with ?unix_socket=PATH, ?ssl_ca=FILE, ?option_file=FILE, ?timeout=SECONDS"
_KNOWN = {"unix_socket", "ssl_ca", "plaintext", "option_file", "timeout"}


def redacted(url: str) -> str:
    """Returns a URL without its password, whatever characters that has."""
    return re.sub(r"^([\w+.-]+://[^:/@]*):.*@", r"\1@", url, flags=re.DOTALL)


@dataclass(frozen=True, slots=True)
class Address:
    """A database on a server.

    Attributes:
        shown: the URL without its password.
        socket: the path of a unix socket; empty for TCP.
        ca: a file with the authorities that may vouch for the server; empty for those this machine trusts.
        plaintext: whether TCP without TLS was asked for; only on loopback.
        timeout: seconds that the server may take for one answer.
    """

    scheme: str
    shown: str
    user: str
    host: str
    port: int
    database: str
    password: str = field(repr=False)
    socket: str = ""
    ca: str = ""
    plaintext: bool = False
    timeout: float = TIMEOUT

    @property
    def place(self) -> str:
        """Where the server is, for messages."""
        return self.socket or f"{self.host}:{self.port}"


def parse(url: str) -> Address:
    """Reads a server's URL. The password is the URL's, or that of MODERATOR_STORE_PASSWORD, or of the option file.

    Raises:
        ArgumentError: the URL is malformed, or asks for plaintext over a network.
        StoreError: the option file cannot be read.
    """
    shown = redacted(url)
    try:
        parts = urlsplit(url)
        port = parts.port or 3306
        asked = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        timeout = float(asked.get("timeout", TIMEOUT))
    except ValueError:  # whose words may hold a part of the password
        raise ArgumentError(f"cannot read the store's URL {shown}", hint=f"write {_FORM}") from None
    database = unquote(parts.path.removeprefix("/"))
    if not re.fullmatch(r"[\w$-]{1,64}", database) or not timeout > 0:
        raise ArgumentError(f"the store's URL {shown} names no database", hint=f"write {_FORM}")
    if unknown := sorted(asked.keys() - _KNOWN):
        raise ArgumentError(f"unknown in the store's URL: {', '.join(unknown)}", hint=f"write {_FORM}")
    host, plaintext = parts.hostname or "localhost", asked.get("plaintext", "") not in ("", "0")
    if plaintext and not _is_loopback(host):
        raise ArgumentError(
            f"without TLS everyone between here and {host} could read the vectors",
            hint="leave out `plaintext`, which is for this machine only",
        )
    filed = _option_file(asked["option_file"]) if asked.get("option_file") else {}
    password = unquote(parts.password) if parts.password is not None else None
    chosen = (password, os.environ.get(PASSWORD_VARIABLE), filed.get("password"))
    return Address(
        scheme=parts.scheme,
        shown=shown,
        user=unquote(parts.username or "") or filed.get("user", "") or getpass.getuser(),
        host=host,
        port=port,
        database=database,
        password=next((one for one in chosen if one is not None), ""),
        socket=str(Path(asked["unix_socket"]).expanduser()) if asked.get("unix_socket") else "",
        ca=asked.get("ssl_ca", ""),
        plaintext=plaintext,
        timeout=timeout,
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _option_file(path: str) -> dict[str, str]:
    """Returns the user and password of the group [client] in a MySQL option file such as ~/.my.cnf."""
    from configparser import Error

    from pymysql.optionfile import Parser

    parser = Parser()
    try:
        with Path(path).expanduser().open(encoding="utf-8") as stream:
            parser.read_file(stream)
    except (OSError, UnicodeDecodeError, Error):  # whose words may hold a part of the password
        raise StoreError(
            f"cannot read the option file {path}", hint="it has a group [client] with `user = …` and `password = …`"
        ) from None
    return {name: parser.get("client", name) for name in ("user", "password") if parser.has_option("client", name)}
