"""Other methods on the same pictures: PDQ in eight orientations, and the hashes of ImageHash where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.copies import Shown

Scores = npt.NDArray[np.float64]
Method = Callable[[Sequence[Shown], Sequence[Shown]], Scores]


def pdq(asked: Sequence[Shown], references: Sequence[Shown]) -> Scores:
    """Scores by the fewest differing bits of PDQ over eight orientations; flat pictures have no score."""
    upright = np.stack([_orientations(one)[0] for one in references])
    scores = np.full((len(asked), len(references)), -np.inf)
    for row, one in enumerate(asked):
        if one.quality >= 50:
            differing = np.bitwise_count(_orientations(one)[:, None] ^ upright[None]).sum(axis=2).min(axis=0)
            scores[row] = -differing.astype(np.float64)
    scores[:, [one.quality < 50 for one in references]] = -np.inf
    return scores


def _orientations(one: Shown) -> npt.NDArray[np.uint8]:
    hashes = one.hashes or bytes(256)
    return np.frombuffer(hashes, dtype=np.uint8).reshape(8, 32)


def image_hash(name: str) -> Method:
    """Returns a method of the package ImageHash, by the name of its function."""

    def method(asked: Sequence[Shown], references: Sequence[Shown]) -> Scores:
        import imagehash

        def bits(shown: Sequence[Shown]) -> npt.NDArray[np.bool_]:
            return np.stack([getattr(imagehash, name)(_picture(one)).hash.ravel() for one in shown])

        ours, theirs = bits(asked), bits(references)
        return -np.stack([(row ^ theirs).sum(axis=1) for row in ours]).astype(np.float64)

    return method


def _picture(one: Shown) -> Image.Image:
    pixels: Any = one.local.pixels
    return Image.fromarray(pixels)


METHODS: Mapping[str, Method] = {"PDQ, eight orientations": pdq} | (
    {f"ImageHash {name}": image_hash(name) for name in ("phash", "dhash", "whash")} if find_spec("imagehash") else {}
)
"""Methods that can be had here."""
