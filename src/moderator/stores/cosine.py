"""Cosine similarity as SQL, by what the engine has for it: `Native` or `Planes`.

All text here has the query's numbers written into it, so that a statement runs as it is in the engine's own client.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from moderator.stores.dialects import Dialect
from moderator.stores.planes import Question, question
from moderator.stores.script import text
from moderator.vectors import STORED

Vector = npt.NDArray[np.float32]

TIE = 2e-6
"""How far below a threshold a cosine still counts as at it: vectors are stored as float32, and so rounded."""
ROUNDING = 1e-9
"""More than double arithmetic can lose in a sum of codes."""
FIRST = 4
"""How many times the pictures that are wanted are looked at exactly at first, in a statement that goes by codes."""


class Plan(ABC):
    """How a search for one vector is said in SQL."""

    table: ClassVar[str]
    """Where `similarity` and `within` are asked, with the columns `model_id` and `content_id`."""

    @abstractmethod
    def similarity(self, query: Vector) -> str:
        """Returns an expression that orders rows as their cosine similarity to `query` does, or nearly so."""

    @abstractmethod
    def within(self, query: Vector, threshold: float) -> str:
        """Returns a condition that holds for every row whose cosine similarity is `threshold` or more."""

    @abstractmethod
    def statement(self, model: int, query: Vector, top: int) -> str:
        """Returns one statement that shows the `top` closest pictures, exactly, by path and similarity."""


@dataclass(frozen=True, slots=True)
class Native(Plan):
    """The engine's own cosine, in float32."""

    dialect: Dialect
    table = "embeddings"

    def similarity(self, query: Vector) -> str:
        return self._of("embedding", query)

    def _of(self, column: str, query: Vector) -> str:
        return self.dialect.cosine.format(column=column, **_forms(query))

    def by_index(self, query: Vector, count: int) -> str:
        """Returns the end of a SELECT that asks a vector index for the `count` closest, and may miss some."""
        return self.dialect.index_order.format(count=count, **_forms(query))

    def within(self, query: Vector, threshold: float) -> str:
        rounding = 4 * len(query) * 2.0**-24  # of float32 sums, in whatever order
        return f"{self.similarity(query)} >= {double(threshold - rounding)}"

    def statement(self, model: int, query: Vector, top: int) -> str:
        similarity, shown = self._of("e.embedding", query), _SHOWN.format(model=model, top=top)
        return f"SELECT i.path, MAX({similarity}) AS similarity\nFROM embeddings e\n{shown}"


@dataclass(frozen=True, slots=True)
class Planes(Plan):
    """Bit planes, in MySQL: `seed` rotates the model's codes."""

    seed: bytes
    table = "embedding_codes"

    def similarity(self, query: Vector) -> str:
        return _approximate(question(query, self.seed))

    def within(self, query: Vector, threshold: float) -> str:
        asked = question(query, self.seed)
        return _may_reach(_approximate(asked), asked, double(math.acos(min(1.0, max(-1.0, threshold - TIE)))))

    def statement(self, model: int, query: Vector, top: int) -> str:
        asked = question(query, self.seed)
        return _BY_CODES.format(
            model=model,
            top=top,
            first=FIRST * top,
            numbers=text(query),
            approximate=_approximate(asked),
            exact=_EXACT,
            may_reach=_may_reach("k.approximate", asked, f"ACOS(GREATEST(-1e0, LEAST(1e0, least.similarity - {TIE})))"),
            shown=_SHOWN.format(model=model, top=top),
        )


def _forms(query: Vector) -> dict[str, str]:
    return {"hex": query.astype(STORED).tobytes().hex(), "text": text(query)}


def _approximate(asked: Question) -> str:
    bits = " + ".join(
        f"{double(weight)} * BIT_COUNT(planes & _binary X'{mask.hex()}')"
        for weight, mask in zip(asked.weights, asked.masks, strict=True)
    )
    return f"low * {double(asked.base)} + step * ({double(asked.per_code)} * total + {bits})"


def _may_reach(approximate: str, asked: Question, angle: str) -> str:
    """Says that a row may be as near as `angle`, in radians: the triangle inequality, with the slack of both sides."""
    return f"{approximate} + {ROUNDING} >= COS(LEAST(PI(), {angle} + {double(asked.slack)} + slack))"


def double(number: float) -> str:
    """Writes a number with an exponent: without one MySQL takes it for a DECIMAL, which it reckons with slowly."""
    return f"{number:.17e}"


_SHOWN = """\
JOIN contents c ON c.id = e.content_id AND c.state = 'judged'
JOIN images i ON i.content_id = e.content_id AND i.role = 'picture'
WHERE e.model_id = {model}
GROUP BY i.id, i.path
ORDER BY similarity DESC, i.path
LIMIT {top};
"""

_EXACT = """\
(SELECT SUM(q * (1e0 - (p >> 30 & 2)) * (p & 8388607 | (p >> 23 & 255 > 0) << 23) * POW(2e0, (p >> 23 & 255) - 150e0))
   FROM (SELECT q, CAST(CONV(HEX(REVERSE(SUBSTR(CAST(e.embedding AS BINARY), 4 * n - 3, 4))), 16, 10) AS UNSIGNED) AS p
         FROM query) AS bits)"""
"""The dot product of a stored vector and the query; sql/mysql/functions.sql explains how numbers are read."""

_BY_CODES = """\
WITH
-- The vector that is asked for, a number a row.
query AS (SELECT n, q FROM JSON_TABLE('{numbers}', '$[*]' COLUMNS (n FOR ORDINALITY, q DOUBLE PATH '$')) AS numbers),
-- Every stored vector, compared by its bit planes: near the truth, and off by a known angle at most.
coded AS (
  SELECT sequence, content_id, slack,
    {approximate} AS approximate
  FROM embedding_codes WHERE model_id = {model}
),
-- The exact similarity of some that look closest,
first AS (
  SELECT e.content_id, MAX({exact}) AS similarity
  FROM (SELECT sequence FROM coded ORDER BY approximate DESC LIMIT {first}) AS some
  JOIN embeddings e ON e.model_id = {model} AND e.sequence = some.sequence
  JOIN contents c ON c.id = e.content_id AND c.state = 'judged'
  WHERE EXISTS (SELECT 1 FROM images i WHERE i.content_id = e.content_id AND i.role = 'picture')
  GROUP BY e.content_id ORDER BY similarity DESC LIMIT {top}
),
-- which the pictures wanted must reach.
least AS (SELECT IF(COUNT(*) < {top}, -1e0, MIN(similarity)) AS similarity FROM first)
-- Then every vector that may reach it, exactly: none is missed.
SELECT i.path, MAX({exact}) AS similarity
FROM coded k JOIN least ON {may_reach}
JOIN embeddings e ON e.model_id = {model} AND e.sequence = k.sequence
{shown}"""
