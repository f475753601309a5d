"""Vectors are normalised, packed and compared, and nothing is cut, padded or guessed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from moderator.errors import VectorError
from moderator.vectors import STORED, cosine, normalise, pack, unpack

NUMBERS = st.floats(-1e3, 1e3, width=32)
VECTORS = hnp.arrays(np.float32, st.integers(1, 600), elements=NUMBERS)
ANY_FLOAT32 = hnp.arrays(np.float32, st.integers(0, 600), elements=st.floats(width=32))
MATRICES = hnp.arrays(np.float32, st.tuples(st.integers(1, 8), st.integers(1, 40)), elements=NUMBERS)


@given(ANY_FLOAT32)
def test_unpacking_gives_back_every_bit_that_was_packed(vector: np.ndarray) -> None:
    assert unpack(pack(vector), len(vector)).tobytes() == vector.tobytes()


@given(VECTORS)
def test_a_packed_vector_is_little_endian_float32(vector: np.ndarray) -> None:
    assert np.array_equal(np.frombuffer(pack(vector.astype(">f4")), "<f4"), vector)


@given(st.binary(max_size=100), st.integers(0, 30))
def test_bytes_of_another_length_are_refused_and_never_cut_or_padded(packed: bytes, dimension: int) -> None:
    assume(len(packed) != dimension * STORED.itemsize)
    with pytest.raises(VectorError, match=f"has {len(packed)} bytes"):
        unpack(packed, dimension)


def test_a_matrix_is_not_packed_as_one_vector() -> None:
    with pytest.raises(VectorError, match="one vector is packed at a time"):
        pack(np.zeros((2, 3), dtype=np.float32))


def test_an_unpacked_vector_can_be_written_to() -> None:
    vector = unpack(pack(np.ones(3, dtype=np.float32)), 3)
    vector[0] = 7
    assert vector.tolist() == [7, 1, 1]


@given(MATRICES)
def test_normalised_rows_have_length_one(matrix: np.ndarray) -> None:
    assume((np.linalg.norm(matrix.astype(np.float64), axis=1) > 0).all())
    rows = normalise(matrix)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows.astype(np.float64), axis=1) == pytest.approx(1, abs=1e-6)


@given(VECTORS, st.floats(1e-3, 1e3))
def test_normalising_keeps_the_direction(vector: np.ndarray, scale: float) -> None:
    assume(np.linalg.norm(vector.astype(np.float64)) > 1e-3)
    assert np.allclose(normalise(vector), normalise(vector.astype(np.float64) * scale), atol=1e-6)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_row_with_a_number_that_is_not_finite_is_refused(wrong: float) -> None:
    with pytest.raises(VectorError, match="NaN or infinity"):
        normalise([[1.0, 0.0], [wrong, 1.0]])


def test_a_zero_row_is_refused_even_among_good_ones() -> None:
    with pytest.raises(VectorError, match="zero vector"):
        normalise([[1.0, 0.0], [0.0, 0.0]])


def test_a_stack_of_matrices_is_refused() -> None:
    with pytest.raises(VectorError, match=r"\(2, 2, 2\)"):
        normalise(np.ones((2, 2, 2)))


@given(st.integers(1, 20), st.integers(1, 20))
def test_vectors_of_different_dimensions_are_never_compared(first: int, second: int) -> None:
    assume(first != second)
    with pytest.raises(VectorError, match="different dimensions"):
        cosine(np.ones(first, dtype=np.float32), np.ones(second, dtype=np.float32))


@given(VECTORS)
def test_the_cosine_of_a_vector_with_itself_is_one(vector: np.ndarray) -> None:
    assume(np.linalg.norm(vector.astype(np.float64)) > 0)
    assert cosine(vector, vector) == pytest.approx(1, abs=1e-6)
    assert cosine(vector, -vector) == pytest.approx(-1, abs=1e-6)


def test_vectors_at_right_angles_have_cosine_zero() -> None:
    assert cosine(np.array([3, 0], np.float32), np.array([0, 5], np.float32)) == 0


def test_a_vector_at_45_degrees_has_the_cosine_of_45_degrees() -> None:
    assert cosine(np.array([1, 1], np.float32), np.array([9, 0], np.float32)) == pytest.approx(2**-0.5)


def test_a_real_clip_vector_has_cosine_one_with_itself(shared_data: Path) -> None:
    numbers = np.array(json.loads((shared_data / "clip-vector.json").read_text()), dtype=np.float32)
    stored = unpack(pack(normalise(numbers)[0]), 512)
    assert np.linalg.norm(numbers) == pytest.approx(10.1, abs=0.1)
    assert cosine(numbers, numbers) == pytest.approx(1, abs=1e-6)
    assert cosine(stored, numbers) == pytest.approx(1, abs=1e-6)
