"""Where the edited copies of the quality benchmark come from: our battery, or another library's edits."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from benchmarks.copies import ASIDE, among, opened
from benchmarks.environments import Environment, prepare, python_of
from moderator.edits import BATTERY, EDITS, PLAIN, Edit
from moderator.edits.copies import save_copies


@dataclass(frozen=True, slots=True)
class Library:
    """Another library of edits: where it runs, and those of them that anyone makes with two taps.

    The module of its edits is named after the environment.
    """

    environment: Environment
    plain: Sequence[str]


LIBRARIES = (
    Library(  # its own extra for pictures asks for versions that fit no Python of today: the latest that it runs with
        Environment("augly", ("augly==1.0.0", "Pillow==9.5.0", "numpy==1.23.5"), newest=(3, 11)),
        ("crop", "hflip", "vflip", "rotate", "aspect"),
    ),
    Library(
        Environment("albumentations", ("albumentations==2.0.8", "Pillow==12.0.0")),
        ("HorizontalFlip", "VerticalFlip", "RandomRotate90", "SafeRotate"),
    ),
)
"""Of AugLy's edits some were looked at, and our battery has some like them since; of Albumentations' none."""


class Battery(Protocol):
    """Makes edited copies of numbered pictures.

    Attributes:
        plain: the edits that anyone makes with two taps.
        crops: those that `again` does to another picture.
    """

    plain: Sequence[str]
    crops: Collection[str]

    def copies(self, picture: Path, number: int, count: int, stem: Path) -> Iterator[tuple[Path, str]]:
        """Writes some copies of a picture to `stem`-EDIT.jpg; yields each and its edit, the same for a number again."""

    def again(self, picture: Image.Image, number: int, crop: str, other: Image.Image) -> Image.Image:
        """Returns what a crop that was made of a numbered picture takes of another one."""

    def close(self) -> None:
        """Ends what makes them."""


EVERYDAY = (
    *("crop-70", "crop-50", "mirror", "upside-down", "rotate-25", "squash", "perspective", "shrink", "jpeg-10", "blur"),
    *("noise", "brightness", "greyscale", "filter", "text", "meme", "stickers", "screenshot", "collage-2x2"),
    "picture-in-picture",
)
"""Twenty edits that people make every day: the goal was set with as many kinds, of which it names a few."""


class Own:
    """The edit battery of the product, or some of it."""

    plain: Sequence[str] = PLAIN
    crops: Collection[str] = frozenset(edit.name for edit in BATTERY if edit.family == "crop")

    def __init__(self, seed: int, others: Sequence[Path], edits: Sequence[Edit] = BATTERY) -> None:
        self._seed = seed
        self._others = [opened(path) for path in others]
        self._edits = edits

    def copies(self, picture: Path, number: int, count: int, stem: Path) -> Iterator[tuple[Path, str]]:
        """Writes copies by `count` of its edits."""
        random = np.random.default_rng([self._seed, number, 1])
        edits = [self._edits[place] for place in random.permutation(len(self._edits))[:count]]
        for path, edit in save_copies(opened(picture), stem, edits, *self._scene(number)):
            yield path, edit.name

    def again(self, picture: Image.Image, number: int, crop: str, other: Image.Image) -> Image.Image:
        """Crops another picture in the very place."""
        edit = EDITS[crop]
        return edit.change(other, edit.scene(picture, self._scene(number)[0]))

    def close(self) -> None:
        """Has nothing to end."""

    def _scene(self, number: int) -> tuple[int, list[Image.Image]]:
        """Returns the seed of a picture's edits, and the pictures that they may set it among."""
        random, others = among(self._seed, number, self._others)
        return int(random.integers(1 << 30)), others


class Foreign:
    """The edits of another library, by `augment.py` in an environment of its own."""

    crops: Collection[str] = ()

    def __init__(self, library: Library, seed: int, others: Sequence[Path]) -> None:
        if why := prepare(library.environment):
            raise SystemExit(f"{library.environment.name} cannot be had: {why}")
        self.plain = library.plain
        self._seed = seed
        self._others = [str(path) for path in others]
        script, name = Path(__file__).with_name("augment.py"), f"{library.environment.name}_edits"
        command = [str(python_of(library.environment)), "-W", "ignore", str(script), name]
        environment = {**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1"}  # else it asks PyPI at each start
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process: Any = subprocess.Popen(command, env=environment, text=True, **pipes)

    def copies(self, picture: Path, number: int, count: int, stem: Path) -> Iterator[tuple[Path, str]]:
        """Writes copies by `count` of its edits."""
        random = np.random.default_rng([self._seed, number])
        others = random.permutation(self._others)[:ASIDE].tolist()
        asked = {"picture": str(picture), "others": others, "stem": str(stem), "edits": count}
        print(json.dumps({**asked, "seed": int(random.integers(1 << 30))}), file=self._process.stdin, flush=True)
        if not (told := self._process.stdout.readline()):
            raise SystemExit(f"the edits ended before those of {picture}: what went wrong stands above")
        for path, edit in json.loads(told):
            yield Path(path), edit

    def again(self, picture: Image.Image, number: int, crop: str, other: Image.Image) -> Image.Image:
        """Raises: NotImplementedError, as it is not told where a library crops."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends its process."""
        self._process.communicate()


BATTERIES: Mapping[str, Callable[[int, Sequence[Path]], Battery]] = {
    "own": Own,
    "everyday": partial(Own, edits=[EDITS[name] for name in EVERYDAY]),
    **{one.environment.name: partial(Foreign, one) for one in LIBRARIES},
}
