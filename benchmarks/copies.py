"""Pictures, their edited copies, and the pairs that verification has to tell apart, all made from a seed."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from moderator import Registry
from moderator.edits import BATTERY, Edit
from moderator.intake.decode import prepare
from moderator.intake.pdq import pdq
from moderator.policy import EmbedderSpec
from moderator.search.verify import features, geometry, signs
from moderator.search.verify.features import Features
from moderator.vectors import Matrix

COPY, VARIANT, OTHER = 0, 1, 2
"""What a pair is: one picture edited; one picture with a thing in another colour; two pictures."""
FORMATS = frozenset({".jpg", ".jpeg", ".png", ".webp"})
LARGEST = 1200
"""Pictures are shrunk to this many pixels before they are edited, as a site would."""
QUALITY = 85
"""JPEG quality of an edited copy."""
OTHERS = 60
"""Pictures that collages and backgrounds are made of; they are among no references."""

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A picture as the methods see it. `source` numbers the picture that it was made from."""

    source: int
    edit: str
    local: Features
    hashes: bytes
    quality: int
    prepared: npt.NDArray[np.uint8]


class Made:
    """Makes pictures and their edited copies, and embeds them by SSCD."""

    def __init__(self, seed: int, others: Sequence[Image.Image] = ()) -> None:
        self._embedder: Any = Registry.discover().make_embedder(EmbedderSpec(type="onnx", model="sscd"))
        self._seed = seed
        self._others = others

    def shown(self, picture: Image.Image, source: int, edit: str = "") -> Shown:
        """Returns a picture as the methods see it."""
        local = features.extract(np.ascontiguousarray(prepare(picture, features.PREPARED)))
        hashed, quality = pdq(picture)
        return Shown(source, edit, local, hashed, quality, prepare(picture, self._embedder.preprocessing))

    def copies(self, picture: Image.Image, source: int, edits: Iterable[Edit]) -> Iterator[Shown]:
        """Yields edited copies of a picture, saved as JPEG."""
        random = np.random.default_rng([self._seed, source])
        others = [self._others[place] for place in random.choice(len(self._others), min(8, len(self._others)), False)]
        for edit in edits:
            yield self.shown(saved(edit.apply(picture, int(random.integers(1 << 30)), others)), source, edit.name)

    def chosen(self, source: int, count: int) -> list[Edit]:
        """Returns `count` edits of the battery for a picture; all of them where there are no more."""
        random = np.random.default_rng([self._seed, source, 1])
        return [BATTERY[place] for place in random.permutation(len(BATTERY))[:count]]

    def embedded(self, shown: Sequence[Shown]) -> Matrix:
        """Returns their SSCD vectors, `[n, 512]`."""
        batches = [self._embedder.embed([one.prepared for one in shown[at : at + 8]]) for at in range(0, len(shown), 8)]
        return np.concatenate(batches)


def saved(picture: Image.Image) -> Image.Image:
    """Returns the picture after a JPEG file."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY)
    with Image.open(stream) as opened:
        return opened.convert("RGB")


def opened(path: Path) -> Image.Image:
    """Returns the picture of a file, RGB, no larger than a site would keep it."""
    with Image.open(path) as picture:
        rgb = picture.convert("RGB")
    rgb.thumbnail((LARGEST, LARGEST))
    return rgb


def pictures(folders: Sequence[Path], limit: int | None = None, seed: int = 0) -> list[Path]:
    """Returns picture files of folders in a seeded order, at most `limit`."""
    found = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in FORMATS)
    order = np.random.default_rng(seed).permutation(len(found))
    return [found[place] for place in order[:limit]]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Measured pairs: signs with both pictures and with one as stored, `[n, signs]`, labels and source pictures."""

    whole: npt.NDArray[np.float64]
    stored: npt.NDArray[np.float64]
    labels: Numbers
    groups: Numbers


def measured(folders: Sequence[Path], edits: int = 2, near: int = 3, seed: int = 7) -> Pairs:
    """Edits every picture, and measures each copy against its source and the pictures that SSCD finds closest."""
    from benchmarks.recolour import recoloured

    paths = pictures(folders, seed=seed)
    made = Made(seed, [opened(path) for path in paths[:OTHERS]])
    paths = paths[OTHERS:]
    references = [made.shown(opened(path), number) for number, path in enumerate(paths)]
    asked: list[Shown] = []
    for number, path in enumerate(paths):
        asked += made.copies(opened(path), number, made.chosen(number, edits))
        if number % 4 == 0 and (variant := recoloured(opened(path), np.random.default_rng([seed, number, 2]))):
            asked.append(made.shown(saved(variant), number, "recoloured"))
    rows = []
    cosines = made.embedded(asked) @ made.embedded(references).T
    for one, row in zip(asked, cosines, strict=True):
        for place in {*np.argsort(-row)[:near].tolist(), one.source}:
            label = OTHER if place != one.source else VARIANT if one.edit == "recoloured" else COPY
            if (pair := _signs(one.local, references[place].local)) is not None:
                rows.append((*pair, label, one.source))
    whole, stored, labels, groups = zip(*rows, strict=True)
    return Pairs(np.stack(whole), np.stack(stored), np.array(labels), np.array(groups))


def _signs(first: Features, second: Features) -> tuple[Any, Any] | None:
    if (alignment := geometry.align(first, second)) is None:
        return None
    known = [signs.measure(first, other, alignment) for other in (second, second.with_pixels(None))]
    return None if known[0] is None or known[1] is None else (signs.coloured(known[0]), signs.coloured(known[1]))
