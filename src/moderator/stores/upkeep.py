"""What is done to a store as a whole: it is checked, and what is needed no longer is erased."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from moderator.paths import found_at
from moderator.stores import indexes, sqlite, tables
from moderator.stores.dialects import MARIADB, MYSQL, SQLITE
from moderator.stores.session import Cursor, Session
from moderator.stores.sql import SqlStore
from moderator.vectors import STORED
from moderator.wording import counted

UNUSED = (
    "SELECT id FROM contents c WHERE NOT EXISTS (SELECT 1 FROM images i WHERE i.content_id = c.id) "
    "AND NOT EXISTS (SELECT 1 FROM reference_entries r WHERE r.content_id = c.id)"
)
OFF_LENGTH = 1e-3
"""How far from 1 the length of a stored vector may be: float32 keeps it within 1e-6, arithmetic in bf16 within 1e-3."""
PORTION = 2_000
"""Rows that are removed in one transaction."""
_ORPHANS = {
    "images": "images x LEFT JOIN contents y ON y.id = x.content_id",
    "embeddings": "embeddings x LEFT JOIN contents y ON y.id = x.content_id",
    "features": "features x LEFT JOIN contents y ON y.id = x.content_id",
    "reference_entries": "reference_entries x LEFT JOIN contents y ON y.id = x.content_id",
    "findings": "findings x LEFT JOIN scans y ON y.id = x.scan_id",
}
_SETTINGS = {
    "innodb_flush_log_at_trx_commit": ("1", "a power cut may lose what was committed in the last second"),
    "sync_binlog": ("1", "a power cut may lose what was committed, or make replicas differ"),
    "local_infile": ("OFF", "a hostile server could read files of its clients"),
}
_EMPTIED = ("findings", "scans", "decisions", "reference_entries", "reference_sets", "images")
"""Tables that hold what a store was told, less the log; none refers to one before it."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: `wrong` is damage, `note` is what could be better."""

    name: str
    state: str
    message: str


def check(store: SqlStore) -> Iterator[Check]:
    """Looks at the whole store: references between tables, every vector, and how the engine is set up."""
    session = store.session
    if session.dialect is SQLITE:
        said = session.rows("PRAGMA integrity_check(1)")[0][0]
        yield Check("file", "ok" if said == "ok" else "wrong", said)
    for table, joined in _ORPHANS.items():
        ((count,),) = session.rows(f"SELECT COUNT(*) FROM {joined} WHERE y.id IS NULL")
        yield Check(table, "wrong" if count else "ok", f"{counted(count, 'row')} without what they refer to")
    ((unused,),) = session.rows(f"SELECT COUNT(*) FROM ({UNUSED}) AS unused")
    advice = "; `moderator db purge` removes them" if unused else ""
    yield Check("contents", "note" if unused else "ok", f"{unused:,} that nothing refers to{advice}")
    for number, name, dimension, written in session.rows("SELECT id, name, dimension, written FROM models ORDER BY id"):
        yield _vectors(session, number, f"vectors of {name}", dimension, written)
    yield from _settings(session)


def _vectors(session: Session, number: int, name: str, dimension: int, written: int) -> Check:
    column = session.dialect.vector.format(column="embedding")
    sql = f"SELECT sequence, {column} FROM embeddings WHERE model_id = ? AND sequence > ? ORDER BY sequence LIMIT ?"
    count = short = off = last = 0
    while rows := session.rows(sql, (number, last, tables.BLOCK)):
        packed = [tables.packed(vector) for _, vector in rows]
        whole = [one for one in packed if len(one) == dimension * STORED.itemsize]
        lengths = np.linalg.norm(np.frombuffer(b"".join(whole), dtype=STORED).reshape(-1, dimension), axis=1)
        count, short, last = count + len(rows), short + len(rows) - len(whole), rows[-1][0]
        off += int(np.count_nonzero(~(np.abs(lengths - 1.0) <= OFF_LENGTH)))  # so put, it counts NaN too
    beyond = ", some numbered beyond the model's count" if last > written else ""
    wrong = short or off or beyond
    message = f"{count:,}, {short:,} not of {dimension} numbers, {off:,} not of length 1{beyond}"
    return Check(name, "wrong" if wrong else "ok", message)


def _settings(session: Session) -> Iterator[Check]:
    if session.dialect not in (MYSQL, MARIADB):
        return
    found = {str(name): str(value) for name, value in session.rows("SHOW GLOBAL VARIABLES")}
    for name, (wanted, risk) in _SETTINGS.items():
        if name == "sync_binlog" and found.get("log_bin") != "ON":
            continue
        same = found.get(name) == wanted
        yield Check(name, "ok" if same else "note", f"{found.get(name)}" + ("" if same else f", not {wanted}: {risk}"))


def stored_paths(store: SqlStore, path: str | None, *, gone: bool) -> Sequence[str]:
    """Returns the stored pictures at or below a path (of all: None), with `gone` only those whose files are gone; none
    where neither is asked."""
    if path is None and not gone:
        return []
    top = os.path.abspath(path or "/")  # noqa: PTH100 - links are not followed
    found = [*([top] if top in store.known([top], "picture") else []), *store.paths_under(top)]
    return [one for one in found if not gone or found_at(one) is None]


def purge_unused(store: SqlStore) -> int:
    """Removes contents that nothing refers to, with their vectors and features, and returns how many."""
    session, removed = store.session, 0
    while unused := [row[0] for row in session.rows(f"{UNUSED} LIMIT {PORTION}")]:
        removed += session.transact(lambda cursor, unused=unused: _remove(cursor, unused))  # type: ignore[misc]
    return removed


def _remove(cursor: Cursor, contents: Sequence[int]) -> int:
    tables.remove_contents(cursor, contents)
    return len(contents)


def purge_everything(store: SqlStore) -> int:
    """Removes all that a store holds, but for the log of what was done to it and the names of models, by which programs
    that run now know them; returns how many contents that were."""
    for table in _EMPTIED:
        while ids := [row[0] for row in store.session.rows(f"SELECT id FROM {table} LIMIT {PORTION}")]:
            store.session.transact(
                lambda cursor, table=table, ids=ids: cursor.run_each(f"DELETE FROM {table} WHERE id IN ({{}})", ids)  # type: ignore[misc]
            )
    removed = purge_unused(store)
    store.log("store.purge", f"{removed} contents")
    return removed


def erase(store: SqlStore) -> str:
    """Takes the bytes of what was removed off the disk as far as the engine can; returns what may be left, in words."""
    session = store.session
    if session.dialect is SQLITE:  # whose secure_delete has overwritten them
        session.rows("VACUUM")
        sqlite.empty_log(session)
        return ""
    if session.dialect.index:
        indexes.drop_stale(session)
    if session.dialect not in (MYSQL, MARIADB):
        return f"{session.dialect.title} keeps what was removed in its files until it compacts them"
    for (table,) in session.rows(session.dialect.tables):
        session.rows(f"OPTIMIZE TABLE `{table}`")  # which writes the table anew and removes the old file
    found = {str(name): str(value) for name, value in session.rows("SHOW GLOBAL VARIABLES LIKE 'log_bin'")}
    logs = "redo and binary logs" if found.get("log_bin") == "ON" else "redo logs"
    return f"the server's {logs} and its backups keep what was removed until they are overwritten or purged"
