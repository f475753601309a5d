"""Draws the hardest false and missed pairs of a quality run side by side, so that a person can say what they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from benchmarks.collection import RELATIONS, Collection
from benchmarks.figures import Scored, hardest
from moderator.edits.overlays import font

COUNT = 20
"""Pairs of each kind."""
COLUMNS, SIDE, LINE = 5, 150, 34


def draw(path: Path, made: Collection, method: Scored) -> None:
    """Writes a PNG: the false pairs of the highest score, then the copies of the lowest."""
    false, missed = hardest(method, made, COUNT)
    halves = [
        _sheet(f"{method.name}: false, the highest scores", made, false),
        _sheet(f"{method.name}: copies, the lowest scores", made, missed),
    ]
    sheet = Image.new("RGB", (halves[0].width, sum(one.height for one in halves)), "white")
    sheet.paste(halves[0], (0, 0))
    sheet.paste(halves[1], (0, halves[0].height))
    path.parent.mkdir(exist_ok=True)
    sheet.save(path)


def _sheet(title: str, made: Collection, pairs: Sequence[tuple[int, int, float]]) -> Image.Image:
    rows = -(-len(pairs) // COLUMNS)
    width, height = 2 * SIDE + 12, SIDE + LINE
    sheet = Image.new("RGB", (COLUMNS * width, rows * height + LINE), "white")
    drawn = ImageDraw.Draw(sheet)
    drawn.text((6, 6), title, "black", font(18))
    relations = made.relations()
    for place, (query, reference, score) in enumerate(pairs):
        left, top = place % COLUMNS * width, LINE + place // COLUMNS * height
        asked = made.queries[query]
        for at, file in enumerate((asked.path, made.references[reference].path)):
            sheet.paste(_thumbnail(file), (left + 4 + at * (SIDE + 2), top))
        words = f"{place + 1}. {score:.3f} {asked.edit}; {RELATIONS[relations[query, reference]]}"
        drawn.text((left + 4, top + SIDE + 2), words, "black", font(13))
    return sheet


def _thumbnail(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        return ImageOps.pad(ImageOps.exif_transpose(opened).convert("RGB"), (SIDE, SIDE), color="#dddddd")
