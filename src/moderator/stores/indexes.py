"""Vector indexes of the engines that have them: for each model a table of its own, made on demand, of known recall.

Such an index is fast and may miss some of the closest, so it is asked only where a policy allows it. Its table mirrors
the vectors up to a sequence number; later ones are compared exactly beside it. After a removal or a replacement, which
the model's lineage tells, it is not asked until it is made again.

No foreign key leads to the table: when a cascade removes a row, MariaDB 11.8's index answers nothing any more, and
OceanBase (seekdb 1.4) refuses the removal. So what is removed is removed here too, by a statement of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from moderator.stores.cosine import Native, Vector
from moderator.stores.session import Cursor, Session
from moderator.stores.tables import index_table, now, packed
from moderator.vectors import unpack_rows

SOME = 1_000
"""Vectors indexed in one statement, which takes about half a second."""
QUERIES, TOP = 50, 10
"""Recall is measured with so many stored vectors, and the so many others that are closest to each: to .02 or so."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index that can be asked: `sequence` is the last that it holds, the others as of `contracts.Guess`."""

    sequence: int
    recall: float
    queries: int
    made: str


def build(session: Session, model: int, dimension: int) -> Index | None:
    """Makes the index of a model anew and measures it; None where the model has no vectors. Raises: StoreError."""
    ((lineage, last),) = session.rows("SELECT lineage, written FROM models WHERE id = ?", (model,))
    _drop(session, model)
    if not last:
        return None
    session.rows(
        f"CREATE TABLE {index_table(model)} (sequence BIGINT NOT NULL PRIMARY KEY, content_id BIGINT NOT NULL, "
        f"embedding VECTOR({dimension:d}) NOT NULL, KEY (content_id), {session.dialect.index})"
    )
    columns = "sequence, content_id, embedding"
    fill = f"REPLACE INTO {index_table(model)} ({columns}) SELECT {columns} FROM embeddings"
    for start in range(0, last, SOME):
        some = (model, start, min(start + SOME, last))
        session.rows(f"{fill} WHERE model_id = ? AND sequence > ? AND sequence <= ?", some)
    index = _measured(session, model, dimension, last)
    session.rows(
        "INSERT INTO vector_indexes (model_id, lineage, sequence, recall, queries, made) VALUES (?, ?, ?, ?, ?, ?)",
        (model, lineage, last, index.recall, index.queries, index.made),
    )
    return index


def drop_stale(session: Session) -> None:
    """Drops the indexes that are not asked any more, and what one that was not finished left. Raises: StoreError.

    MariaDB 11.8 keeps a vector in its index's own file after the row is removed and the table written anew.
    """
    for (model,) in session.rows("SELECT id FROM models"):
        if find(session, model) is None:
            _drop(session, model)


def _drop(session: Session, model: int) -> None:
    session.rows("DELETE FROM vector_indexes WHERE model_id = ?", (model,))
    session.rows(f"DROP TABLE IF EXISTS {index_table(model)}")


def _measured(session: Session, model: int, dimension: int, last: int) -> Index:
    """Asks the index and the engine's exact cosine for the closest to some stored vectors, evenly spread."""
    wanted = sorted({round(1 + place * (last - 1) / (QUERIES - 1)) for place in range(QUERIES)})
    column = session.dialect.vector.format(column="embedding")
    sql = f"SELECT sequence, {column} FROM embeddings WHERE model_id = ? AND sequence IN ({{}})"
    sequences, stored = zip(*session.each(sql, wanted, model), strict=True)
    right = asked = 0
    for own, query in zip(sequences, unpack_rows([packed(one) for one in stored], dimension), strict=True):
        exact = f"ORDER BY {Native(session.dialect).similarity(query)} DESC LIMIT {TOP + 1}"
        sql = f"SELECT sequence FROM embeddings WHERE model_id = ? AND sequence <= ? {exact}"
        closest = {row[0] for row in session.rows(sql, (model, last))} - {own}
        right += len(closest.intersection(_by_index(session, model, query, TOP + 1, "sequence")))
        asked += len(closest)
    return Index(last, right / asked if asked else 1.0, len(stored), now())


def find(session: Session, model: int) -> Index | None:
    """Returns the index of a model; None where there is none that fits the vectors as they are now."""
    sql = (
        "SELECT i.sequence, i.recall, i.queries, i.made FROM vector_indexes i "
        "JOIN models m ON m.id = i.model_id AND m.lineage = i.lineage WHERE i.model_id = ?"
    )
    rows = session.rows(sql, (model,))
    return Index(*rows[0]) if rows else None


def ask(session: Session, model: int, index: Index, query: Vector, count: int) -> list[int]:
    """Returns the contents that the index finds, and those added since that are closest."""
    newer = (
        "SELECT content_id FROM embeddings WHERE model_id = ? AND sequence > ? "
        f"ORDER BY {Native(session.dialect).similarity(query)} DESC LIMIT {count:d}"
    )
    added = [row[0] for row in session.rows(newer, (model, index.sequence))]
    return [*_by_index(session, model, query, count, "content_id"), *added]


def _by_index(session: Session, model: int, query: Vector, count: int, column: str) -> list[int]:
    ending = Native(session.dialect).by_index(query, count)

    def work(cursor: Cursor) -> list[int]:
        if session.dialect.index_effort:
            cursor.run(session.dialect.index_effort)
        return [row[0] for row in cursor.rows(f"SELECT {column} FROM {index_table(model)} {ending}")]

    return session.alone(work)
