"""The part of the SQL store that keeps vectors, and what else is computed once from a content."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from moderator.contracts import Generation, Scope, VectorBlock, Vectors
from moderator.errors import StoreError, VectorError
from moderator.models import ModelId
from moderator.stores import codes, tables
from moderator.stores.dialects import Dialect
from moderator.stores.session import VARIABLES, Cursor, Row, marks
from moderator.stores.tables import SCOPES, Tables, model_key, new_lineage, packed
from moderator.vectors import pack, unpack_rows

# The hint is MySQL's, a comment elsewhere: by itself it would sort the other index of the model for every block.
_PRIMARY = "/*+ INDEX(embeddings PRIMARY) */"
_IDS = f"SELECT {_PRIMARY} content_id FROM embeddings WHERE model_id = ?"


class Embeddings(Tables):
    """Vectors by model, and features by extractor."""

    _models: dict[ModelId, int]

    def embedded(self, model: ModelId, contents: Sequence[int]) -> frozenset[int]:
        if (number := self._number(model)) is None:
            return frozenset()
        sql = "SELECT DISTINCT content_id FROM embeddings WHERE model_id = ? AND content_id IN ({})"
        return frozenset(row[0] for row in self._session.each(sql, contents, number))

    def vectors(self, model: ModelId, scope: Scope, only: Sequence[int] | None = None) -> Iterator[VectorBlock]:
        if (number := self._number(model)) is None:
            return
        of_scope = f"SELECT c.id FROM contents c WHERE c.state = 'judged' AND {SCOPES[scope]} AND c.id"
        sql = f"SELECT {_PRIMARY} content_id, view, {self._column('embedding')} FROM embeddings WHERE model_id = ?"
        for portion, bounds in self._portions(_IDS, "content_id", (number,), only):
            # Members by themselves: joined with them, MySQL would sort every block, vectors and all.
            members = {row[0] for row in self._session.rows(f"{of_scope} {portion}", bounds)}
            if len(members) <= VARIABLES:
                portion, bounds = f"IN ({marks(sorted(members))})", sorted(members)  # noqa: PLW2901
            read = f"{sql} AND content_id {portion} ORDER BY content_id, view"
            found = self._session.rows(read, (number, *bounds)) if members else []
            if rows := [row for row in found if row[0] in members]:
                yield self._block(rows, model)

    def generation(self, model: ModelId) -> Generation | None:
        if (number := self._number(model)) is None:
            return None
        ((lineage, written),) = self._session.rows("SELECT lineage, written FROM models WHERE id = ?", (number,))
        return Generation(lineage.hex(), written) if written else None

    def added(self, model: ModelId, after: int, upto: int) -> Iterator[VectorBlock]:
        sql = (
            f"SELECT content_id, view, {self._column('embedding')}, sequence FROM embeddings "
            "WHERE model_id = ? AND sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?"
        )
        while rows := self._session.rows(sql, (self._number(model), after, upto, tables.BLOCK)):
            yield self._block([row[:3] for row in rows], model)
            after = rows[-1][3]

    def _column(self, name: str) -> str:
        return self._session.dialect.vector.format(column=name)

    def _block(self, rows: Sequence[Row], model: ModelId) -> VectorBlock:
        ids, views, stored = zip(*rows, strict=True)
        matrix = unpack_rows([packed(one) for one in stored], model.dimension)
        return VectorBlock(np.array(ids, dtype=np.int64), views, matrix)

    def _number(self, model: ModelId) -> int | None:
        if model not in self._models:
            rows = self._session.rows("SELECT id FROM models WHERE model_key = ?", (model_key(model),))
            if not rows:
                return None
            self._models[model] = rows[0][0]
        return self._models[model]

    def _write_vectors(self, cursor: Cursor, written: Sequence[tuple[int, Vectors]]) -> None:
        """Writes the vectors of contents within a transaction, model by model in one order for all programs."""
        by_model: dict[ModelId, dict[int, dict[str, npt.NDArray[np.float32]]]] = {}
        for content, one in written:
            if one.matrix.shape != (len(one.views), one.model.dimension):
                raise VectorError(
                    f"{len(one.views)} vectors of shape {one.matrix.shape} are not of {one.model.name}, "
                    f"which has {one.model.dimension} dimensions"
                )
            by_model.setdefault(one.model, {})[content] = dict(zip(one.views, one.matrix, strict=True))
        for model in sorted(by_model, key=model_key):
            self._write_of_model(cursor, model, by_model[model])

    def _write_of_model(
        self, cursor: Cursor, model: ModelId, made: Mapping[int, Mapping[str, npt.NDArray[np.float32]]]
    ) -> None:
        number, last = self._register(cursor, model)
        dialect = self._session.dialect
        of_contents = "FROM embeddings WHERE model_id = ? AND content_id IN ({})"
        sql = f"SELECT content_id, view, {self._column('embedding')} {of_contents}"
        stored: dict[int, dict[str, bytes]] = {}
        for content, view, vector in cursor.each(sql, list(made), number):
            stored.setdefault(content, {})[view] = packed(vector)
        # What is there already stays, so that a batch that is written again leaves the generation as it is.
        new = {
            content: views
            for content, views in made.items()
            if stored.get(content) != {view: pack(row) for view, row in views.items()}
        }
        if stale := [content for content in new if content in stored]:
            # Under other limits a content has other views: those it had must not stay behind.
            cursor.run_each(f"DELETE {of_contents}", stale, number)
            new_lineage(cursor, number)
        rows = [(content, view, row) for content, views in new.items() for view, row in views.items()]
        cursor.many(
            "INSERT INTO embeddings (content_id, model_id, view, embedding, sequence) "
            f"VALUES (?, ?, ?, {dialect.vector_mark}, ?)",
            [(content, number, view, _stored(dialect, row), last + place)
             for place, (content, view, row) in enumerate(rows, 1)],
        )  # fmt: skip
        if dialect.planes:
            coded = [(last + place, content, pack(row)) for place, (content, _, row) in enumerate(rows, 1)]
            codes.write(cursor, number, model.dimension, coded)
        if rows:
            cursor.run("UPDATE models SET written = ? WHERE id = ?", (last + len(rows), number))

    def _register(self, cursor: Cursor, model: ModelId) -> tuple[int, int]:
        """Returns the number of a model and the last sequence it gave, and keeps other writers of it waiting until the
        transaction ends: so sequences are in the order of commits."""
        find = f"SELECT id, written FROM models WHERE model_key = ?{self._session.dialect.lock}"
        if not (rows := cursor.rows(find, (model_key(model),))):
            columns = ("model_key", "name", "revision", "`precision`", "preprocessing", "dimension", "lineage")
            insert = self._session.dialect.upsert("models", ("model_key",), columns)
            cursor.run(
                insert,
                (model_key(model), model.name, model.revision, model.precision, model.preprocessing, model.dimension,
                 secrets.token_bytes(16)),
            )  # fmt: skip
            rows = cursor.rows(find, (model_key(model),))
        if not rows:
            raise StoreError("a model that was just inserted is not there")
        return rows[0][0], rows[0][1]

    # What else is made of contents

    def features(self, extractor: str, contents: Sequence[int]) -> Mapping[int, bytes]:
        sql = "SELECT content_id, made FROM features WHERE extractor = ? AND content_id IN ({})"
        return dict(self._session.each(sql, contents, extractor))

    def write_features(self, extractor: str, made: Mapping[int, bytes]) -> None:
        columns = ("content_id", "extractor", "made")
        sql = self._session.dialect.upsert("features", columns[:2], columns, columns[2:])
        rows = [(content, extractor, one) for content, one in sorted(made.items())]
        self._session.transact(lambda cursor: cursor.many(sql, rows))


def _stored(dialect: Dialect, row: npt.NDArray[np.float32]) -> bytes | str:
    """A vector as the engine takes it. Nine digits tell every float32 from its neighbours (IEEE 754)."""
    return f"[{','.join(f'{number:.9g}' for number in row.tolist())}]" if dialect.text_vectors else pack(row)
