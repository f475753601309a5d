"""What the parts of the SQL store share: blocks, scopes, the log of changes, and how values stand in columns."""

from __future__ import annotations

import getpass
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np

from moderator.contracts import Scope, Store
from moderator.models import ModelId
from moderator.stores.session import Cursor, Row, Session, chunks, marks
from moderator.vectors import pack

T = TypeVar("T")
LAST = 2**63 - 1
"""No id is larger."""
BLOCK = 8192
"""Rows read at once: 16 MiB of 512-dimensional vectors."""
FINGERPRINT = (
    "sha256", "size", "format", "width", "height", "frames", "pixels", "pdq", "pdq_quality", "taken",
    "state", "code", "reason",
)  # fmt: skip
"""The columns of a `Fingerprint`, in its order."""
SCOPES: Mapping[Scope, str] = {
    "images": "EXISTS (SELECT 1 FROM images i WHERE i.content_id = c.id AND i.role = 'picture')",
    "references": "EXISTS (SELECT 1 FROM reference_entries r WHERE r.content_id = c.id AND r.enabled = 1)",
    "all": "1 = 1",
}


class Tables(Store):
    """A part of the SQL store."""

    _session: Session
    _opened: str
    """When this program opened the store, as a scan does once, in UTC."""

    def _blocks(
        self, sql: str, order: str, values: Sequence[Any], ids: str, only: Sequence[int] | None = None
    ) -> Iterator[list[Row]]:
        """Yields the rows of a query, whose first is the content id, portion by portion: `order` names its column
        first, and `ids` takes the same values."""
        column = order.partition(",")[0]
        for portion, bounds in self._portions(ids, column.partition(".")[2], values, only):
            if rows := self._session.rows(f"{sql} AND {column} {portion} ORDER BY {order}", (*values, *bounds)):
                yield rows

    def _portions(
        self, ids: str, name: str, values: Sequence[Any], only: Sequence[int] | None
    ) -> Iterator[tuple[str, Sequence[int]]]:
        """Yields conditions on a content id, each with its values, that part contents, or `only` these, so that one
        holds for some `BLOCK` rows of `ids`, a query of the content ids by `name`, and never for a part of a content.

        What is read under each is bounded on both sides, so that no plan reads more than it, and can be repeated alone.
        """
        if only is not None:
            for some in chunks(only):
                yield f"IN ({marks(some)})", some
            return
        last: int | None = 0
        while last is not None:
            first, last = last, self._edge(ids, name, values, last)
            yield "BETWEEN ? AND ?", (first + 1, LAST if last is None else last)

    def _edge(self, ids: str, name: str, values: Sequence[Any], after: int) -> int | None:
        """The content at which the portion after this one ends; None where it is the last."""
        found = self._session.rows(
            f"{ids} AND {name} > ? ORDER BY {name} LIMIT 1 OFFSET ?", (*values, after, BLOCK - 1)
        )
        return found[0][0] if found else None

    def _audited(self, action: str, work: Callable[[Cursor], tuple[T, str]]) -> T:
        """Runs `work`, which returns a result and what the log should say (nothing where it is empty), and logs it, in
        one transaction. Where that is repeated after a COMMIT of unknown outcome, the log tells whether it was done."""
        token = secrets.token_bytes(16)
        results: list[T] = []

        def once(cursor: Cursor) -> T:
            if results and cursor.rows("SELECT id FROM audit_log WHERE token = ?", (token,)):
                return results[-1]
            result, subject = work(cursor)
            results.append(result)
            if subject:
                insert = "INSERT INTO audit_log (token, at, actor, action, subject) VALUES (?, ?, ?, ?, ?)"
                cursor.run(insert, (token, now(), getpass.getuser(), action, subject))
            return result

        return self._session.transact(once)

    def log(self, action: str, subject: str) -> None:
        """Logs what was done, with hashes and numbers and never names of files. Raises: StoreError."""
        self._audited(action, lambda _: (None, subject))


def remove_contents(cursor: Cursor, contents: Sequence[int]) -> None:
    """Removes those of these contents that neither an image nor a reference holds, with all that was made of them."""
    held = {
        row[0]
        for table in ("images", "reference_entries")
        for row in cursor.each(f"SELECT content_id FROM {table} WHERE content_id IN ({{}})", contents)
    }
    unused = sorted(set(contents) - held)
    if unused:
        cursor.run("UPDATE hashing SET lineage = ?", (secrets.token_bytes(16),))
    models = cursor.each("SELECT DISTINCT model_id FROM embeddings WHERE content_id IN ({})", unused)
    for (model,) in sorted(set(models)):
        new_lineage(cursor, model)
    if cursor.dialect.index:
        for (model,) in cursor.rows("SELECT model_id FROM vector_indexes"):
            cursor.run_each(f"DELETE FROM {index_table(model)} WHERE content_id IN ({{}})", unused)
    cursor.run_each("DELETE FROM contents WHERE id IN ({})", unused)


def new_lineage(cursor: Cursor, model: int) -> None:
    """Tells indexes that a vector of this model is removed or replaced."""
    cursor.run("UPDATE models SET lineage = ? WHERE id = ?", (secrets.token_bytes(16), model))


def model_key(model: ModelId) -> bytes:
    """The SHA-256 of a model id: it is found by this, and not by five columns."""
    return hashlib.sha256(str(model).encode()).digest()


def index_table(model: int) -> str:
    """The table that mirrors a model's vectors under a vector index (`stores.indexes`)."""
    return f"vectors_{model:d}"


def key_of(path: str) -> bytes:
    """The SHA-256 of a path's own bytes."""
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()


def now() -> str:
    """The time in UTC, as it is stored."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def packed(stored: bytes | str) -> bytes:
    """A vector as packed bytes, from how it was read."""
    return stored if isinstance(stored, bytes) else pack(np.array(json.loads(stored), dtype=np.float32))
