"""Each engine's own cosine, asked on real servers: near float64, and no row at or above a threshold is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderator.stores.cosine import Native, Planes
from moderator.stores.dialects import SERVERS
from moderator.stores.planes import encode
from moderator.vectors import Matrix, normalise, pack
from tests.engines import MARIADB, MYSQL, OCEANBASE, Engine
from tests.stores.hard_vectors import clip_vector, hard, searches

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

SEED = b"seed"
ON_A_SERVER = settings(max_examples=40)
DIMENSIONS = st.sampled_from([2, 12, 64, 512])
PLANES = """
CREATE TABLE embedding_codes (
  id BIGINT PRIMARY KEY, planes VARBINARY(8192) NOT NULL, low DOUBLE NOT NULL, step DOUBLE NOT NULL,
  total INT NOT NULL, slack DOUBLE NOT NULL)
"""


def cursor_of(engine: Engine, table: str) -> Iterator[Cursor]:
    server = engine.server()
    with server.database() as name:
        connection = server.connect(name)
        with connection.cursor() as cursor:
            cursor.execute(table)
            yield cursor
        connection.close()


@pytest.fixture(scope="module")
def mysql() -> Iterator[Cursor]:
    yield from cursor_of(MYSQL, PLANES)


@pytest.fixture(scope="module", params=[MARIADB, OCEANBASE], ids=lambda engine: engine.name)
def native(request: pytest.FixtureRequest) -> Iterator[tuple[Cursor, Native]]:
    """A cursor on a table of vectors of any dimension, and the engine's plan."""
    (dialect,) = [one for one in SERVERS if one.name == request.param.name]
    for cursor in cursor_of(request.param, "CREATE TABLE pictures (id BIGINT PRIMARY KEY, embedding MEDIUMBLOB)"):
        yield cursor, Native(dialect)


def fill_planes(cursor: Cursor, rows: Matrix) -> None:
    codes = encode(rows, SEED)
    cursor.execute("DELETE FROM embedding_codes")
    columns = (codes.low, codes.step, codes.total, codes.slack)
    numbers = zip(*(column.tolist() for column in columns), strict=True)
    cursor.executemany(
        "INSERT INTO embedding_codes VALUES (%s, _binary %s, %s, %s, %s, %s)",
        [(place, codes.planes[place].tobytes(), *row) for place, row in enumerate(numbers)],
    )


def fill(cursor: Cursor, rows: Matrix) -> None:
    cursor.execute("DELETE FROM pictures")
    cursor.executemany(
        "INSERT INTO pictures VALUES (%s, _binary %s)", [(place, pack(row)) for place, row in enumerate(rows)]
    )


def column(cursor: Cursor, sql: str) -> Sequence[Any]:
    cursor.execute(sql)
    return [row[0] for row in cursor.fetchall()]


def exactly(rows: Matrix, query: Matrix) -> np.ndarray:
    found: np.ndarray = rows.astype(np.float64) @ query[0].astype(np.float64)
    return found


@ON_A_SERVER
@given(drawn=searches(DIMENSIONS), data=st.data())
def test_bit_planes_in_mysql_lose_nothing_at_or_above_a_threshold(
    mysql: Cursor, drawn: tuple[Matrix, Matrix], data: st.DataObject
) -> None:
    query, rows = drawn
    true = exactly(rows, query)
    threshold = data.draw(st.one_of(st.sampled_from(true.tolist()), st.floats(-1, 1)))
    fill_planes(mysql, rows)
    kept = column(mysql, f"SELECT id FROM embedding_codes WHERE {Planes(SEED).within(query[0], threshold)}")
    assert set(np.flatnonzero(true >= threshold)) <= set(kept)


def test_bit_planes_in_mysql_are_as_near_as_four_bits_can_be(mysql: Cursor) -> None:
    random = np.random.default_rng(4)
    rows = hard("huge dimension", 2000, 512, random)
    fill_planes(mysql, rows)
    found = column(mysql, f"SELECT {Planes(SEED).similarity(rows[7])} FROM embedding_codes ORDER BY id")
    assert np.abs(np.array(found) - exactly(rows, rows[7:8])).max() < 0.025


def test_bit_planes_in_mysql_set_apart_what_is_far(mysql: Cursor) -> None:
    rows = hard("normal", 2000, 512, np.random.default_rng(5))
    fill_planes(mysql, rows)
    kept = column(mysql, f"SELECT id FROM embedding_codes WHERE {Planes(SEED).within(rows[7], 0.6)}")
    assert kept == [7]


@ON_A_SERVER
@given(drawn=searches(DIMENSIONS), data=st.data())
def test_a_native_cosine_loses_nothing_at_or_above_a_threshold(
    native: tuple[Cursor, Native], drawn: tuple[Matrix, Matrix], data: st.DataObject
) -> None:
    (cursor, plan), (query, rows) = native, drawn
    true = exactly(rows, query)
    threshold = data.draw(st.one_of(st.sampled_from(true.tolist()), st.floats(-1, 1)))
    fill(cursor, rows)
    kept = column(cursor, f"SELECT id FROM pictures WHERE {plan.within(query[0], threshold)}")
    assert set(np.flatnonzero(true >= threshold)) <= set(kept)


def test_the_real_clip_vector_is_one_with_itself_in_a_native_cosine(
    native: tuple[Cursor, Native], shared_data: Path
) -> None:
    (cursor, plan), vector = native, clip_vector(shared_data)
    for rows in (vector, normalise(vector)):
        fill(cursor, rows)
        (found,) = column(cursor, f"SELECT {plan.similarity(rows[0])} FROM pictures")
        assert found == pytest.approx(1.0, abs=1e-6)
