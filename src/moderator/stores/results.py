"""The part of the SQL store that keeps reference sets, reviewers' decisions, and the reports of scans."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from moderator.models import Decision, ModelId, Reference, Report, Verdict
from moderator.stores import sqlite
from moderator.stores.session import Cursor, marks
from moderator.stores.tables import Tables, model_key, now, remove_contents

_DECISION = ("sha256", "match_sha256", "verdict", "reason", "owner", "expires")
_HOLDS = "r.enabled = 1 AND (r.expires IS NULL OR r.expires > ?)"


class Results(Tables):
    """Reference sets, decisions, reports."""

    def add_references(self, set_name: str, entries: Sequence[tuple[int, str, str]], owner: str) -> int:
        dialect = self._session.dialect
        columns = ("set_id", "content_id", "label", "provenance", "owner", "created")

        def work(cursor: Cursor) -> tuple[int, str]:
            cursor.run(dialect.upsert("reference_sets", ("name",), ("name", "created")), (set_name, now()))
            ((number,),) = cursor.rows(f"SELECT id FROM reference_sets WHERE name = ?{dialect.lock}", (set_name,))
            contents = sorted({content for content, _, _ in entries})
            sql = "SELECT content_id FROM reference_entries WHERE set_id = ? AND content_id IN ({})"
            before = {row[0] for row in cursor.each(sql, contents, number)}
            rows = [(number, content, label, provenance, owner, now()) for content, label, provenance in entries]
            cursor.many(dialect.upsert("reference_entries", columns[:2], columns), [row for row in rows if not row[2]])
            # A label is given to an entry that is there already, too.
            relabelling = dialect.upsert("reference_entries", columns[:2], columns, ("label",))
            cursor.many(relabelling, [row for row in rows if row[2]])
            added = len(contents) - len(before)
            return added, f"{set_name}: {added}" if added else ""

        return self._audited("references.add", work)

    def references(self, sets: Sequence[str] = (), contents: Sequence[int] | None = None) -> Sequence[Reference]:
        sql = f"SELECT s.name, r.id, r.label, r.content_id FROM {_of_sets(sets)}"
        if contents is None:
            rows = self._session.rows(sql, (now(), *sets))
        else:
            rows = self._session.each(f"{sql} AND r.content_id IN ({{}})", contents, now(), *sets)
        return [Reference(name, entry, label, content) for name, entry, label, content in sorted(rows)]

    def reference_counts(self) -> Mapping[str, int]:
        return dict(self._session.rows(f"SELECT s.name, COUNT(*) FROM {_of_sets(())} GROUP BY s.name", (now(),)))

    def filled_sets(self) -> Sequence[str]:
        some = f"SELECT 1 FROM reference_entries r WHERE r.set_id = s.id AND {_HOLDS}"
        sql = f"SELECT s.name FROM reference_sets s WHERE EXISTS ({some}) ORDER BY s.name"
        return [row[0] for row in self._session.rows(sql, (now(),))]

    def unembedded(self, model: ModelId, sets: Sequence[str] = ()) -> Sequence[int]:
        sql = (
            f"SELECT DISTINCT r.content_id FROM {_of_sets(sets)} AND NOT EXISTS (SELECT 1 FROM embeddings e "
            "JOIN models m ON m.id = e.model_id WHERE m.model_key = ? AND e.content_id = r.content_id)"
        )
        return sorted(row[0] for row in self._session.rows(sql, (now(), *sets, model_key(model))))

    def remove_references(self, set_name: str, entries: Sequence[int]) -> int:
        def work(cursor: Cursor) -> tuple[int, str]:
            of_set = "WHERE set_id = (SELECT id FROM reference_sets WHERE name = ?)"
            found = cursor.rows(f"SELECT id, content_id FROM reference_entries {of_set}", (set_name,))
            named = set(entries)
            gone = [(entry, content) for entry, content in found if not named or entry in named]
            cursor.run_each("DELETE FROM reference_entries WHERE id IN ({})", [entry for entry, _ in gone])
            if not entries:
                cursor.run("DELETE FROM reference_sets WHERE name = ?", (set_name,))
            self._forget_references(cursor, [content for _, content in gone])
            return len(gone), f"{set_name}: {len(gone)}"

        removed = self._audited("references.remove", work)
        self._wiped()
        return removed

    def _forget_references(self, cursor: Cursor, contents: Sequence[int]) -> None:
        """Removes the files of contents that no set has any more, and the contents themselves unless something else
        holds them."""
        sql = "SELECT content_id FROM reference_entries WHERE content_id IN ({})"
        elsewhere = {row[0] for row in cursor.each(sql, contents)}
        alone = sorted(set(contents) - elsewhere)
        cursor.run_each("DELETE FROM images WHERE role = 'reference' AND content_id IN ({})", alone)
        remove_contents(cursor, alone)

    def _wiped(self) -> None:
        """Lets SQLite's log forget what was removed, so that no bytes of it stay on the disk."""
        if self._session.dialect.name == "sqlite":
            sqlite.empty_log(self._session)

    def decisions(self) -> Sequence[Decision]:
        sql = f"SELECT {', '.join(_DECISION)} FROM decisions WHERE expires IS NULL OR expires > ?"
        return [
            Decision(bytes(first).hex(), bytes(second).hex(), Verdict(verdict), *rest)
            for first, second, verdict, *rest in self._session.rows(sql, (now(),))
        ]

    def decide(self, decision: Decision) -> None:
        pair = _pair(decision.sha256, decision.match_sha256)
        columns = (*_DECISION, "created")
        sql = self._session.dialect.upsert("decisions", columns[:2], columns, columns[2:])
        words = (str(decision.verdict), decision.reason, decision.owner, decision.expires, now())

        def work(cursor: Cursor) -> tuple[None, str]:
            cursor.run(sql, (*pair, *words))
            return None, f"{decision.verdict}: {pair[0].hex()} {pair[1].hex()}"

        self._audited("decisions.decide", work)

    def withdraw(self, sha256: str, match_sha256: str) -> bool:
        pair = _pair(sha256, match_sha256)

        def work(cursor: Cursor) -> tuple[bool, str]:
            removed = cursor.run("DELETE FROM decisions WHERE sha256 = ? AND match_sha256 = ?", pair)
            return bool(removed), f"{pair[0].hex()} {pair[1].hex()}" if removed else ""

        return self._audited("decisions.withdraw", work)

    def record(self, report: Report) -> None:
        token = secrets.token_bytes(16)
        counts = (report.judged, len(report.rejected), len(report.skipped))

        def work(cursor: Cursor) -> None:
            if cursor.rows("SELECT id FROM scans WHERE token = ?", (token,)):
                return  # the transaction that was cut off had been committed
            cursor.run(
                "INSERT INTO scans (token, started, seconds, policy, judged, rejected, skipped) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (token, report.started, report.seconds, report.policy, *counts),
            )
            scan = cursor.last_id
            cursor.many(
                "INSERT INTO findings (scan_id, rule, detector, verdict, kind, content_id, match_content_id, `signal`, "
                "score, threshold, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (scan, found.rule, found.detector, str(found.verdict), str(found.kind), found.image.content,
                     found.match.content, found.strongest.signal, found.strongest.score or 0.0,
                     found.strongest.threshold, found.reason)
                    for found in report.findings
                ],
            )  # fmt: skip

        self._session.transact(work)


def _of_sets(sets: Sequence[str]) -> str:
    """The entries of some sets (none named: of all) that hold now; `now()` and the names are to be bound."""
    of_sets = f"reference_entries r JOIN reference_sets s ON s.id = r.set_id WHERE {_HOLDS}"
    return f"{of_sets} AND s.name IN ({marks(sets)})" if sets else of_sets


def _pair(sha256: str, match_sha256: str) -> tuple[bytes, bytes]:
    first, second = sorted((bytes.fromhex(sha256), bytes.fromhex(match_sha256)))
    return first, second
