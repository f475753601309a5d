"""The SQLite store. Every write is one transaction and idempotent, so a killed scan is simply started again."""

from __future__ import annotations

import getpass
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np

from moderator.contracts import (
    Entry,
    Fingerprint,
    Found,
    Generation,
    HashBlock,
    Known,
    Role,
    Scope,
    Store,
    VectorBlock,
    Vectors,
)
from moderator.errors import StoreError, VectorError
from moderator.models import Decision, Image, ModelId, Reference, Report, Verdict
from moderator.stores import sqlite
from moderator.stores.migrations import migrate
from moderator.vectors import Ids, pack, unpack_rows

BLOCK = 8192
"""Rows read at once: 16 MiB of 512-dimensional vectors."""
VARIABLES = 500
"""Values in one IN list; SQLite takes 32,766, older ones 999."""

_SCOPES: Mapping[Scope, str] = {
    "images": "EXISTS (SELECT 1 FROM images i WHERE i.content_id = c.id AND i.role = 'picture')",
    "references": "EXISTS (SELECT 1 FROM reference_entries r WHERE r.content_id = c.id AND r.enabled = 1)",
    "all": "1 = 1",
}
_FINGERPRINT = "sha256, size, format, width, height, frames, pixels, pdq, pdq_quality, state, code, reason"


class SqliteStore(Store):
    """A store in one SQLite file."""

    scheme = "sqlite"

    def __init__(self, connection: sqlite3.Connection, url: str) -> None:
        self._connection = connection
        self._url = url
        self._models: dict[ModelId, int] = {}

    @classmethod
    def open(cls, url: str) -> SqliteStore:
        path = sqlite.path_of(url)
        connection = sqlite.connect(path)
        try:
            with sqlite.translated(path):
                migrate(connection)
        except BaseException:
            connection.close()
            raise
        return cls(connection, url)

    @property
    def url(self) -> str:
        return self._url

    def close(self) -> None:
        self._connection.close()

    def _read(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        with sqlite.translated(sqlite.path_of(self._url)):
            return self._connection.execute(sql, values)

    def _read_each(self, sql: str, values: Sequence[Any]) -> Iterator[Any]:
        """Runs `sql`, whose `{}` becomes an IN list, over any number of values."""
        for some in _chunks(values):
            yield from self._read(sql.format(_marks(some)), some)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with sqlite.translated(sqlite.path_of(self._url)):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._models.clear()  # a model that is rolled back may get another number
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    # What is known

    def known(self, paths: Sequence[str], role: Role) -> Mapping[str, Known]:
        by_key = {_key(path): path for path in paths}
        sql = (
            "SELECT i.path_key, i.content_id, i.size, i.mtime_ns, c.intake, c.state, c.code, c.reason, i.metadata "
            "FROM images i JOIN contents c ON c.id = i.content_id WHERE "
            f"i.role = '{role}' AND i.path_key IN ({{}})"
        )
        rows = self._read_each(sql, list(by_key))
        return {
            by_key[key]: Known(content, size, mtime_ns, intake, state, code, reason, json.loads(metadata))
            for key, content, size, mtime_ns, intake, state, code, reason, metadata in rows
        }

    def contents(self, digests: Sequence[bytes], intake: str) -> Mapping[bytes, int]:
        rows = self._read_each("SELECT intake, sha256, id FROM contents WHERE sha256 IN ({})", digests)
        return {digest: content for read_under, digest, content in rows if read_under == intake}

    def embedded(self, model: ModelId, contents: Sequence[int]) -> frozenset[int]:
        if (number := self._model(model)) is None:
            return frozenset()
        sql = f"SELECT DISTINCT content_id FROM embeddings WHERE model_id = {number:d} AND content_id IN ({{}})"
        return frozenset(row[0] for row in self._read_each(sql, contents))

    def _model(self, model: ModelId) -> int | None:
        if model not in self._models:
            row = self._read(
                'SELECT id FROM models WHERE (name, revision, "precision", preprocessing, dimension) = (?, ?, ?, ?, ?)',
                _columns(model),
            ).fetchone()
            if row is None:
                return None
            self._models[model] = row[0]
        return self._models[model]

    # Writing what was read

    def write(self, entries: Sequence[Entry], intake: str, role: Role) -> Sequence[int]:
        fields = _FINGERPRINT.split(", ")
        changes = ", ".join(f"{field} = excluded.{field}" for field in [*fields[1:], "intake"])
        upsert = (
            f"INSERT INTO contents ({_FINGERPRINT}, intake) VALUES ({_marks([*fields, intake])}) "
            f"ON CONFLICT (sha256) DO UPDATE SET {changes} RETURNING id"
        )
        ids: list[int] = []
        with self._transaction() as connection:
            for entry in entries:
                values = [getattr(entry.fingerprint, field) for field in fields]
                (content,) = connection.execute(upsert, [*values, intake]).fetchone()
                ids.append(content)
                self._write_image(connection, entry.found, content, role)
                for vectors in entry.vectors:
                    self._write_vectors(connection, vectors, content)
        return ids

    def _write_vectors(self, connection: sqlite3.Connection, vectors: Vectors, content: int) -> None:
        if vectors.matrix.shape != (len(vectors.views), vectors.model.dimension):
            raise VectorError(
                f"{len(vectors.views)} vectors of shape {vectors.matrix.shape} are not of {vectors.model.name}, "
                f"which has {vectors.model.dimension} dimensions"
            )
        number = self._register(connection, vectors.model)
        packed = {view: pack(row) for view, row in zip(vectors.views, vectors.matrix, strict=True)}
        of_content = "FROM embeddings WHERE model_id = ? AND content_id = ?"
        stored = dict(connection.execute(f"SELECT view, vector {of_content}", (number, content)))
        if stored == packed:
            return  # a batch that is written again leaves the generation as it is
        if stored:
            # Under other limits a content has other views: those it had must not stay behind.
            connection.execute(f"DELETE {of_content}", (number, content))
            connection.execute("UPDATE models SET lineage = ? WHERE id = ?", (secrets.token_bytes(16), number))
        added = "UPDATE models SET written = written + ? WHERE id = ? RETURNING written"
        (last,) = connection.execute(added, (len(packed), number)).fetchone()
        first = last - len(packed) + 1
        connection.executemany(
            "INSERT INTO embeddings (content_id, model_id, view, sequence, vector) VALUES (?, ?, ?, ?, ?)",
            [(content, number, view, first + place, one) for place, (view, one) in enumerate(packed.items())],
        )

    @staticmethod
    def _write_image(connection: sqlite3.Connection, found: Found, content: int, role: Role) -> None:
        connection.execute(
            "INSERT INTO images (role, path, path_key, content_id, size, mtime_ns, metadata) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (path_key, role) DO UPDATE SET content_id = excluded.content_id, size = excluded.size, "
            "mtime_ns = excluded.mtime_ns, metadata = excluded.metadata",
            (role, _text(found.path), _key(found.path), content, found.size, found.mtime_ns,
             json.dumps(dict(found.metadata))),
        )  # fmt: skip

    def _register(self, connection: sqlite3.Connection, model: ModelId) -> int:
        connection.execute(
            'INSERT OR IGNORE INTO models (name, revision, "precision", preprocessing, dimension, lineage) '
            "VALUES (?, ?, ?, ?, ?, ?)",
            (*_columns(model), secrets.token_bytes(16)),
        )
        if (number := self._model(model)) is None:
            raise StoreError("a model that was just inserted is not there")
        return number

    def update_metadata(self, found: Sequence[Found]) -> None:
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE images SET metadata = ? WHERE path_key = ? AND role = 'picture'",
                [(json.dumps(dict(one.metadata)), _key(one.path)) for one in found],
            )

    def paths_under(self, folder: str) -> Sequence[str]:
        prefix = _text(folder).rstrip("/") + "/"
        sql = "SELECT path FROM images WHERE role = 'picture' AND path >= ? AND path < ?"
        return [row[0] for row in self._read(sql, (prefix, prefix[:-1] + chr(ord("/") + 1)))]

    def forget(self, paths: Sequence[str]) -> None:
        with self._transaction() as connection:
            connection.executemany(
                "DELETE FROM images WHERE role = 'picture' AND path = ?", [(_text(path),) for path in paths]
            )

    # Reading in blocks

    def vectors(self, model: ModelId, scope: Scope, only: Sequence[int] | None = None) -> Iterator[VectorBlock]:
        if (number := self._model(model)) is None:
            return
        sql = (
            "SELECT e.content_id, e.view, e.vector FROM embeddings e JOIN contents c ON c.id = e.content_id "
            f"WHERE e.model_id = {number:d} AND c.state = 'judged' AND {_SCOPES[scope]}"
        )
        for rows in self._blocks(sql, only, "e.content_id"):
            ids, views, packed = zip(*rows, strict=True)
            yield VectorBlock(np.array(ids, dtype=np.int64), views, unpack_rows(packed, model.dimension))

    def generation(self, model: ModelId) -> Generation | None:
        if (number := self._model(model)) is None:
            return None
        (lineage, written) = self._read("SELECT lineage, written FROM models WHERE id = ?", (number,)).fetchone()
        return Generation(lineage.hex(), written) if written else None

    def added(self, model: ModelId, after: int, upto: int) -> Iterator[VectorBlock]:
        number = self._model(model)
        sql = (
            "SELECT content_id, view, vector, sequence FROM embeddings "
            "WHERE model_id = ? AND sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?"
        )
        while rows := self._read(sql, (number, after, upto, BLOCK)).fetchall():
            ids, views, packed, sequences = zip(*rows, strict=True)
            yield VectorBlock(np.array(ids, dtype=np.int64), views, unpack_rows(packed, model.dimension))
            after = sequences[-1]

    def members(self, scope: Scope) -> Ids:
        sql = f"SELECT c.id FROM contents c WHERE c.state = 'judged' AND {_SCOPES[scope]} ORDER BY c.id"
        return np.fromiter((row[0] for row in self._read(sql)), dtype=np.int64)

    def hashes(self, scope: Scope, only: Sequence[int] | None = None) -> Iterator[HashBlock]:
        columns = ", ".join(f"c.{field}" for field in _FINGERPRINT.split(", "))
        sql = f"SELECT c.id, {columns} FROM contents c WHERE c.state = 'judged' AND {_SCOPES[scope]}"
        for rows in self._blocks(sql, only, "c.id"):
            ids = np.array([row[0] for row in rows], dtype=np.int64)
            yield HashBlock(ids, [Fingerprint(*row[1:]) for row in rows])

    def _blocks(self, sql: str, only: Sequence[int] | None, column: str) -> Iterator[list[Any]]:
        chunks = [None] if only is None else _chunks(only)
        for some in chunks:
            narrowed = sql if some is None else f"{sql} AND {column} IN ({_marks(some)})"
            yield from self._whole(self._read(f"{narrowed} ORDER BY {column}", some or ()))

    def _whole(self, rows: sqlite3.Cursor) -> Iterator[list[Any]]:
        """Yields blocks that never end between two rows of one content, which the first column is."""
        held: list[Any] = []
        while some := self._fetched(rows):
            held += some
            ends = (end for end in range(len(held) - 1, 0, -1) if held[end - 1][0] != held[end][0])
            if end := next(ends, 0):
                yield held[:end]
                held = held[end:]
        if held:
            yield held

    def _fetched(self, rows: sqlite3.Cursor) -> list[Any]:
        with sqlite.translated(sqlite.path_of(self._url)):
            return rows.fetchmany(BLOCK)

    def images(self, contents: Sequence[int], role: Role = "picture") -> Mapping[int, Sequence[Image]]:
        found: dict[int, list[Image]] = {}
        sql = (
            "SELECT c.id, i.path, c.sha256, c.width, c.height, c.size, c.format, i.mtime_ns, i.metadata FROM images i "
            f"JOIN contents c ON c.id = i.content_id WHERE i.role = '{role}' AND c.id IN ({{}}) ORDER BY i.path"
        )
        for content, path, sha256, width, height, size, form, modified, metadata in self._read_each(sql, contents):
            shown = (path, content, sha256.hex(), width, height, size, json.loads(metadata))
            image = Image(*shown, scanned=False, format=form, modified=modified)
            found.setdefault(content, []).append(image)
        return found

    # What else is made of contents

    def features(self, extractor: str, contents: Sequence[int]) -> Mapping[int, bytes]:
        made: dict[int, bytes] = {}
        for some in _chunks(contents):
            sql = f"SELECT content_id, made FROM features WHERE extractor = ? AND content_id IN ({_marks(some)})"
            made.update(self._read(sql, (extractor, *some)))
        return made

    def write_features(self, extractor: str, made: Mapping[int, bytes]) -> None:
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO features (extractor, content_id, made) VALUES (?, ?, ?) "
                "ON CONFLICT (extractor, content_id) DO UPDATE SET made = excluded.made",
                [(extractor, content, one) for content, one in made.items()],
            )

    # Reference sets, decisions, results

    def add_references(self, set_name: str, entries: Sequence[tuple[int, str, str]], owner: str) -> int:
        with self._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO reference_sets (name, created) VALUES (?, ?)", (set_name, _now()))
            (number,) = connection.execute("SELECT id FROM reference_sets WHERE name = ?", (set_name,)).fetchone()
            before = connection.total_changes
            connection.executemany(
                "INSERT OR IGNORE INTO reference_entries (set_id, content_id, label, provenance, owner, created) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [(number, content, label, provenance, owner, _now()) for content, label, provenance in entries],
            )
            added = connection.total_changes - before
            if added:
                self._audit(connection, "references.add", f"{set_name}: {added}")
        return added

    def references(self, sets: Sequence[str] = ()) -> Sequence[Reference]:
        sql = (
            "SELECT s.name, r.id, r.label, r.content_id FROM reference_entries r "
            "JOIN reference_sets s ON s.id = r.set_id WHERE r.enabled = 1 AND (r.expires IS NULL OR r.expires > ?)"
        )
        narrowed = f" AND s.name IN ({_marks(sets)})" if sets else ""
        rows = self._read(f"{sql}{narrowed} ORDER BY s.name, r.id", (_now(), *sets))
        return [Reference(name, entry, label, content) for name, entry, label, content in rows]

    def remove_references(self, set_name: str, entries: Sequence[int]) -> int:
        of_set = "set_id = (SELECT id FROM reference_sets WHERE name = ?)"
        delete = f"DELETE FROM reference_entries WHERE {of_set}"
        with self._transaction() as connection:
            if entries:
                named = [(set_name, entry) for entry in entries]
                removed = connection.executemany(f"{delete} AND id = ?", named).rowcount
            else:
                removed = connection.execute(delete, (set_name,)).rowcount
                connection.execute("DELETE FROM reference_sets WHERE name = ?", (set_name,))
            connection.execute(
                "DELETE FROM images WHERE role = 'reference' "
                "AND content_id NOT IN (SELECT content_id FROM reference_entries)"
            )
            # A removed reference leaves no bytes behind (secure_delete), unless a scanned image holds the same.
            unused = (
                "NOT IN (SELECT content_id FROM images UNION SELECT content_id FROM reference_entries)"
            )
            connection.execute(
                "UPDATE models SET lineage = ? "
                f"WHERE id IN (SELECT model_id FROM embeddings WHERE content_id {unused})",
                (secrets.token_bytes(16),),
            )
            connection.execute(f"DELETE FROM contents WHERE id {unused}")
            self._audit(connection, "references.remove", f"{set_name}: {removed}")
        self._read("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return removed

    @staticmethod
    def _audit(connection: sqlite3.Connection, action: str, subject: str) -> None:
        connection.execute(
            "INSERT INTO audit_log (at, actor, action, subject) VALUES (?, ?, ?, ?)",
            (_now(), getpass.getuser(), action, subject),
        )

    def decisions(self) -> Sequence[Decision]:
        sql = (
            "SELECT sha256, match_sha256, verdict, reason, owner, expires FROM decisions "
            "WHERE expires IS NULL OR expires > ?"
        )
        return [
            Decision(first.hex(), second.hex(), Verdict(verdict), *rest)
            for first, second, verdict, *rest in self._read(sql, (_now(),))
        ]

    def decide(self, decision: Decision) -> None:
        pair = _pair(decision.sha256, decision.match_sha256)
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO decisions (sha256, match_sha256, verdict, reason, owner, created, expires) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sha256, match_sha256) DO UPDATE SET "
                "verdict = excluded.verdict, reason = excluded.reason, owner = excluded.owner, "
                "created = excluded.created, expires = excluded.expires",
                (*pair, decision.verdict, decision.reason, decision.owner, _now(), decision.expires),
            )
            self._audit(connection, "decisions.decide", f"{decision.verdict}: {pair[0].hex()} {pair[1].hex()}")

    def withdraw(self, sha256: str, match_sha256: str) -> bool:
        pair = _pair(sha256, match_sha256)
        with self._transaction() as connection:
            delete = "DELETE FROM decisions WHERE sha256 = ? AND match_sha256 = ?"
            removed = connection.execute(delete, pair).rowcount
            if removed:
                self._audit(connection, "decisions.withdraw", f"{pair[0].hex()} {pair[1].hex()}")
        return bool(removed)

    def record(self, report: Report) -> None:
        with self._transaction() as connection:
            counts = (report.judged, len(report.rejected), len(report.skipped))
            scan = connection.execute(
                "INSERT INTO scans (started, seconds, policy, judged, rejected, skipped) VALUES (?, ?, ?, ?, ?, ?)",
                (report.started, report.seconds, report.policy, *counts),
            ).lastrowid
            connection.executemany(
                "INSERT INTO findings (scan_id, rule, detector, verdict, kind, content_id, match_content_id, signal, "
                "score, threshold, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (scan, found.rule, found.detector, found.verdict, found.kind, found.image.content,
                     found.match.content, found.strongest.signal, found.strongest.score or 0.0,
                     found.strongest.threshold, found.reason)
                    for found in report.findings
                ],
            )  # fmt: skip

    def status(self) -> Mapping[str, str]:
        tables = ("images", "contents", "embeddings", "reference_entries", "scans")
        counts = {name: f"{self._read(f'SELECT COUNT(*) FROM {name}').fetchone()[0]:,}" for name in tables}
        (schema,) = self._read("SELECT MAX(number) FROM schema_migrations").fetchone()
        (whole,) = self._read("PRAGMA quick_check(1)").fetchone()
        return {"engine": f"SQLite {sqlite3.sqlite_version}", "schema": str(schema), "integrity": whole, **counts}


def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), VARIABLES):
        yield values[start : start + VARIABLES]


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _columns(model: ModelId) -> tuple[str, str, str, str, int]:
    return model.name, model.revision, model.precision, model.preprocessing, model.dimension


def _pair(sha256: str, match_sha256: str) -> tuple[bytes, bytes]:
    first, second = sorted((bytes.fromhex(sha256), bytes.fromhex(match_sha256)))
    return first, second


def _key(path: str) -> bytes:
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()


def _text(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
