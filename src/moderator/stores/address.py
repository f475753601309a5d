"""URLs of database servers: where one is, who asks, and how the connection is kept private."""

from __future__ import annotations

import getpass
import ipaddress
import os
import re
from dataclasses import dataclass, field, replace
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
        user: empty where nothing names one yet.
        password: None where nothing tells one yet.
        socket: the path of a unix socket; empty for TCP.
        option_file: a MySQL option file with the user and the password; empty for none.
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
    password: str | None = field(default=None, repr=False)
    socket: str = ""
    option_file: str = ""
    ca: str = ""
    plaintext: bool = False
    timeout: float = TIMEOUT

    @property
    def place(self) -> str:
        """Where the server is, for messages."""
        return self.socket or f"{self.host}:{self.port}"

    def with_credentials(self) -> Address:
        """Returns it with the user and the password, those of the URL first.

        Else the password is that of MODERATOR_STORE_PASSWORD or of the option file, and the user that of the file, or
        who runs this. Raises: StoreError, the file cannot be read.
        """
        filed = _option_file(self.option_file) if self.option_file else {}
        passwords = (self.password, os.environ.get(PASSWORD_VARIABLE), filed.get("password"))
        return replace(
            self,
            user=self.user or filed.get("user", "") or getpass.getuser(),
            password=next((one for one in passwords if one is not None), ""),
        )


def parse(url: str) -> Address:
    """Reads a server's URL, and nothing that it names. Raises: ArgumentError, it is malformed, or asks for plaintext
    over a network."""
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
    return Address(
        scheme=parts.scheme,
        shown=shown,
        user=unquote(parts.username or ""),
        host=host,
        port=port,
        database=database,
        password=None if parts.password is None else unquote(parts.password),
        socket=str(Path(asked["unix_socket"]).expanduser()) if asked.get("unix_socket") else "",
        option_file=asked.get("option_file", ""),
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
