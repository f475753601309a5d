"""How well edited copies are found, and how often something else is taken for one, on pictures of any folder.

    python -m benchmarks.quality [--long] [FOLDER...]

Half of the references set each method's threshold, the other half is reported, so that nothing is tuned to what it is
judged by. Without folders, crops of scikit-image's photographs stand in, which are few and easy.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import peers
from benchmarks.copies import OTHERS, Made, Shown, opened, pictures
from benchmarks.table import RESULTS, machine
from moderator import demo
from moderator.edits import PLAIN
from moderator.policy import Verify
from moderator.search.verify import verify

SEED = 20
PRECISIONS = (0.999, 0.99)
NEAR = Verify().candidates
"""Candidates that are verified for each picture, as in the ready policies."""

Scores = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: references, edits of each, and pictures that are no reference, edited alike."""

    references: int
    edits: int
    strangers: int


SHORT, LONG = Sizes(40, 4, 40), Sizes(400, 12, 400)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One method's scores `[queries, references]`: higher is closer, minus infinity where it has nothing to say."""

    name: str
    scores: Scores


@dataclass(frozen=True, slots=True)
class Row:
    """One method's figures on the half that set no threshold."""

    method: str
    recall: Mapping[str, float]
    precision: Mapping[str, float]
    plain: Mapping[str, float]
    average_precision: float
    false_per_million: float
    by_edit: Mapping[str, float]


def scored(asked: Sequence[Shown], references: Sequence[Shown], made: Made) -> list[Scored]:
    """Returns every method's scores on the same pictures."""
    cosines = (made.embedded(asked) @ made.embedded(references).T).astype(np.float64)
    verified = np.full(cosines.shape, -np.inf)
    for row, one in enumerate(asked):
        for place in np.argsort(-cosines[row])[:NEAR]:
            if cosines[row, place] >= Verify().least:
                verified[row, place] = verify(one.local, references[place].local).copy
    return [
        Scored("moderator: SSCD, verified", verified),
        Scored("SSCD, cosine alone", cosines),
        *(Scored(name, method(asked, references)) for name, method in peers.METHODS.items()),
    ]


def row(method: Scored, asked: Sequence[Shown], count: int) -> Row:
    """Returns a method's figures: thresholds from queries of even sources, all else from those of odd ones."""
    sources = np.array([one.source for one in asked])
    truth = sources[:, None] == np.arange(count)[None, :]
    tuned, judged = sources % 2 == 0, sources % 2 == 1
    thresholds = {f"{wanted}": threshold(method.scores[tuned], truth[tuned], wanted) for wanted in PRECISIONS}
    edits = np.array([one.edit for one in asked])
    there = judged & (sources < count)
    own = np.where(truth, method.scores, -np.inf).max(axis=1)
    strict = thresholds[f"{PRECISIONS[0]}"]
    recall, precision, plain = {}, {}, {}
    for wanted, least in thresholds.items():
        kept = method.scores[judged] >= least
        recall[wanted] = float((own[there] >= least).mean())
        precision[wanted] = float(truth[judged][kept].mean()) if kept.any() else 1.0
        plain[wanted] = float((own[there & np.isin(edits, PLAIN)] >= least).mean())
    wrong = int(((method.scores[judged] >= strict) & ~truth[judged]).sum())
    return Row(
        method.name, recall, precision, plain,
        average_precision(method.scores[judged], truth[judged]),
        1e6 * wrong / (judged.sum() * count),
        {edit: float((own[there & (edits == edit)] >= strict).mean()) for edit in sorted(set(edits[there]))},
    )  # fmt: skip


def threshold(scores: Scores, truth: Flags, precision: float) -> float:
    """Returns the lowest threshold at which at least this share of what is found is right; infinity without one."""
    order = np.argsort(-scores, axis=None)
    order = order[np.isfinite(scores.ravel()[order])]
    right = np.cumsum(truth.ravel()[order])
    good = np.flatnonzero(right / np.arange(1, len(order) + 1) >= precision)
    return float(scores.ravel()[order[good[-1]]]) if len(good) else np.inf


def average_precision(scores: Scores, truth: Flags) -> float:
    """Returns the micro average precision over all pairs at once (DISC21: arXiv:2106.09672)."""
    order = np.argsort(-scores, axis=None)
    order = order[np.isfinite(scores.ravel()[order])]
    right = truth.ravel()[order]
    found = np.cumsum(right) / np.arange(1, len(order) + 1)
    possible = int(truth.any(axis=1).sum())
    return float(found[right].sum() / max(1, possible))


def measured(files: Sequence[Path], sizes: Sizes) -> tuple[list[Row], dict[str, int]]:
    """Measures every method on pictures of these files."""
    made = Made(SEED, [opened(path) for path in files[:OTHERS]] if len(files) > 2 * OTHERS else [])
    files = files[OTHERS:] if len(files) > 2 * OTHERS else files
    known = files[: min(sizes.references, len(files) * 2 // 3)]
    strangers = files[len(known) : len(known) + sizes.strangers]
    references = [made.shown(opened(path), number) for number, path in enumerate(known)]
    asked: list[Shown] = []
    for number, path in enumerate([*known, *strangers]):
        asked += made.copies(opened(path), number, made.chosen(number, sizes.edits))
    rows = [row(method, asked, len(references)) for method in scored(asked, references, made)]
    return rows, {"references": len(known), "strangers": len(strangers), "queries": len(asked)}


def publish(name: str, rows: Sequence[Row], sizes: Mapping[str, int]) -> None:
    """Prints the table and writes benchmarks/results/<name>.json."""
    table = Table(title=f"{name}: {sizes}", box=box.SIMPLE_HEAD, title_justify="left")
    for heading in (
        "method",
        *(f"recall at {one}" for one in PRECISIONS),
        "precision there",
        "plain edits",
        "µAP",
        "false / 10⁶",
    ):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for one in rows:
        strict = f"{PRECISIONS[0]}"
        table.add_row(
            one.method, *(f"{one.recall[f'{wanted}']:.3f}" for wanted in PRECISIONS), f"{one.precision[strict]:.4f}",
            f"{one.plain[strict]:.3f}", f"{one.average_precision:.3f}", f"{one.false_per_million:.1f}",
        )  # fmt: skip
    Console(width=120).print(table)
    worst = sorted(rows[0].by_edit.items(), key=lambda item: item[1])[:8]
    Console(width=120).print("hardest edits: " + ", ".join(f"{edit} {share:.2f}" for edit, share in worst))
    RESULTS.mkdir(exist_ok=True)
    document = {
        "title": name, "at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(),
        "sizes": dict(sizes),
        "rows": [asdict(one) for one in rows],
    }  # fmt: skip
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")


def stand_ins(folder: Path, count: int = 90) -> list[Path]:
    """Writes seeded crops of scikit-image's photographs, none of which overlap much, to stand for a collection."""
    random = np.random.default_rng(SEED)
    sources = [demo.photograph(name) for name in (*demo.SHOP, *demo.BANNED)]
    for number in range(count):
        source = sources[number % len(sources)]
        side = min(source.size) // 3
        left, top = int(random.integers(source.width - side)), int(random.integers(source.height - side))
        crop: Image.Image = source.crop((left, top, left + side, top + side)).resize((400, 400))
        crop.save(folder / f"{number:03}.png")
    return sorted(folder.glob("*.png"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the folders named, or stand-ins."""
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--long", action="store_true", help="400 references, 12 edits of each, 400 strangers")
    parser.add_argument("--name", default="quality")
    chosen = parser.parse_args(arguments)
    run: Callable[[Sequence[Path]], None] = lambda files: publish(  # noqa: E731
        chosen.name, *measured(files, LONG if chosen.long else SHORT)
    )
    if chosen.folders:
        run(pictures(chosen.folders, seed=SEED))
    else:
        with tempfile.TemporaryDirectory() as folder:
            run(stand_ins(Path(folder)))


if __name__ == "__main__":
    main()
