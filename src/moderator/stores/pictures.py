"""The part of the SQL store that keeps contents and the paths that hold them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from moderator.contracts import Entry, Fingerprint, Found, Generation, HashBlock, Known, Role, Scope, UprightBlock
from moderator.models import Image
from moderator.paths import printable
from moderator.stores import tables
from moderator.stores.embeddings import Embeddings
from moderator.stores.session import Cursor, Row
from moderator.stores.tables import FINGERPRINT, SCOPES, key_of
from moderator.vectors import Ids

_IDS = "SELECT id FROM contents WHERE state = 'judged'"


class Pictures(Embeddings):
    """Contents, images, and the batches that bring them in."""

    def known(self, paths: Sequence[str], role: Role) -> Mapping[str, Known]:
        by_key = {key_of(path): path for path in paths}
        sql = (
            "SELECT i.path_key, i.content_id, i.size, i.mtime_ns, c.intake, c.state, c.code, c.reason, i.metadata "
            "FROM images i JOIN contents c ON c.id = i.content_id WHERE i.role = ? AND i.path_key IN ({})"
        )
        return {
            by_key[key]: Known(content, size, mtime_ns, intake, state, code, reason, _metadata(metadata))
            for key, content, size, mtime_ns, intake, state, code, reason, metadata in self._session.each(
                sql, list(by_key), role
            )
        }

    def contents(self, digests: Sequence[bytes], intake: str) -> Mapping[bytes, int]:
        rows = self._session.each("SELECT intake, sha256, id FROM contents WHERE sha256 IN ({})", digests)
        return {digest: content for read_under, digest, content in rows if read_under == intake}

    def write(self, entries: Sequence[Entry], intake: str, role: Role) -> Sequence[int]:
        prints = {entry.fingerprint.sha256: entry.fingerprint for entry in entries}
        rows = {digest: (*(getattr(one, name) for name in FINGERPRINT), intake) for digest, one in prints.items()}

        def work(cursor: Cursor) -> list[int]:
            by_digest = self._write_contents(cursor, rows)
            ids = [by_digest[entry.fingerprint.sha256] for entry in entries]
            held = list(zip(entries, ids, strict=True))
            self._write_images(cursor, [(entry.found, content) for entry, content in held], role)
            self._write_vectors(cursor, [(content, one) for entry, content in held for one in entry.vectors])
            return ids

        return self._session.transact(work) if entries else []

    def _write_contents(self, cursor: Cursor, rows: Mapping[bytes, Row]) -> dict[bytes, int]:
        """Writes the rows of contents that are new or have changed, and returns the ids of all by digest."""
        last = self._hashing(cursor)
        columns = (*FINGERPRINT, "intake")
        stored = cursor.each(f"SELECT id, {', '.join(columns)} FROM contents WHERE sha256 IN ({{}})", list(rows))
        ids = {row[1]: row[0] for row in stored}
        same = {row[1] for row in stored if row[1:] == rows[row[1]]}
        changed = [row for digest, row in rows.items() if digest not in same]
        if changed:
            numbered = (*columns, "sequence")
            upsert = self._session.dialect.upsert("contents", ("sha256",), numbered, numbered[1:])
            cursor.many(upsert, [(*row, last + place) for place, row in enumerate(changed, 1)])
            cursor.run("UPDATE hashing SET written = ?", (last + len(changed),))
            new = [digest for digest in rows if digest not in ids]
            ids.update(cursor.each("SELECT sha256, id FROM contents WHERE sha256 IN ({})", new))
        return ids

    def _hashing(self, cursor: Cursor) -> int:
        """Returns the last sequence of contents, and keeps other writers waiting until the transaction ends."""
        find = f"SELECT written FROM hashing{self._session.dialect.lock}"
        if not (rows := cursor.rows(find)):
            insert = self._session.dialect.upsert("hashing", ("id",), ("id", "lineage"))
            cursor.run(insert, (1, secrets.token_bytes(16)))
            rows = cursor.rows(find)
        return int(rows[0][0])

    def _write_images(self, cursor: Cursor, held: Sequence[tuple[Found, int]], role: Role) -> None:
        columns = ("path_key", "role", "path", "content_id", "size", "mtime_ns", "metadata", "since")
        rows = {
            key_of(found.path): (printable(found.path), content, found.size, found.mtime_ns, _json(found.metadata))
            for found, content in held
        }
        sql = "SELECT path_key, content_id, since FROM images WHERE role = ? AND path_key IN ({})"
        since = {(key, content): one for key, content, one in cursor.each(sql, list(rows), role)}
        upsert = self._session.dialect.upsert("images", columns[:2], columns, columns[3:])
        new = self._opened
        cursor.many(upsert, [(key, role, *row, since.get((key, row[1]), new)) for key, row in rows.items()])

    def update_metadata(self, found: Sequence[Found]) -> None:
        def work(cursor: Cursor) -> None:
            for one in found:
                cursor.run(
                    "UPDATE images SET metadata = ? WHERE path_key = ? AND role = 'picture'",
                    (_json(one.metadata), key_of(one.path)),
                )

        self._session.transact(work)

    def paths_under(self, folder: str) -> Sequence[str]:
        prefix = printable(folder).rstrip("/") + "/"
        sql = "SELECT path FROM images WHERE role = 'picture' AND path >= ? AND path < ?"
        return [row[0] for row in self._session.rows(sql, (prefix, prefix[:-1] + chr(ord("/") + 1)))]

    def forget(self, paths: Sequence[str]) -> None:
        named = {printable(path) for path in paths}

        def work(cursor: Cursor) -> None:
            found = cursor.each("SELECT id, path FROM images WHERE role = 'picture' AND path IN ({})", sorted(named))
            # Compared once more: an engine may take two paths for one that differ in a trailing blank.
            gone = [image for image, path in found if path in named]
            cursor.run_each("DELETE FROM images WHERE id IN ({})", sorted(gone))

        self._session.transact(work)

    def members(self, scope: Scope, only: Sequence[int] | None = None) -> Ids:
        sql = f"SELECT c.id FROM contents c WHERE c.state = 'judged' AND {SCOPES[scope]}"
        blocks = self._blocks(sql, "c.id", (), _IDS, only)
        ids = [np.array([row[0] for row in rows], dtype=np.int64) for rows in blocks]
        return np.sort(np.concatenate([np.empty(0, dtype=np.int64), *ids]))

    def hash_generation(self) -> Generation | None:
        rows = self._session.rows("SELECT lineage, written FROM hashing")
        return Generation(rows[0][0].hex(), rows[0][1]) if rows and rows[0][1] else None

    def hashes_added(self, after: int, upto: int) -> Iterator[UprightBlock]:
        sql = (
            "SELECT id, pdq_quality, SUBSTR(pdq, 1, 32), sequence FROM contents "
            "WHERE sequence > ? AND sequence <= ? AND LENGTH(pdq) > 0 ORDER BY sequence LIMIT ?"
        )
        while rows := self._session.rows(sql, (after, upto, tables.BLOCK)):
            ids, qualities, hashes, sequences = zip(*rows, strict=True)
            upright = np.frombuffer(b"".join(hashes), dtype=np.uint8).reshape(-1, 32)
            yield UprightBlock(np.array(ids, dtype=np.int64), np.array(qualities, dtype=np.int64), upright)
            after = sequences[-1]

    def repeated(self) -> Sequence[int]:
        sql = "SELECT content_id FROM images WHERE role = 'picture' GROUP BY content_id HAVING COUNT(*) > 1 ORDER BY 1"
        return [row[0] for row in self._session.rows(sql)]

    def same_pixels(self) -> Mapping[int, bytes]:
        judged = "FROM contents WHERE state = 'judged'"
        shared = self._session.rows(f"SELECT pixels {judged} GROUP BY pixels HAVING COUNT(*) > 1")
        sql = f"SELECT id, pixels {judged} AND pixels IN ({{}})"
        return dict(self._session.each(sql, [pixels for (pixels,) in shared if pixels]))

    def with_pixels(self, pixels: Sequence[bytes], scope: Scope) -> Mapping[int, bytes]:
        judged = f"FROM contents c WHERE c.state = 'judged' AND {SCOPES[scope]}"
        return dict(self._session.each(f"SELECT c.id, c.pixels {judged} AND c.pixels IN ({{}})", pixels))

    def hashes(self, scope: Scope, only: Sequence[int] | None = None) -> Iterator[HashBlock]:
        columns = ", ".join(f"c.{name}" for name in FINGERPRINT)
        sql = f"SELECT c.id, {columns} FROM contents c WHERE c.state = 'judged' AND {SCOPES[scope]}"
        for rows in self._blocks(sql, "c.id", (), _IDS, only):
            ids = np.array([row[0] for row in rows], dtype=np.int64)
            yield HashBlock(ids, [Fingerprint(*row[1:]) for row in rows])

    def images(self, contents: Sequence[int], role: Role = "picture") -> Mapping[int, Sequence[Image]]:
        found: dict[int, list[Image]] = {}
        sql = (
            "SELECT c.id, i.path, c.sha256, c.width, c.height, c.size, c.format, i.mtime_ns, c.taken, i.since, "
            "i.metadata FROM images i JOIN contents c ON c.id = i.content_id WHERE i.role = ? AND c.id IN ({}) "
            "ORDER BY i.path"
        )
        rows = self._session.each(sql, contents, role)
        for content, path, sha256, width, height, size, form, modified, taken, since, metadata in rows:
            shown = (path, content, sha256.hex(), width, height, size, _metadata(metadata))
            image = Image(*shown, scanned=False, format=form, modified=modified, taken=taken, since=since)
            found.setdefault(content, []).append(image)
        return found


def _metadata(text: str) -> Mapping[str, str]:
    """Reads what `_json` wrote: of most pictures nothing, which is told at a glance."""
    return {} if text == "{}" else json.loads(text)


def _json(metadata: Mapping[str, str]) -> str:
    return json.dumps(dict(metadata))
