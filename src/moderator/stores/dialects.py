"""What tells one SQL engine from another, as data. Statements are written once, for all of them.

They use `?` for a value and backticks for a name that is a reserved word somewhere; SQLite takes both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """One engine's differences.

    Attributes:
        name: the URL scheme, and the folder below `sql/`.
        title: what messages call it.
        said: a regular expression that finds the version in what `VERSION()` and `@@version_comment` say together.
        least: the oldest version with what is needed.
        why: what that version brought.
        mark: how the driver writes a value's place.
        begin: begins a transaction that will write.
        lock: ends a SELECT whose rows the transaction is about to change.
        conflict: ends an INSERT whose row may be there: `{key}` names the unique columns, `{changes}` what is set then.
        inserted: the value of `{column}` that could not be inserted, inside `changes`.
        vector: reads a vector column as packed bytes.
        vector_mark: the place of a vector in an INSERT.
        text_vectors: whether vectors travel as text `[1,2]` and not as bytes.
        tables: lists the tables of the database.
        cosine: the cosine similarity of `{column}` and a vector, given as the `{hex}` of its float32 bytes or as
            `{text}`; empty where the engine has none.
        planes: whether bit planes are kept beside the vectors.
        index: a vector index on the column `embedding`, inside CREATE TABLE; empty where the engine has none.
        index_order: ends a SELECT that asks it for the `{count}` closest, the vector given as in `cosine`.
        index_effort: sets for a connection how hard it looks.
    """

    name: str
    title: str
    said: str = ""
    least: tuple[int, ...] = ()
    why: str = ""
    mark: str = "%s"
    begin: str = "BEGIN"
    lock: str = " FOR UPDATE"
    conflict: str = "ON DUPLICATE KEY UPDATE {changes}"
    inserted: str = "VALUES({column})"
    vector: str = "{column}"
    vector_mark: str = "?"
    text_vectors: bool = False
    tables: str = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
    cosine: str = ""
    planes: bool = False
    index: str = ""
    index_order: str = ""
    index_effort: str = ""

    def sql(self, statement: str) -> str:
        """Returns a statement as this engine's driver takes it."""
        return statement.replace("?", self.mark)

    def upsert(self, table: str, key: Sequence[str], columns: Sequence[str], changed: Sequence[str] = ()) -> str:
        """Returns an INSERT that, where the key is there already, sets the `changed` columns, or leaves the row."""
        # MySQL has no DO NOTHING, and its INSERT IGNORE would hide other errors: a key that is set to itself does it.
        news = [f"{name} = {self.inserted.format(column=name)}" for name in changed] or [f"{key[0]} = {table}.{key[0]}"]
        places = ", ".join(self.vector_mark if name == "vector" else "?" for name in columns)
        ending = self.conflict.format(key=", ".join(key), changes=", ".join(news))
        return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) {ending}"


SQLITE = Dialect(
    name="sqlite",
    title="SQLite",
    mark="?",
    begin="BEGIN IMMEDIATE",
    lock="",
    conflict="ON CONFLICT ({key}) DO UPDATE SET {changes}",
    inserted="excluded.{column}",
    tables="SELECT name FROM sqlite_master WHERE type = 'table'",
)
MYSQL = Dialect(
    name="mysql",
    title="MySQL",
    said=r"^(\d+)\.(\d+)\.(\d+)",
    least=(9, 0, 0),
    why="the VECTOR type",
    vector="CAST({column} AS BINARY)",  # PyMySQL cannot decode the column type itself
    # Only HeatWave has the function; written from its documentation and never run. The Community server has planes.
    cosine="1 - DISTANCE({column}, STRING_TO_VECTOR('{text}'), 'COSINE')",
    planes=True,
)
MARIADB = Dialect(
    name="mariadb",
    title="MariaDB",
    said=r"(\d+)\.(\d+)\.(\d+)-MariaDB",
    least=(11, 7, 1),
    why="vector functions",
    cosine="1 - VEC_DISTANCE_COSINE({column}, X'{hex}')",
    index="VECTOR INDEX (embedding) M=16 DISTANCE=cosine",
    index_order="ORDER BY VEC_DISTANCE_COSINE(embedding, X'{hex}') LIMIT {count}",
    index_effort="SET SESSION mhnsw_ef_search = 200",
)
OCEANBASE = Dialect(
    name="oceanbase",
    title="OceanBase",
    said=r"OceanBase(?:_CE)? (\d+)\.(\d+)\.(\d+)",
    least=(4, 3, 3),
    why="vector functions",
    cosine="1 - cosine_distance({column}, X'{hex}')",  # its own cosine_similarity() is (1 + cosine) / 2
    index="VECTOR INDEX by_cosine (embedding) WITH (distance=cosine, type=hnsw, lib=vsag)",
    index_order="ORDER BY cosine_distance(embedding, X'{hex}') APPROXIMATE LIMIT {count}",
    index_effort="SET SESSION ob_hnsw_ef_search = 200",
)
TIDB = Dialect(
    name="tidb",
    title="TiDB",
    said=r"TiDB-v(\d+)\.(\d+)\.(\d+)",
    least=(8, 5, 0),
    why="vectors beside foreign keys",
    vector="VEC_AS_TEXT({column})",
    vector_mark="VEC_FROM_TEXT(?)",
    text_vectors=True,
    cosine="1 - VEC_COSINE_DISTANCE({column}, '{text}')",  # from its documentation, as the index is
    index="VECTOR INDEX by_cosine ((VEC_COSINE_DISTANCE(embedding)))",
    index_order="ORDER BY VEC_COSINE_DISTANCE(embedding, '{text}') LIMIT {count}",
)
SERVERS = (MYSQL, MARIADB, OCEANBASE, TIDB)
"""Engines that are reached by PyMySQL."""


def recognise(said: str) -> tuple[Dialect, tuple[int, ...]]:
    """Returns the engine, and its version, that introduces itself by `VERSION()` and `@@version_comment`."""
    for dialect in (MARIADB, OCEANBASE, TIDB):
        if dialect.title.lower() in said.lower():
            found = re.search(dialect.said, said)
            return dialect, tuple(map(int, found.groups())) if found else ()
    found = re.search(MYSQL.said, said)
    return MYSQL, tuple(map(int, found.groups())) if found else ()
