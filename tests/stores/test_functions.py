"""The stored functions for people in a shell say what numpy says, installed by the engines' own clients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pymysql
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from moderator.resources import resource
from moderator.vectors import Matrix, pack
from tests.engines import MARIADB, MYSQL, Engine
from tests.stores.hard_vectors import clip_vector, searches

if TYPE_CHECKING:
    from pymysql.connections import Connection

ON_A_SERVER = settings(max_examples=40)
DIMENSIONS = st.sampled_from([1, 2, 3, 12, 100, 512])


@dataclass(frozen=True)
class Shell:
    """A connection to a database in which the engine's own client has run functions.sql."""

    connection: Connection[Any]
    engine: Engine

    @property
    def exact(self) -> float:
        """How near the engine comes to float64: MySQL reckons with doubles, MariaDB with float32."""
        return 1e-12 if self.engine is MYSQL else 1e-5

    def ask(self, expression: str, *vectors: np.ndarray) -> Any:
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT {expression}", [pack(vector) for vector in vectors])
            row = cursor.fetchone()
        assert row is not None
        return row[0]

    def cosine(self, a: np.ndarray, b: np.ndarray) -> Any:
        return self.ask("cosine_similarity(_binary %s, _binary %s)", a, b)


@pytest.fixture(scope="module", params=[MYSQL, MARIADB], ids=lambda engine: engine.name)
def shell(request: pytest.FixtureRequest) -> Iterator[Shell]:
    engine: Engine = request.param
    server = engine.server()
    with server.database() as name:
        server.client(resource("sql", engine.name, "functions.sql").read_text(), name)
        connection = server.connect(name)
        yield Shell(connection, engine)
        connection.close()


@ON_A_SERVER
@given(drawn=searches(DIMENSIONS))
def test_cosine_similarity_is_that_of_numpy(shell: Shell, drawn: tuple[Matrix, Matrix]) -> None:
    (a,), rows = drawn
    for b in rows[:3]:
        assert shell.cosine(a, b) == pytest.approx(a.astype(float) @ b.astype(float), abs=1e-6 + shell.exact)


@ON_A_SERVER
@given(
    pair=DIMENSIONS.flatmap(
        lambda dimension: hnp.arrays(np.float32, (2, dimension), elements=st.floats(-1000, 1000, width=32))
    )
)
def test_dot_and_norm_are_those_of_numpy(shell: Shell, pair: np.ndarray) -> None:
    a, b = pair
    wide = pair.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    allowed = shell.exact * (1 + lengths.max() ** 2)
    assert shell.ask("vector_dot(_binary %s, _binary %s)", a, b) == pytest.approx(wide[0] @ wide[1], abs=allowed)
    assert shell.ask("vector_norm(_binary %s)", a) == pytest.approx(lengths[0], rel=1e-5, abs=1e-30)


def test_the_real_clip_vector_compared_with_itself_is_one(shell: Shell, shared_data: Path) -> None:
    (vector,) = clip_vector(shared_data)
    assert shell.cosine(vector, vector) == 1.0
    assert shell.cosine(vector, -vector) == -1.0
    assert shell.ask("vector_norm(_binary %s)", vector) == pytest.approx(10.13788, abs=1e-5)


def test_the_longest_vector_is_taken(shell: Shell) -> None:
    vector = np.random.default_rng(3).standard_normal(16383).astype(np.float32)
    assert shell.cosine(vector, vector) == pytest.approx(1.0, abs=1e-6)


def test_a_zero_vector_is_like_nothing(shell: Shell) -> None:
    zero, one = np.zeros(3, np.float32), np.ones(3, np.float32)
    assert shell.cosine(zero, one) is None
    assert shell.ask("vector_norm(_binary %s)", zero) == 0.0


def test_vectors_of_different_dimensions_are_never_cut_to_fit(shell: Shell) -> None:
    two, three = np.ones(2, np.float32), np.ones(3, np.float32)
    if shell.engine is MYSQL:
        with pytest.raises(pymysql.MySQLError, match="different dimensions"):
            shell.cosine(two, three)
    else:
        assert shell.cosine(two, three) is None
