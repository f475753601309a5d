"""Installs the stored functions of sql/<dialect>/functions.sql, for people who work in a shell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moderator.resources import resource
from moderator.stores.session import Session


def install(session: Session) -> list[str]:
    """Makes or replaces the functions in the store's database and returns their names; none where the engine has none.

    Raises:
        StoreError: the user may not. With the binary log on, MySQL asks for SUPER or log_bin_trust_function_creators.
    """
    made = []
    for statement in statements(session.dialect.name):
        session.rows(statement)
        if named := re.match(r"CREATE (?:OR REPLACE )?FUNCTION (\w+)", statement):
            made.append(named[1])
    return made


def statements(dialect: str) -> Iterator[str]:
    """Yields the statements of a dialect's script, which says between its two DELIMITER lines where they end."""
    folder = resource("sql", dialect)
    if not (path := folder / "functions.sql").is_file():
        return
    script = re.sub(r"(?m)^\s*--.*\n", "", path.read_text(encoding="utf-8"))
    for statement in re.split(r"DELIMITER \S+", script)[1].split("$$"):
        if statement.strip():
            yield statement.strip()
