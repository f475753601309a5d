"""How sure the signs of a pair make us: two small forests of boosted trees, whose nodes are data.

One tells whether the two pictures are one picture (`structure`), the other whether their colours differ by an edit of
the whole rather than by another colour of a thing (`colours`). Both are monotone: more agreement never makes a copy
less probable. `probability.json` holds them with how they were fitted; `benchmarks.fit_verification` fits them
anew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from moderator.errors import EnvironmentFault
from moderator.search.verify.signs import SIGNS, Measured

Values = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Boosted regression trees; the logistic function of their sum is a probability.

    All trees stand in one row of nodes, each of which leads to two others; a leaf leads to itself.

    Attributes:
        roots: int64 `[trees]`, where each tree begins.
        sign: int64 `[nodes]`, which sign a node asks.
        least: float64 `[nodes]`: signs up to this go `left`, larger ones right, which is the node after `left`.
        left: int64 `[nodes]`.
        value: float64 `[nodes]`, of a leaf.
        deepest: no leaf is more steps from its root.
    """

    base: float
    roots: Numbers
    sign: Numbers
    least: Values
    left: Numbers
    value: Values
    deepest: int

    def probability(self, signs: Values) -> float:
        """Returns the probability for one vector of signs `[len(SIGNS)]`."""
        at = self.roots
        for _ in range(self.deepest):
            at = self.left[at] + (signs[self.sign[at]] > self.least[at])
        return float(1.0 / (1.0 + np.exp(-(self.base + self.value[at].sum()))))


@dataclass(frozen=True, slots=True)
class Model:
    """The two forests, for pairs of which both pictures are there, or one is known by what is stored."""

    structure: Forest
    colours: Forest

    def same(self, signs: Values) -> float:
        """Returns the probability that a pair is one picture, in whatever colours; it asks no sign of colour."""
        return self.structure.probability(signs)

    def copy_and_variant(self, same: float, signs: Values) -> tuple[float, float]:
        """Returns the probabilities that a pair is a copy, and that it is a picture with a thing in another colour, of
        that it is one picture, `same`."""
        colours = self.colours.probability(signs)
        return same * colours, same * (1.0 - colours)


@cache
def model(*, stored: bool) -> Model:
    """Returns the shipped model. Raises: EnvironmentFault when the file does not fit this version."""
    document: Any = json.loads(files(__package__).joinpath("probability.json").read_text("utf-8"))
    if tuple(document["signs"]) != SIGNS:
        raise EnvironmentFault("the model of verification is of another version", hint="reinstall moderator")
    fitted = document["stored" if stored else "whole"]
    return Model(forest(fitted["structure"]), forest(fitted["colours"]))


def likeliest(ways: Sequence[Measured]) -> tuple[float, Measured]:
    """Returns by which of the ways in which a pair may lie it is likeliest to be one picture, and that probability."""
    told = [(model(stored=one.stored).same(one.signs), one) for one in ways]
    return max(told, key=lambda each: each[0])


def forest(document: Any) -> Forest:
    """Reads a forest from its document: a base, and for each tree the nodes [sign, least, left, value]."""
    longest = max(len(tree) for tree in document["trees"])
    leaf = [-1, 0.0, 0, 0.0]
    rows = [node for tree in document["trees"] for node in (*tree, *[leaf] * (longest - len(tree)))]
    sign, least, left, value = np.array(rows, dtype=np.float64).T
    own = np.arange(len(rows))
    roots, inner = own[::longest], sign >= 0
    return Forest(
        document["base"],
        roots,
        np.maximum(sign, 0).astype(np.int64),
        np.where(inner, least, np.inf),
        np.where(inner, np.repeat(roots, longest) + left.astype(np.int64), own),
        np.ascontiguousarray(value),
        longest // 2,
    )
