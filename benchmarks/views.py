"""What of a picture is worth embedding: which copies are proposed by the whole alone, by panels, and by tiles too.

A copy is proposed where its picture is among the five closest of all pictures of the folder, from either side, at the
least similarity that verification asks; what it costs are the embeddings of a picture.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.copies import opened
from benchmarks.panels import OTHERS, half, saved
from benchmarks.table import Column, publish
from moderator import Registry
from moderator.edits import EDITS
from moderator.edits.edit import Scene
from moderator.intake.decode import prepare
from moderator.intake.panels import parts
from moderator.parts import closeness, label_of
from moderator.policy import EmbedderSpec, Verify
from moderator.vectors import Matrix

SHOWN = ("crop-30", "crop-50", "cutout", "collage-2x2", "collage-3x3", "feed", "picture-in-picture", "three-edits")
VIEWS = ("whole", "panels", "tiles")


@dataclass(frozen=True, slots=True)
class Row:
    """One folder, one edit (or none: plain pictures) and one choice of views.

    Attributes:
        proposed: copies of which the picture is a candidate.
        sure: those whose similarity reaches .6, what the policy `offline` asks of copies.
        embeddings: of an edited copy, the mean.
    """

    folder: str
    edit: str
    views: str
    pictures: int
    proposed: int
    sure: int
    embeddings: float


class Embedded:
    """Embeds pictures by their views; a box that two choices of views share is embedded once."""

    def __init__(self, model: str) -> None:
        self._embedder: Any = Registry.discover().make_embedder(EmbedderSpec(type="onnx", model=model))

    def views(self, picture: Image.Image) -> tuple[Sequence[str], Matrix, dict[str, int]]:
        """Returns the labels and vectors of all views, and how many of the first ones each choice has."""
        boxes = parts(picture, "tiles")
        counts = {"whole": 1, "panels": 1 + len(parts(picture, "panels")), "tiles": 1 + len(boxes)}
        sides = [[side * length for side, length in zip(one, picture.size * 2, strict=True)] for one in boxes]
        shown = [picture, *(picture.crop((round(a), round(b), round(c), round(d))) for a, b, c, d in sides)]
        vectors = self._embedder.embed([prepare(one, self._embedder.preprocessing) for one in shown])
        return ["whole", *map(label_of, boxes)], vectors, counts


def measure(folder: Path, paths: Sequence[Path], count: int, embedded: Embedded) -> Iterator[Row]:
    """Yields the rows of a folder: `count` pictures are edited, and all that are given may be taken for theirs."""
    pictures = [opened(path) for path in paths]
    others, pictures = pictures[:OTHERS], pictures[OTHERS:]
    known = [embedded.views(picture) for picture in pictures]
    for views in VIEWS:
        counts = [one[2][views] for one in known]
        yield Row(folder.name, "none: plain", views, len(known), 0, 0, float(np.mean(counts)))
    for edit in SHOWN:
        copies = [
            embedded.views(saved(EDITS[edit].change(picture, Scene(np.random.default_rng(seed), others)), seed))
            for seed, picture in enumerate(pictures[:count])
        ]
        for views in VIEWS:
            scores = [[_similarity(copy, one, views) for one in known] for copy in copies]
            own = np.array([row[place] for place, row in enumerate(scores)])
            closer = (np.array(scores) > own[:, None]).sum(axis=1)
            proposed = (closer < Verify().candidates) & (own >= Verify().least)
            embeddings = float(np.mean([copy[2][views] for copy in copies]))
            yield Row(folder.name, edit, views, len(copies), int(proposed.sum()), int((own >= 0.6).sum()), embeddings)


def _similarity(ours: tuple[Any, Any, Any], theirs: tuple[Any, Any, Any], views: str) -> float:
    first, second = (slice(one[2][views]) for one in (ours, theirs))
    return float(closeness(ours[1][first] @ theirs[1][second].T, ours[0][first], theirs[0][second]).max())


COLUMNS: dict[str, Column] = {
    "pictures": lambda one: one.folder,
    "edit": lambda one: one.edit,
    "views": lambda one: one.views,
    "proposed": lambda one: f"{one.proposed} of {one.pictures}",
    "at .6": lambda one: f"{one.sure}",
    "embeddings each": lambda one: f"{one.embeddings:.2f}",
}


def main() -> None:
    """Measures the judged half of some folders of photographs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=40, help="pictures of a folder that are edited")
    parser.add_argument("--most", type=int, default=120, help="pictures of a folder in all")
    parser.add_argument("--model", default="sscd-distilled")
    asked = parser.parse_args()
    embedded = Embedded(asked.model)
    rows = [
        row
        for folder in asked.folders
        for row in measure(folder, half(folder, True)[: asked.most], asked.count, embedded)
    ]
    publish("views", rows, columns=COLUMNS)


if __name__ == "__main__":
    main()
