"""A scan of codes loses no pair that float64 says is at or above the threshold, and keeps few that are not."""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderator.errors import ModelMismatch
from moderator.search import codes
from moderator.search.codes import Codes
from moderator.vectors import Matrix, normalise


@pytest.fixture(params=["numkong", "numpy"], autouse=True)
def products(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs each test with NumKong and without it."""
    if request.param == "numpy":
        monkeypatch.setitem(sys.modules, "numkong", None)
    return str(request.param)


def encoded(matrix: Matrix, first: int = 0) -> Codes:
    return codes.encode(np.arange(first, first + len(matrix), dtype=np.int64), matrix)


def cosines(first: Matrix, second: Matrix) -> npt.NDArray[np.float64]:
    result: npt.NDArray[np.float64] = first.astype(np.float64) @ second.astype(np.float64).T
    return result


@st.composite
def matrices(draw: st.DrawFn, dimension: int) -> Matrix:
    """Unit vectors: random ones, ones that a few large numbers make, and copies of one another."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = random.standard_normal((draw(st.integers(1, 12)), dimension))
    if draw(st.booleans()):
        rows[:, : draw(st.integers(1, dimension))] *= 30
    if draw(st.booleans()):
        rows = rows[random.integers(0, len(rows), len(rows))] + random.standard_normal(rows.shape) * 0.05
    return normalise(rows)


@given(st.sampled_from([1, 2, 3, 8, 17, 64]), st.floats(-1, 1), st.data())
@settings(max_examples=60)
def test_every_row_at_or_above_the_threshold_is_reached(
    dimension: int, threshold: float, data: st.DataObject
) -> None:
    queries, corpus = data.draw(matrices(dimension)), data.draw(matrices(dimension))
    reached = codes.reach(encoded(queries), encoded(corpus), threshold)
    assert reached[(cosines(queries, corpus) >= threshold).any(axis=0)].all()


@given(st.sampled_from([1, 2, 3, 8, 17, 64]), st.data())
@settings(max_examples=60)
def test_a_product_of_codes_is_the_cosine_within_the_slack_of_both(dimension: int, data: st.DataObject) -> None:
    first, second = data.draw(matrices(dimension)), data.draw(matrices(dimension))
    one, other = encoded(first), encoded(second)
    products = codes.product(one.matrix)(other.matrix).T * codes.step(dimension) ** 2
    bound = one.slack[:, None] + other.slack + one.slack[:, None] * other.slack
    assert (np.abs(products - cosines(first, second)) <= bound).all()


def test_a_pair_that_stands_at_the_threshold_is_reached_whatever_stands_in_its_way() -> None:
    random = np.random.default_rng(3)
    query = normalise(random.standard_normal((1, 512)))
    away = normalise(random.standard_normal((200, 512)))
    away = normalise(away - cosines(away, query) * query)
    corpus = normalise(0.9 * query + np.sqrt(1 - 0.81) * away)
    exact = cosines(query, corpus)[0]
    assert codes.reach(encoded(query), encoded(corpus), float(exact.min())).all()


def test_what_is_well_below_the_threshold_is_not_reached() -> None:
    corpus = normalise(np.random.default_rng(4).standard_normal((5_000, 512)))
    reached = codes.reach(encoded(corpus[:3]), encoded(corpus), 0.5)
    assert np.flatnonzero(reached).tolist() == [0, 1, 2]


def test_turning_keeps_lengths_and_spreads_a_vector_that_has_one_large_number() -> None:
    one = np.zeros((1, 512), dtype=np.float32)
    one[0, 133] = 1.0
    made = encoded(one)
    assert np.linalg.norm(made.matrix * codes.step(512)) == pytest.approx(1.0, abs=float(made.slack[0]))
    assert made.slack[0] < 0.02


def test_many_queries_reach_what_each_of_them_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "QUERIES", 7)
    monkeypatch.setattr(codes, "ROWS", 16)
    corpus = encoded(normalise(np.random.default_rng(5).standard_normal((100, 8))))
    queries = corpus[:20]
    alone = [codes.reach(queries[row : row + 1], corpus, 0.6) for row in range(20)]
    assert (codes.reach(queries, corpus, 0.6) >= np.any(alone, axis=0)).all()


def test_codes_of_different_dimensions_are_never_compared() -> None:
    two, three = encoded(np.eye(2, dtype=np.float32)), encoded(np.eye(3, dtype=np.float32))
    with pytest.raises(ModelMismatch, match="2 and 3 dimensions"):
        codes.reach(two, three, 0.5)


def test_numpy_and_numkong_make_the_same_products(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = encoded(normalise(np.random.default_rng(6).standard_normal((50, 512)))).matrix
    whole = rows.astype(np.int64) @ rows.astype(np.int64).T
    for count in (1, 50):
        assert np.array_equal(codes.product(rows[:count])(rows), whole[:, :count])
