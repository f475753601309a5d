"""Product identity: of a table of products, is the closest other picture the same item, and are variants told apart?

Copies are another question (`benchmarks.quality`): two photographs of one item are no copies of one another.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import methods
from benchmarks.collection import ITEM, OTHER, RELATIONS, VARIANT, Collection, Numbers, Picture, Query, distinct
from benchmarks.figures import Scored, Scores
from benchmarks.table import RESULTS, machine


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
        scored = list(methods.scored(made, Path(temporary)))
    relations = _relations(pictures)
    ranked = [row(one.name, one.scores, relations) for one in scored if "verified" not in one.name]
    called = {one.name: dict(_called(one, relations)) for one in scored if one.default is not None}
    _print(source.name, len(pictures), ranked, called)
    RESULTS.mkdir(exist_ok=True)
    document = {"title": f"identity, {source.name}", "machine": machine(), "pictures": len(pictures),
                "rows": [asdict(one) for one in ranked], "called copies": called}  # fmt: skip
    (RESULTS / f"identity-{source.name}.json").write_text(json.dumps(document, indent=2) + "\n")


def _among(pictures: Sequence[Picture]) -> Collection:
    """All pictures as references, and the same ones as queries."""
    queries = [Query(one.path, number, "") for number, one in enumerate(pictures)]
    twins = np.zeros((len(pictures),) * 2, dtype=np.bool_)
    return Collection(pictures, pictures, queries, twins, flat=twins[0])


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


def _print(name: str, count: int, rows: Sequence[Row], called: dict[str, dict[str, tuple[int, int]]]) -> None:
    console = Console(width=130)
    table = Table("method", "asked", "recall@1", "mAP", "a variant is closest", box=box.MARKDOWN,
                  title=f"{name}: the same item among {count:,} pictures", title_justify="left")  # fmt: skip
    for one in rows:
        shares = (f"{share:.3f}" for share in (one.first, one.average, one.variant_first))
        table.add_row(one.method, f"{one.asked:,}", *shares)
    console.print(table)
    copies = Table("method", *(RELATIONS[one] for one in (ITEM, VARIANT, OTHER)), box=box.MARKDOWN,
                   title="pairs called copies, at the method's own threshold", title_justify="left")  # fmt: skip
    for method, told in called.items():
        copies.add_row(method, *(f"{found:,} of {of:,}" for found, of in told.values()))
    console.print(copies)
