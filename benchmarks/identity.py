"""Product identity: of a table of products, is the closest other picture the same item, and are variants told apart?

Copies are another question (`benchmarks.quality`): two photographs of one item are no copies of one another.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import methods, table
from benchmarks.collection import ITEM, OTHER, RELATIONS, VARIANT, Collection, Numbers, Picture, Query, distinct
from benchmarks.figures import Scored, Scores


@dataclass(frozen=True, slots=True)
class Row:
    """One method on one table of products; a variant of the item asked is neither right nor wrong.

    Attributes:
        asked: pictures of which another photograph is there.
        first: the share of them whose closest picture shows the same item (recall@1).
        average: mean average precision of all pictures of the same item.
        variant_first: the share whose very closest picture, variants counted, is a variant.
    """

    method: str
    asked: int
    first: float
    average: float
    variant_first: float


@dataclass(frozen=True, slots=True)
class Called:
    """How many pairs a method calls copies, of how many, by what they are."""

    method: str
    pairs: dict[str, tuple[int, int]]


def counted(relation: str) -> table.Column:
    """Returns the column of one relation."""
    return lambda one: "{:,} of {:,}".format(*one.pairs[relation])


RANKED: dict[str, table.Column] = {
    "method": lambda one: one.method,
    "asked": lambda one: f"{one.asked:,}",
    "recall@1": lambda one: f"{one.first:.3f}",
    "mAP": lambda one: f"{one.average:.3f}",
    "a variant is closest": lambda one: f"{one.variant_first:.3f}",
}
CALLED: dict[str, table.Column] = {
    "method": lambda one: one.method,
    **{name: counted(name) for name in (RELATIONS[relation] for relation in (ITEM, VARIANT, OTHER))},
}


def row(name: str, scores: Scores, relations: Numbers) -> Row:
    """Returns the figures of a square of scores; the diagonal is left out."""
    scores = scores.copy()
    np.fill_diagonal(scores, -np.inf)
    firsts, averages, variants = [], [], []
    for one, told in zip(scores, relations, strict=True):
        right = told == ITEM
        if right.any():
            order = np.argsort(-one, kind="stable")
            order = order[np.isfinite(one[order])]
            variants.append(bool(len(order)) and told[order[0]] == VARIANT)
            ranked = right[order[told[order] != VARIANT]]
            firsts.append(bool(len(ranked)) and bool(ranked[0]))
            places = np.flatnonzero(ranked)
            averages.append(float((np.arange(1, len(places) + 1) / (places + 1)).sum() / right.sum()))
    return Row(name, len(firsts), *(float(np.mean(one)) for one in (firsts, averages, variants)))


def publish(source: Path) -> None:
    """Measures the pictures of a folder against one another, prints the tables, and writes the JSON."""
    pictures = list(distinct(source, 0))
    made = _among(pictures)
    with tempfile.TemporaryDirectory() as temporary:
        scored = [one for one in methods.scored(made, Path(temporary), as_set=False) if isinstance(one, Scored)]
    relations = _relations(pictures)
    ranked = [row(one.name, one.scores, relations) for one in scored if "verified" not in one.name]
    called = [Called(one.name, dict(_called(one, relations))) for one in scored if one.default is not None]
    table.publish(f"identity-{source.name}", ranked, f"the same item among {len(pictures):,} pictures", RANKED)
    table.publish(f"identity-copies-{source.name}", called, "called copies, at the method's own threshold", CALLED)


def _among(pictures: Sequence[Picture]) -> Collection:
    """All pictures as references, and the same ones as queries."""
    queries = [Query(one.path, number, "") for number, one in enumerate(pictures)]
    twins = np.zeros((len(pictures),) * 2, dtype=np.bool_)
    return Collection(pictures, pictures, queries, twins, shared=twins, flat=twins[0], plain=())


def _relations(pictures: Sequence[Picture]) -> Numbers:
    items, families = (np.array([getattr(one, name) for one in pictures]) for name in ("item", "family"))
    told = np.where(families[:, None] == families[None, :], VARIANT, OTHER)
    return np.where(items[:, None] == items[None, :], ITEM, told)


def _called(one: Scored, relations: Numbers) -> Iterator[tuple[str, tuple[int, int]]]:
    """How many pairs are called copies at the method's own threshold, of how many, by what they are."""
    once = np.triu(np.ones(relations.shape, dtype=bool), 1)
    found = np.maximum(one.scores, one.scores.T) >= (one.default or 0.0)
    for relation in (ITEM, VARIANT, OTHER):
        chosen = once & (relations == relation)
        yield RELATIONS[relation], (int((found & chosen).sum()), int(chosen.sum()))
