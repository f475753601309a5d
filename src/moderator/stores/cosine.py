"""Cosine similarity as SQL: what each engine has for it, and the conditions that narrow a search without losing a row.

Every expression here is complete in itself, with the query's numbers written into it, so that a statement made of them
runs as it is in the engine's own client.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moderator.stores.planes import Question
from moderator.stores.script import text
from moderator.vectors import STORED

TIE = 2e-6
"""How far below a threshold a cosine still counts as at it: vectors are stored as float32, and so rounded."""
ROUNDING = 1e-9
"""More than double arithmetic can lose in a sum of codes."""


@dataclass(frozen=True, slots=True)
class Native:
    """An engine's own cosine: `similarity` is an expression of a `{column}` and of the query, as `{hex}` of its
    float32 bytes or as `{text}`, a JSON array."""

    similarity: str

    def cosine(self, column: str, vector: npt.NDArray[np.float32]) -> str:
        """Returns the expression of the similarity of a column to `vector`."""
        return self.similarity.format(column=column, hex=vector.astype(STORED).tobytes().hex(), text=text(vector))

    def within(self, column: str, vector: npt.NDArray[np.float32], threshold: float) -> str:
        """Returns a condition that holds for every row at or above `threshold`, however float32 sums are rounded."""
        rounding = 4 * len(vector) * 2.0**-24
        return f"{self.cosine(column, vector)} >= {_double(threshold - rounding)}"


NATIVE: Mapping[str, Native] = {
    "mariadb": Native("1 - VEC_DISTANCE_COSINE({column}, X'{hex}')"),
    "oceanbase": Native("1 - cosine_distance({column}, X'{hex}')"),
    "tidb": Native("1 - VEC_COSINE_DISTANCE({column}, '{text}')"),
    # Of MySQL only HeatWave has DISTANCE(); the Community server takes bit planes instead.
    "heatwave": Native("1 - DISTANCE({column}, STRING_TO_VECTOR('{text}'), 'COSINE')"),
}
"""By dialect. TiDB's and HeatWave's are written from their documentation and were never run."""


def by_planes(question: Question) -> str:
    """Returns the expression of the approximate cosine of a row of `embedding_codes`."""
    bits = " + ".join(
        f"{_double(weight)} * BIT_COUNT(planes & _binary X'{mask.hex()}')"
        for weight, mask in zip(question.weights, question.masks, strict=True)
    )
    return f"low * {_double(question.base)} + step * ({_double(question.per_code)} * total + {bits})"


def within_planes(question: Question, threshold: float) -> str:
    """Returns a condition that holds for every row of `embedding_codes` whose vector is at or above `threshold`."""
    return f"{by_planes(question)} + {ROUNDING} >= {cut(question, _double(reach(threshold)))}"


def cut(question: Question, angle: str) -> str:
    """Returns the expression of the least approximate cosine of a row that may be as near as `angle` (an expression,
    in radians): the triangle inequality, with the slack of both sides."""
    return f"COS(LEAST(PI(), {angle} + {_double(question.slack)} + slack))"


def reach(threshold: float) -> float:
    """Returns the largest angle, in radians, of two vectors whose cosine counts as at or above `threshold`."""
    return math.acos(min(1.0, max(-1.0, threshold - TIE)))


def _double(number: float) -> str:
    """Writes a number with an exponent: without one MySQL takes it for a DECIMAL, which it reckons with slowly."""
    return f"{number:.17e}"
