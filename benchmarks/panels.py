"""Parts that intake proposes: which pictures that others show are found, and how many a plain photograph has in vain.

Some photographs of each folder are plain, others are shown by the edits of the battery, among each other; where, is
known, for there an edit changes when the picture that it shows does. One half of the pictures may be tuned with.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.copies import opened, pictures
from benchmarks.table import Column, publish
from moderator.edits import EDITS
from moderator.edits.copies import QUALITY
from moderator.edits.edit import Scene
from moderator.intake.panels import panels
from moderator.parts import Box

SHOWING = (
    "collage-2x2", "collage-3x3", "feed", "picture-in-picture", "screenshot", "cutout", "padding", "meme", "frame",
)  # fmt: skip
"""Edits that show a picture, or a part of it, upright in another one."""
FOUND = 0.8
"""Least share of the union of a panel and of what it should be that they have in common."""
SCALES = (0.6, 1.5)
"""By how much every second edited copy is scaled."""
OTHERS = 8
"""Other pictures that an edit may set one among."""


@dataclass(frozen=True, slots=True)
class Row:
    """One folder, and one edit of its pictures or none.

    Attributes:
        found: how many of the pictures have a panel where the edit shows the picture; of plain ones, how many have one.
        panels: panels of a picture, on average.
        milliseconds: what finding them takes of a core, the median.
    """

    folder: str
    edit: str
    pictures: int
    found: int
    panels: float
    milliseconds: float


def half(folder: Path, judged: bool) -> Sequence[Path]:
    """Returns the half of a folder's pictures that are judged, or the one to tune with, in a seeded order."""
    return list(pictures([folder], seed=0))[int(judged) :: 2]


def shown(name: str, picture: Image.Image, others: Sequence[Image.Image], seed: int) -> tuple[Image.Image, Box]:
    """Returns an edited copy as it is read from a JPEG, and where in it the picture is: there the edit changes when the
    picture is inverted."""
    change = EDITS[name].change
    edited, inverted = (
        change(one, Scene(np.random.default_rng(seed), others)).convert("RGB")
        for one in (picture, picture.point([255 - level for level in range(256)] * 3))
    )
    down, across = np.nonzero((np.asarray(edited) != np.asarray(inverted)).any(axis=2))
    width, height = edited.size
    place = (across.min() / width, down.min() / height, (across.max() + 1) / width, (down.max() + 1) / height)
    return saved(edited, seed), place


def saved(edited: Image.Image, seed: int) -> Image.Image:
    """Returns an edited copy as it is read from a JPEG; every second one is scaled before, as a site would."""
    data = io.BytesIO()
    if seed % 2:
        scale = np.random.default_rng(seed).uniform(*SCALES)
        edited = edited.resize([round(side * scale) for side in edited.size], Image.Resampling.BICUBIC)
    edited.save(data, "JPEG", quality=QUALITY)
    return Image.open(data).convert("RGB")


def overlap(one: Box, other: Box) -> float:
    """Returns the share of the union of two boxes that they have in common."""
    across = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    down = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in (one, other)]
    return across * down / (sum(areas) - across * down)


def timed(picture: Image.Image) -> tuple[Sequence[Box], float]:
    """Returns the panels of a picture, and the milliseconds that finding them took."""
    started = time.process_time()
    found = panels(picture)
    return found, 1000 * (time.process_time() - started)


def measure(folder: Path, paths: Sequence[Path], count: int, most: int) -> Iterator[Row]:
    """Yields the row of plain pictures, at most `most`, and one for each edit of `count` of them."""
    told = [timed(opened(path)) for path in paths[:most]]
    summed = partial(_row, folder.name)
    yield summed("none: plain", [bool(found) for found, _ in told], told)
    sources = [opened(path) for path in paths[: count + OTHERS]]
    others, sources = sources[:OTHERS], sources[OTHERS:]
    for edit in SHOWING:
        made = [shown(edit, picture, others, seed) for seed, picture in enumerate(sources)]
        told = [timed(picture) for picture, _ in made]
        hits = [
            max((overlap(one, place) for one in found), default=0.0) >= FOUND
            for (found, _), (_, place) in zip(told, made, strict=True)
        ]
        yield summed(edit, hits, told)


def _row(folder: str, edit: str, hits: Sequence[bool], told: Sequence[tuple[Sequence[Box], float]]) -> Row:
    counts = [len(found) for found, _ in told]
    return Row(
        folder, edit, len(told), int(sum(hits)), float(np.mean(counts)), float(np.median([one for _, one in told]))
    )


COLUMNS: dict[str, Column] = {
    "pictures": lambda one: one.folder,
    "edit": lambda one: one.edit,
    "found": lambda one: f"{one.found} of {one.pictures}",
    "panels each": lambda one: f"{one.panels:.2f}",
    "ms of a core": lambda one: f"{one.milliseconds:.1f}",
}


def main() -> None:
    """Measures the judged half of some folders of photographs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--tune", action="store_true", help="the half to tune with, not the judged one")
    parser.add_argument("--count", type=int, default=40, help="pictures of a folder that are edited")
    parser.add_argument("--most", type=int, default=200, help="plain pictures of a folder")
    asked = parser.parse_args()
    rows = [
        row
        for folder in asked.folders
        for row in measure(folder, half(folder, not asked.tune), asked.count, asked.most)
    ]
    publish("panels", rows, f"found: {FOUND:g} of the union in common", COLUMNS)


if __name__ == "__main__":
    main()
