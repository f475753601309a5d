"""A script of names and vectors means the same to every engine's own client, whatever the names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderator.stores.script import literal, script, text
from moderator.vectors import Matrix, normalise, pack
from tests.engines import ENGINES, MYSQL, Engine
from tests.stores.hard_vectors import KINDS, hard, searches

HOSTILE = (
    "plain.jpg",
    "with space (1).jpg",
    "it's.jpg",
    "'); DROP TABLE image_embeddings; -- .jpg",
    'double".jpg',
    "back\\slash\\.jpg",
    "back`tick.jpg",
    "new\nline\r\n\ttab.jpg",
    "nul\0.jpg",
    "\\! touch owned.jpg",
    "delimiter $$.jpg",
    "/* comment */ # -- .jpg",
    "%s %(name)s {text}.jpg",
    "ünï 😀 \u202e\u2028 漢.jpg",
    "no utf-8 \udcff\udc80.jpg",
    "",
)

SAME = {
    "mysql": "CAST(embedding AS BINARY) = X'{hex}'",
    "mariadb": "embedding = X'{hex}'",
    "oceanbase": "l2_distance(embedding, X'{hex}') = 0",  # it shows six digits of a number and no bytes
}
"""How each engine tells that a stored vector is the one with these bytes."""


def stored(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_the_engines_client_loads_every_name_and_every_bit(engine: Engine) -> None:
    random = np.random.default_rng(6)
    matrix = np.concatenate([hard(kind, 2, 12, random) for kind in KINDS])
    made = "".join(script(zip(HOSTILE, matrix, strict=True), engine.name, 12, ["about\n'it'", *HOSTILE]))
    server = engine.server()
    with server.database() as name:
        server.client(made, name)
        names = server.execute("SELECT image_name FROM image_embeddings ORDER BY id", database=name)
        assert [one for (one,) in names] == [stored(one) for one in HOSTILE]
        wanted = np.where(np.abs(matrix) < np.finfo(np.float32).tiny, 0, matrix)
        for place, row in enumerate(wanted, 1):
            same = SAME[engine.name].format(hex=pack(row).hex())
            assert server.execute(f"SELECT {same} FROM image_embeddings WHERE id = {place}", database=name) == ((1,),)


@settings(max_examples=25)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=20))
def test_the_mysql_client_reads_back_any_name(names: list[str]) -> None:
    (row,) = MYSQL.server().client(f"SELECT {', '.join(f'HEX({literal(name)})' for name in names)}").splitlines()[1:]
    assert [bytes.fromhex(one).decode() for one in row.split("\t")] == [stored(name) for name in names]


@given(searches(st.sampled_from([1, 3, 64])))
def test_a_vector_as_text_reads_back_as_the_same_float32(drawn: tuple[Matrix, Matrix]) -> None:
    (query,), _ = drawn
    numbers = np.array([float(number) for number in text(query).strip("[]").split(",")]).astype(np.float32)
    assert np.array_equal(numbers, np.where(np.abs(query) < np.finfo(np.float32).tiny, 0, query))


def test_a_script_without_pictures_makes_an_empty_table() -> None:
    server = MYSQL.server()
    with server.database() as name:
        server.client("".join(script([], "mysql", 3)), name)
        assert server.execute("SELECT COUNT(*) FROM image_embeddings", database=name) == ((0,),)


def test_long_scripts_are_cut_into_several_inserts() -> None:
    rows = [("picture.jpg", row) for row in normalise(np.random.default_rng(7).standard_normal((400, 300)))]
    made = "".join(script(rows, "mysql", 300))
    assert made.count("INSERT INTO") > 1
    assert max(map(len, made.split(";\n"))) < 1_100_000
    server = MYSQL.server()
    with server.database() as name:
        server.client(made, name)
        assert server.execute("SELECT COUNT(*) FROM image_embeddings", database=name) == ((400,),)


def test_a_client_that_stops_at_an_error_has_loaded_nothing() -> None:
    rows = [("first.jpg", np.ones(3, np.float32)), ("longer.jpg", np.ones(4, np.float32))]
    server = MYSQL.server()
    with server.database() as name:
        with pytest.raises(Exception, match="returned non-zero"):
            server.client("".join(script(rows, "mysql", 3)), name)
        assert server.execute("SELECT COUNT(*) FROM image_embeddings", database=name) == ((0,),)
