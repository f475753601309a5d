"""Vectors that are hard on a quantiser, and queries that are hard on a threshold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from moderator.vectors import Matrix, normalise

KINDS = ("normal", "one hot", "constant", "sparse", "huge dimension", "decaying", "two values", "one sign")


def hard(kind: str, count: int, dimension: int, random: np.random.Generator) -> Matrix:
    """Returns unit vectors of a kind, `[count, dimension]`."""
    rows = random.standard_normal((count, dimension))
    place = random.integers(dimension, size=count)
    if kind == "one hot":
        rows = np.eye(dimension)[place] * random.choice([-1.0, 1.0], (count, 1))
    elif kind == "constant":
        rows = np.full((count, dimension), -1.0)
    elif kind == "sparse":
        rows *= random.random((count, dimension)) < 0.02
        rows[np.arange(count), place] += 1.0
    elif kind == "huge dimension":  # as CLIP has: one coordinate longer than all others together
        rows[:, dimension // 5] = -20.0 - random.random(count)
    elif kind == "decaying":
        rows *= 0.5 ** np.arange(dimension)
    elif kind == "two values":
        rows = np.sign(rows) + 0.5
    elif kind == "one sign":
        rows = np.abs(rows)
    return normalise(rows)


def near(query: Matrix, count: int, random: np.random.Generator) -> Matrix:
    """Returns vectors from almost the query itself to far from it, and its opposite."""
    distances = 10.0 ** random.uniform(-7, 0.5, (count, 1))
    rows = query + random.standard_normal((count, query.shape[1])) * distances / np.sqrt(query.shape[1])
    return normalise(np.concatenate([rows, query, -query]))


@st.composite
def searches(draw: st.DrawFn, dimensions: st.SearchStrategy[int]) -> tuple[Matrix, Matrix]:
    """Draws a query `[1, dimension]` and rows of a few kinds with some near the query."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dimension = draw(dimensions)
    query = hard(draw(st.sampled_from(KINDS)), 1, dimension, random)
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
    return query, np.concatenate([near(query, 8, random), *(hard(kind, 6, dimension, random) for kind in kinds)])


def clip_vector(shared_data: Path) -> Matrix:
    """Returns the real CLIP vector as the model gave it, float32 `[1, 512]`, not normalised."""
    return np.array([json.loads((shared_data / "clip-vector.json").read_text())], dtype=np.float32)
