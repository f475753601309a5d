"""Other tools on the same files, each by its own way to duplicates and at its own threshold: time, memory, precision,
recall.

    python -m benchmarks.tools [FOLDER]

The files are pictures of a folder, or tiles of scikit-image's photographs, and edited copies of them. What a tool finds
are pairs of a picture and a copy; a recoloured picture is no copy. Each tool is a process of its own, in an environment
that is made the first time, which takes some minutes and gigabytes.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import collection, environments, peers, process, quality
from benchmarks.collection import COPY, UNSURE, Collection, Sizes
from benchmarks.figures import Scored, Scores
from benchmarks.peers import PEERS, Peer
from benchmarks.table import Column, publish

SIZES = Sizes(16, 5, 8)
POLICIES = {"SSCD": "offline", "SSCD distilled": "ci"}
CODES = (0, 1)
"""How a scan ends: something is found, or nothing."""
COPIES = ("copy", "edited_copy")


@dataclass(frozen=True, slots=True)
class Row:
    """One tool: seconds and MB of its whole process, and what it says of pairs; None where it says nothing."""

    tool: str
    seconds: float
    memory: float
    recall: float
    precision: float | None
    false: int


COLUMNS: dict[str, Column] = {
    "tool": lambda one: one.tool,
    "seconds": lambda one: f"{one.seconds:.2f}",
    "memory": lambda one: f"{one.memory:,.0f} MB",
    "recall": lambda one: f"{one.recall:.3f}",
    "precision": lambda one: "" if one.precision is None else f"{one.precision:.3f}",
    "false pairs": lambda one: f"{one.false}",
}


def ours(made: Collection, folder: Path) -> Iterator[Row]:
    """Whole scans between the two folders, in stores of their own."""
    for name, policy in POLICIES.items():
        report = folder.parent / f"{policy}.json"
        store = f"sqlite:///{report.with_suffix('.db')}"
        command = [sys.executable, "-m", "moderator", "scan", "--between", f"{folder}/references", f"{folder}/queries",
                   "--policy", policy, "--store", store, "--format", "json", "--output", str(report)]  # fmt: skip
        done = process.ran(command, codes=CODES)
        yield row(f"moderator, {name}", done, told(made, json.loads(report.read_text())), made)


def told(made: Collection, report: Any) -> Scores:
    """1 for the pairs that a report calls copies, minus infinity elsewhere."""
    rows = {str(one.path): at for at, one in enumerate(made.queries)}
    columns = {str(one.path): at for at, one in enumerate(made.references)}
    scores = np.full((len(rows), len(columns)), -np.inf)
    for finding in report["findings"]:
        if finding["kind"] in COPIES:
            scores[rows[finding["image"]], columns[finding["match"]["path"]]] = 1.0
    return scores


def theirs(peer: Peer, made: Collection, folder: Path) -> Row | tuple[str, str]:
    """A tool's own way through the folder, and what it calls copies; or its name and why there is none."""
    (scored,) = peers.compared(made, folder, [peer])
    if not isinstance(scored, Scored):
        return scored
    program = f"import sys; folder = sys.argv[1]\n{peer.program}"
    done = process.ran([str(environments.python_of(peer.environment)), "-c", program, str(folder)])
    return row(peer.name, done, np.where(scored.scores >= (scored.default or 0), 1.0, -np.inf), made)


def row(name: str, done: process.Ran, scores: Scores, made: Collection) -> Row:
    """Returns what is right and what is false of the pairs found; unsure ones are not counted."""
    relations, found = made.relations(), np.isfinite(scores)
    right, wrong = int((found & (relations == COPY)).sum()), int((found & ~np.isin(relations, (COPY, UNSURE))).sum())
    precision = right / (right + wrong) if right + wrong else None
    return Row(name, done.seconds, done.private, right / int((relations == COPY).sum()), precision, wrong)


def main(folders: list[str]) -> None:
    """Measures moderator, then each tool; one that cannot be had is named."""
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(folders[0]) if folders else quality.stand_ins(Path(temporary) / "stand-ins")
        folder = Path(temporary) / "in"
        made = collection.make(source, folder, SIZES, quality.SEED)
        rows = list(ours(made, folder))
        absent = []
        for peer in PEERS:
            if peer.program:
                one = theirs(peer, made, folder)
                if isinstance(one, Row):
                    rows.append(one)
                else:
                    absent.append(": ".join(one))
        copies = int((made.relations() == COPY).sum())
    note = f"{len(made.references)} pictures, {len(made.queries)} copies, {copies} of them of these pictures"
    publish("tools", rows, "; ".join([note, *absent]), COLUMNS, absent=absent)


if __name__ == "__main__":
    main(sys.argv[1:])
