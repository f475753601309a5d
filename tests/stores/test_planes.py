"""Codes never lie by more than their slack, and are the same everywhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderator.stores.cosine import ROUNDING, TIE
from moderator.stores.planes import MARGIN, Codes, Question, encode, question, rotation
from moderator.vectors import Matrix, cosine, normalise
from tests.stores.hard_vectors import KINDS, clip_vector, hard, searches

SEED = b"seed"
DIMENSIONS = st.sampled_from([1, 2, 3, 8, 12, 37, 64, 100, 512])


def approximate(codes: Codes, asked: Question) -> np.ndarray:
    """What the database computes, with numpy in its place."""
    shared = [np.bitwise_count(codes.planes & np.frombuffer(mask, np.uint8)).sum(axis=1) for mask in asked.masks]
    bits = np.array(asked.weights) @ np.array(shared, dtype=np.float64)
    found: np.ndarray = codes.low * asked.base + codes.step * (asked.per_code * codes.total + bits)
    return found


def exactly(rows: Matrix, query: Matrix) -> np.ndarray:
    a, b = rows.astype(np.float64), query[0].astype(np.float64)
    found: np.ndarray = (a @ b) / np.linalg.norm(a, axis=1) / np.linalg.norm(b)
    return found


@given(searches(DIMENSIONS))
def test_the_angle_of_two_vectors_is_off_by_at_most_both_slacks(drawn: tuple[Matrix, Matrix]) -> None:
    query, rows = drawn
    codes, asked = encode(rows, SEED), question(query[0], SEED)
    found = np.arccos(approximate(codes, asked).clip(-1, 1))
    true, slack = exactly(rows, query), codes.slack + asked.slack
    assert (true <= np.cos((found - slack).clip(0, np.pi)) + ROUNDING).all()
    assert (true >= np.cos((found + slack).clip(0, np.pi)) - ROUNDING).all()
    assert (np.abs(np.cos(found) - true) <= slack + ROUNDING).all()


@given(searches(DIMENSIONS), st.data())
def test_a_threshold_loses_no_vector_that_is_at_or_above_it(drawn: tuple[Matrix, Matrix], data: st.DataObject) -> None:
    query, rows = drawn
    codes, asked, true = encode(rows, SEED), question(query[0], SEED), exactly(rows, query)
    threshold = data.draw(st.one_of(st.sampled_from(true.tolist()), st.floats(-1, 1)))
    cut = np.cos(np.minimum(np.pi, np.arccos(np.clip(threshold - TIE, -1, 1)) + asked.slack + codes.slack))
    kept = approximate(codes, asked) + ROUNDING >= cut
    assert kept[true >= threshold].all()


@pytest.mark.parametrize("kind", KINDS)
def test_four_bits_leave_a_tenth_of_a_radian_or_little_more_of_any_kind_of_vector(kind: str) -> None:
    rows = hard(kind, 200, 512, np.random.default_rng(1))
    assert encode(rows, SEED).slack.mean() < 0.12


@given(searches(DIMENSIONS))
def test_no_slack_is_less_than_what_rounding_may_hide(drawn: tuple[Matrix, Matrix]) -> None:
    assert (encode(drawn[1], SEED).slack >= MARGIN).all()


@given(DIMENSIONS, st.binary(max_size=20))
def test_a_rotation_keeps_every_dot_product(dimension: int, seed: bytes) -> None:
    turned = rotation(seed, dimension)
    assert turned.shape[0] % 8 == 0
    assert np.allclose(turned.T @ turned, np.eye(dimension), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("dimension", "digest"),
    [(512, "d869a04612696ade"), (768, "bf712f0a83331de4"), (100, "75e4ccfbbe08044a")],
)
def test_a_rotation_is_the_same_on_every_machine(dimension: int, digest: str) -> None:
    assert hashlib.sha256(rotation(SEED, dimension).astype("<f8").tobytes()).hexdigest()[:16] == digest


def test_another_seed_is_another_rotation() -> None:
    assert not np.allclose(rotation(b"one", 64), rotation(b"other", 64))


def test_a_huge_dimension_is_spread_over_all(shared_data: Path) -> None:
    vector = clip_vector(shared_data)[0].astype(np.float64)
    assert np.abs(vector).max() > 14 * vector.std()
    turned = rotation(SEED, 512) @ vector
    assert np.abs(turned).max() < 4.5 * turned.std()


def test_the_real_clip_vector_is_as_near_to_itself_as_its_codes_can_tell(shared_data: Path) -> None:
    vector = clip_vector(shared_data)
    codes, asked = encode(vector, SEED), question(vector[0], SEED)
    assert approximate(codes, asked)[0] == pytest.approx(1.0, abs=0.01)
    assert cosine(vector[0], vector[0]) == 1.0


def test_length_does_not_matter() -> None:
    rows = hard("normal", 5, 64, np.random.default_rng(2))
    long, short = encode(rows * 10, SEED), encode(normalise(rows), SEED)
    assert np.array_equal(long.planes, short.planes)
