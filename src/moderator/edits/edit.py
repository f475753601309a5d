"""`Edit`: one named way of changing a picture."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

Family = Literal["crop", "geometry", "tone", "quality", "overlay", "setting", "mixed"]
"""What an edit touches: where the pixels are, their colours, their detail, what lies over them or around them."""

Severity = Literal["mild", "medium", "hard"]
"""How much of the picture is left to know it by."""

Random = np.random.Generator


@dataclass(frozen=True, slots=True)
class Scene:
    """What an edit may use beside the picture: its own random numbers, and other pictures to set it among."""

    random: Random
    others: Sequence[Image.Image] = ()

    def other(self, size: tuple[int, int]) -> Image.Image:
        """Returns one of the other pictures, RGB, scaled and cut to `size`; a smooth pattern where there are none."""
        if self.others:
            chosen = self.others[int(self.random.integers(len(self.others)))].convert("RGB")
            scale = max(size[0] / chosen.width, size[1] / chosen.height)
            scaled = chosen.resize(
                (max(size[0], round(chosen.width * scale)), max(size[1], round(chosen.height * scale)))
            )
            return scaled.crop((0, 0, *size))
        coarse = self.random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@dataclass(frozen=True, slots=True)
class Edit:
    """One way of changing a picture.

    Attributes:
        name: unique in the battery, in small letters and hyphens.
        family: what it touches.
        severity: how much of the picture is left to know it by.
        words: what it does, for a person: `keeps 70% of each side`.
        change: makes the edited picture, RGB, from an RGB one.
    """

    name: str
    family: Family
    severity: Severity
    words: str
    change: Callable[[Image.Image, Scene], Image.Image]

    def apply(self, picture: Image.Image, seed: int, others: Sequence[Image.Image] = ()) -> Image.Image:
        """Returns the edited picture, RGB; the same for the same seed, picture and `others`.

        Args:
            others: other pictures, which an edit may set this one among (a collage, a background).
        """
        rgb = picture.convert("RGB")
        return self.change(rgb, self.scene(rgb, seed, others)).convert("RGB")

    def scene(self, picture: Image.Image, seed: int, others: Sequence[Image.Image] = ()) -> Scene:
        """Returns what an RGB picture is changed by, so that another one can be changed in the very same way."""
        size = f"{picture.width}x{picture.height}"
        digest = hashlib.sha256(f"{self.name};{seed};{size};".encode() + picture.tobytes()).digest()
        return Scene(np.random.default_rng(int.from_bytes(digest[:8], "big")), others)


def picture_of(levels: npt.NDArray[np.floating]) -> Image.Image:
    """Returns the picture of levels, clipped to those from 0 to 255."""
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))
