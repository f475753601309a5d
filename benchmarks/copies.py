"""Pictures and their edited copies as methods see them, all made from a seed."""

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
from moderator.intake.decode import first_view, prepare
from moderator.intake.pdq import pdq
from moderator.policy import EmbedderSpec, Limits
from moderator.search.verify import features
from moderator.search.verify.features import Features
from moderator.vectors import Matrix

FORMATS = frozenset({".jpg", ".jpeg", ".png", ".webp"})
LARGEST = 1200
"""Pictures are shrunk to this many pixels before they are edited, as a site would."""
ASIDE = 8
"""Other pictures that each may be set among."""
QUALITY = 85
"""JPEG quality of an edited copy."""


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

    def __init__(self, seed: int, others: Sequence[Image.Image] = (), model: str = "sscd") -> None:
        self._embedder: Any = Registry.discover().make_embedder(EmbedderSpec(type="onnx", model=model))
        self._seed = seed
        self._others = others

    def shown(self, picture: Image.Image, source: int, edit: str = "", local: Features | None = None) -> Shown:
        """Returns a picture as the methods see it; `local` are its features where they are known."""
        local = local or features.extract(np.ascontiguousarray(prepare(picture, features.PREPARED)))
        hashed, quality = pdq(picture)
        return Shown(source, edit, local, hashed, quality, prepare(picture, self._embedder.preprocessing))

    def copies(self, picture: Image.Image, source: int, edits: Iterable[Edit]) -> Iterator[tuple[Image.Image, Edit]]:
        """Yields edited copies of a picture, saved as JPEG."""
        random, others = among(self._seed, source, self._others)
        for edit in edits:
            yield saved(edit.apply(picture, int(random.integers(1 << 30)), others)), edit

    def alike(self, pictures: Iterable[Image.Image], source: int, edit: Edit) -> list[Image.Image]:
        """Returns RGB pictures of one size edited in the very same way, saved as JPEG."""
        random, others = among(self._seed, source, self._others)
        first, *more = pictures
        seed = int(random.integers(1 << 30))
        return [saved(edit.change(one, edit.scene(first, seed, others))) for one in (first, *more)]


    def chosen(self, source: int, count: int) -> list[Edit]:
        """Returns `count` edits of the battery for a picture; all of them where there are no more."""
        random = np.random.default_rng([self._seed, source, 1])
        return [BATTERY[place] for place in random.permutation(len(BATTERY))[:count]]

    def embedded(self, shown: Sequence[Shown]) -> Matrix:
        """Returns their SSCD vectors, `[n, 512]`."""
        batches = [self._embedder.embed([one.prepared for one in shown[at : at + 8]]) for at in range(0, len(shown), 8)]
        return np.concatenate(batches)


def among(
    seed: int, number: int, others: Sequence[Image.Image]
) -> tuple[np.random.Generator, list[Image.Image]]:
    """Returns the random numbers of a numbered picture's edits, and `ASIDE` others that they may set it among."""
    random = np.random.default_rng([seed, number])
    places = random.choice(len(others), min(ASIDE, len(others)), replace=False)
    return random, [others[place] for place in places]


def saved(picture: Image.Image) -> Image.Image:
    """Returns the picture after a JPEG file."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY)
    with Image.open(stream) as opened:
        return opened.convert("RGB")


def opened(path: Path) -> Image.Image:
    """Returns the picture of a file as it is judged, no larger than a site would keep it. Raises: OSError."""
    if (picture := first_view(path, Limits(), LARGEST)) is None:
        raise OSError(f"{path} cannot be read")
    return picture


def pictures(folders: Sequence[Path], limit: int | None = None, seed: int = 0) -> list[Path]:
    """Returns picture files of folders in a seeded order, at most `limit`."""
    found = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in FORMATS)
    order = np.random.default_rng(seed).permutation(len(found))
    return [found[place] for place in order[:limit]]
