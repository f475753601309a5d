"""How well edited copies are found, and how often something else is taken for one, on pictures of any folder.

    python -m benchmarks.quality [--long] [--battery NAME] [--peers] [--wall] [--plot] [FOLDER...]

Half of the pictures set each method's thresholds, the other half is reported, so that nothing is tuned to what it is
judged by. Beside each tool's own threshold stand those at which precision was .999 and .99 on the first half. Without
folders, crops of scikit-image's photographs stand in, which are few and easy.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from benchmarks import collection, identity, methods, peers, table, wall
from benchmarks.batteries import BATTERIES
from benchmarks.collection import RECOLOURED, Collection, Sizes
from benchmarks.figures import PRECISIONS, At, Judge, Row, Scored
from benchmarks.plot import draw
from moderator import demo

SEED = 20
SHORT, LONG = Sizes(20, 5, 12), Sizes(200, 6, 300)
HARDEST = 14
PLOTS = Path(__file__).parents[1] / "docs"
DRAWN = 5
"""Methods that a plot shows: the product's own, then other tools that tell how close two pictures are."""
KEY = (
    "recall (precision): own, at the method's own threshold; at .999 and .99, at the lowest threshold with that "
    "precision on the other half (none: there is none). low: the lower end of the 95% interval of recall at .999; "
    "plain: recall of plain edits there; false: false pairs there, another photo of the item/a variant/another, "
    "and in 10⁶ comparisons. µAP: micro average precision. s: seconds"
)
AXES = "wrong pairs in a million comparisons (the first point: none, told as half a pair)", "share of copies missed"


@dataclass(frozen=True, slots=True)
class Edited:
    """One edit, and the recall of two methods on it."""

    edit: str
    first: float
    second: float


def measured(source: Path, folder: Path, chosen: argparse.Namespace) -> tuple[Collection, list[Scored], dict[str, str]]:
    """Makes a collection and returns every method's scores on it, and which tools cannot be had, with why."""
    made = collection.make(source, folder, _sizes(chosen), chosen.seed, chosen.battery)
    rows: list[Scored] = []
    absent: dict[str, str] = {}
    for one in chain(methods.scored(made, folder), peers.compared(made, folder) if chosen.peers else ()):
        if isinstance(one, Scored):
            rows.append(one)
        else:
            absent[one[0]] = one[1]
    return made, rows, absent


def _sizes(chosen: argparse.Namespace) -> Sizes:
    sizes = LONG if chosen.long else SHORT
    given = (getattr(chosen, name) for name in ("references", "edits", "strangers"))
    known = (sizes.references, sizes.edits, sizes.strangers)
    return Sizes(*(known if one is None else one for one, known in zip(given, known, strict=True)))


def publish(name: str, made: Collection, rows: Sequence[Row], absent: Mapping[str, str]) -> None:
    """Prints the tables of one folder and writes quality-<name>.json and quality-edits-<name>.json."""
    telling = [_telling(made, rows[0])] if made.flat.any() else []
    notes = [KEY, *telling, *(f"{tool}: not measured: {why}" for tool, why in absent.items())]
    told = {"commit": _commit(), "absent": absent}
    table.publish(f"quality-{name}", rows, "\n".join([_described(made), *notes]), METHODS, **told)
    strict = f"{PRECISIONS[0]}"
    shares = [one.frozen[strict].by_edit for one in rows[:2]]
    hardest = sorted(shares[0], key=lambda edit: shares[0][edit])[:HARDEST]
    edits = [Edited(edit, *(one[edit] for one in shares)) for edit in hardest]
    columns = {
        "edit": lambda one: one.edit,
        rows[0].method: lambda one: _share(one.first),
        rows[1].method: lambda one: _share(one.second),
    }
    table.publish(f"quality-edits-{name}", edits, f"recall at {strict}, the hardest edits", columns)


def _described(made: Collection) -> str:
    queries, references = made.judged()
    copies = [one.source < len(made.references) and one.edit != RECOLOURED for one in made.queries]
    own = int(np.sum(np.array(copies) & queries))
    return (
        f"{len(made.references):,} references, {len(made.sources) - len(made.references):,} other pictures, "
        f"{len(made.queries):,} edited copies of both; judged: {own:,} copies, {int(queries.sum()):,} queries x "
        f"{int(references.sum()):,} references; {int(np.triu(made.twins).sum())} pairs of pictures and "
        f"{int(made.shared.sum())} crops of what two have in common unsure, not counted"
    )


def _telling(made: Collection, row: Row) -> str:
    """What is found where the original is not too plain to recognise, at the method's own threshold and the strict."""
    own, strict = (
        f"{_share(at.telling[0])} (plain {_share(at.telling[1])})" if at and at.threshold is not None else "-"
        for at in (row.default, row.frozen[f"{PRECISIONS[0]}"])
    )
    count = int(made.flat[made.judged()[1]].sum())
    return (
        f"Without the judged references that a scan calls too plain ({count:,}) to recognise: recall of {row.method} "
        f"{own}, at {PRECISIONS[0]} {strict}"
    )


def _share(share: float | None) -> str:
    return "-" if share is None or math.isnan(share) else f"{share:.4f}" if 0.99 < share < 1 else f"{share:.3f}"


def _found(at: At | None) -> str:
    if at is None or at.threshold is None:
        return "-" if at is None else "none"
    return f"{_share(at.recall)} ({_share(at.precision)})"


def _frozen(wanted: float) -> table.Column:
    return lambda one: _found(one.frozen[f"{wanted}"])


def _strictly(shown: Callable[[At], str]) -> table.Column:
    return lambda one: shown(one.frozen[f"{PRECISIONS[0]}"])


METHODS: dict[str, table.Column] = {
    "method": lambda one: one.method,
    "own": lambda one: _found(one.default),
    **{f"at {one}": _frozen(one) for one in PRECISIONS},
    "low": _strictly(lambda at: _share(at.low)),
    "plain": _strictly(lambda at: _share(at.plain)),
    "false": _strictly(lambda at: "/".join(str(count) for count in at.false.values())),
    "in 10⁶": _strictly(lambda at: f"{at.per_million:.0f}"),
    "µAP": lambda one: _share(one.average_precision),
    "s": lambda one: f"{one.seconds:.0f}" if one.seconds else "",
}
"""Recall and precision at each method's own threshold, then at the frozen ones, and what is false at the strict."""


def _commit() -> str:
    asked = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def stand_ins(folder: Path) -> Path:
    """Writes tiles of scikit-image's photographs, none of which overlap, to stand for a collection."""
    folder.mkdir()
    for name in (*demo.SHOP, *demo.BANNED):
        source = demo.photograph(name)
        width, height = source.width // 3, source.height // 3
        for place in range(9):
            left, top = place % 3 * width, place // 3 * height
            tile = source.crop((left, top, left + width, top + height)).resize((400, 400 * height // width))
            tile.save(folder / f"{Path(name).stem}-{place}.png")
    return folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the folders named one after another, or stand-ins."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--long", action="store_true", help=f"{LONG} rather than {SHORT}")
    parser.add_argument("--peers", action="store_true", help="other tools too; their environments are made once")
    parser.add_argument("--wall", action="store_true", help="draw the hardest false and missed pairs")
    parser.add_argument("--plot", action="store_true", help="draw docs/quality-FOLDER.svg")
    parser.add_argument("--battery", choices=BATTERIES, default="own", help="whose edits copies are made by (own)")
    parser.add_argument("--seed", type=int, default=SEED)
    for name in ("references", "edits", "strangers"):
        parser.add_argument(f"--{name}", type=int)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        for source in [one.absolute() for one in chosen.folders] or [stand_ins(Path(temporary) / "stand-ins")]:
            folder = Path(temporary) / f"made-{source.name}"
            made, scored, absent = measured(source, folder, chosen)
            if not scored:
                parser.exit(3, f"no method can be had: {absent}\n")
            judge = Judge(made)
            name = source.name if chosen.battery == "own" else f"{source.name}-{chosen.battery}"
            publish(name, made, [judge.row(one) for one in scored], absent)
            if chosen.plot:
                ranked = [one for one in scored if len(np.unique(one.scores)) > 2 and "distilled" not in one.name]
                lines = {one.name: points for one in ranked[:DRAWN] if (points := judge.trade_off(one))}
                title = f"{name}: edited copies missed, by wrong pairs told"
                draw(PLOTS / f"quality-{name}.svg", title, lines, AXES)
            if chosen.wall:
                wall.draw(table.RESULTS / f"wall-{name}.png", made, scored[0])
            if chosen.long and chosen.battery == "own" and (source / "products.csv").is_file():
                identity.publish(source)


if __name__ == "__main__":
    main()
