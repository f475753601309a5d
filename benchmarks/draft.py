"""Whether JPEG may be decoded at a half, a quarter or an eighth (libjpeg's draft mode): what the embedding loses, and
what time it saves.

    python -m benchmarks.draft FOLDER

Photographs of a folder are saved as JPEG, as they are and some of them enlarged to 12 megapixels.
"""

from __future__ import annotations

import io
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.copies import pictures
from benchmarks.embed import LARGE_SIZE, sscd
from benchmarks.table import Column, publish
from moderator.contracts import Embedder
from moderator.intake.decode import prepare
from moderator.models import Preprocessing

PHOTOGRAPHS, LARGE = 48, 12
"""How many there are, and how many of them are enlarged too."""
LEAST_SIDE = 1000
KEPT = (1, 2, 4)
"""At least how many times the model's size a draft keeps."""
QUALITY = 90
RUNS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One size of photographs, one model and one draft: cosines of its embeddings to those of full decodes, and ms of a
    core for decoding and resampling, the median photograph's."""

    pictures: str
    model: str
    kept: int
    least: float
    percentile: float
    median: float
    full: float
    draft: float


COLUMNS: dict[str, Column] = {
    "pictures": lambda one: one.pictures,
    "model": lambda one: one.model,
    "at least": lambda one: f"{one.kept} x",
    "least cosine": lambda one: f"{one.least:.4f}",
    "1st percentile": lambda one: f"{one.percentile:.4f}",
    "median": lambda one: f"{one.median:.4f}",
    "full, draft, ms": lambda one: f"{one.full:.1f}, {one.draft:.1f}",
}


def saved(picture: Image.Image) -> bytes:
    """Returns the bytes of a JPEG."""
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=QUALITY)
    return data.getvalue()


def decoded(data: bytes, wanted: Preprocessing, kept: int | None) -> tuple[npt.NDArray[np.uint8], float]:
    """Returns a JPEG at a model's size, and the ms of a core that took, the least of some: of a draft of `kept` times
    that size, or of the full decode."""
    took = []
    for _ in range(RUNS):
        started = time.process_time()
        with Image.open(io.BytesIO(data)) as picture:
            if kept is not None:
                picture.draft("RGB", (kept * wanted.width, kept * wanted.height))
            prepared = prepare(picture.convert("RGB"), wanted)
        took.append(1000 * (time.process_time() - started))
    return prepared, min(took)


def compared(name: str, files: Sequence[bytes], embedder: Embedder) -> Iterator[Row]:
    """Yields a row for each draft, but where all of them are full decodes."""
    made = {
        kept: list(zip(*(decoded(data, embedder.preprocessing, kept) for data in files), strict=True))
        for kept in (None, *KEPT)
    }
    vectors = {kept: embedder.embed(list(pixels)) for kept, (pixels, _) in made.items()}
    full = statistics.median(made[None][1])
    for kept in KEPT:
        cosines = (vectors[None] * vectors[kept]).sum(axis=1)
        if not np.array_equal(vectors[None], vectors[kept]):
            percentile, median = np.percentile(cosines, (1, 50))
            draft = statistics.median(made[kept][1])
            yield Row(name, embedder.model.name, kept, float(cosines.min()), percentile, median, full, draft)


def main(folder: Path) -> None:
    """Compares the two copy-detection models."""
    photographs = (Image.open(path).convert("RGB") for path in pictures([folder], seed=0))
    chosen = list(islice((one for one in photographs if min(one.size) >= LEAST_SIDE), PHOTOGRAPHS))
    large = (one.resize(LARGE_SIZE, Image.Resampling.BICUBIC) for one in chosen[:LARGE])
    sizes = {
        f"{len(chosen)} of {LEAST_SIDE} px and more": [saved(one) for one in chosen],
        f"{LARGE} of 12 megapixels": [saved(one) for one in large],
    }
    models = [sscd("sscd", "whole"), sscd("sscd-distilled", "whole")]
    rows = [row for name, files in sizes.items() for model in models for row in compared(name, files, model)]
    publish("draft", rows, "cosine to the full decode", COLUMNS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
