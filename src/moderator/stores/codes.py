"""The table `embedding_codes`: bit planes beside the vectors of an engine that has no cosine of its own."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import partial

from moderator.stores.planes import encode
from moderator.stores.session import Cursor, Session
from moderator.vectors import unpack_rows

SEED_BYTES = 16
BATCH = 500
"""Vectors coded at once where codes are lacking."""

Coded = tuple[int, int, bytes]
"""A vector to be coded: its sequence, its content, and its packed numbers."""

_LACKING = (
    "FROM embeddings e LEFT JOIN embedding_codes k ON k.model_id = e.model_id AND k.sequence = e.sequence "
    "WHERE e.model_id = ? AND k.sequence IS NULL"
)


def write(cursor: Cursor, model: int, dimension: int, vectors: Sequence[Coded]) -> None:
    """Writes the codes of vectors of one model, in the transaction that writes the vectors."""
    if not vectors:
        return
    sequences, contents, packed = zip(*vectors, strict=True)
    codes = encode(unpack_rows(packed, dimension), _seed_for(cursor, model))
    columns = (codes.low, codes.step, codes.total, codes.slack)
    rows = zip(sequences, contents, codes.planes, *(column.tolist() for column in columns), strict=True)
    cursor.many(
        "INSERT INTO embedding_codes (model_id, sequence, content_id, planes, low, step, total, slack) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(model, sequence, content, planes.tobytes(), *numbers) for sequence, content, planes, *numbers in rows],
    )


def complete(session: Session, column: str) -> int:
    """Writes the codes of every vector that lacks them, such as one that another program wrote; returns how many."""
    written = 0
    for model, dimension in session.rows("SELECT id, dimension FROM models"):
        while some := session.transact(partial(_some, model=model, dimension=dimension, column=column)):
            written += some
    return written


def _some(cursor: Cursor, model: int, dimension: int, column: str) -> int:
    # The lock of the model's row, which every writer of its vectors holds.
    cursor.rows("SELECT id FROM models WHERE id = ? FOR UPDATE", (model,))
    rows = cursor.rows(f"SELECT e.sequence, e.content_id, {column} {_LACKING} LIMIT {BATCH}", (model,))
    write(cursor, model, dimension, rows)
    return len(rows)


def lacking(session: Session, model: int) -> list[int]:
    """Returns the contents with a vector that has no codes: a search that goes by codes must look at each of them.

    A foreign key sees to it that there are no codes without a vector, so equal counts mean that none is lacking.
    """
    counts = "SELECT (SELECT COUNT(*) FROM embeddings FORCE INDEX (embeddings_sequence) WHERE model_id = ?) = "
    ((none,),) = session.rows(f"{counts} (SELECT COUNT(*) FROM embedding_codes WHERE model_id = ?)", (model, model))
    return [] if none else [row[0] for row in session.rows(f"SELECT e.content_id {_LACKING}", (model,))]


def seed(session: Session, model: int) -> bytes | None:
    """Returns the seed of a model's rotation; None before its first codes."""
    rows = session.rows("SELECT seed FROM code_seeds WHERE model_id = ?", (model,))
    return bytes(rows[0][0]) if rows else None


def _seed_for(cursor: Cursor, model: int) -> bytes:
    find = "SELECT seed FROM code_seeds WHERE model_id = ?"
    if not (rows := cursor.rows(find, (model,))):
        cursor.run("INSERT INTO code_seeds (model_id, seed) VALUES (?, ?)", (model, secrets.token_bytes(SEED_BYTES)))
        rows = cursor.rows(find, (model,))
    return bytes(rows[0][0])
