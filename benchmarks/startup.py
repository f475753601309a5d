"""How long the command line takes to answer, as a whole process, against an interpreter that does nothing.

The changed pictures of the check are once drawings unlike all others, as most changes are, and once crops of the very
photographs that the stored pictures are crops of, so that nearly every one has candidates to verify.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.scan import SIDE, make
from benchmarks.table import Row, publish, timed

STORED, CHANGED = 60, 20
"""Pictures that a store knows, and those that a change brings."""


def main() -> None:
    """Times `python -c pass`, `moderator --help`, what `--help` must not do (import the embedding stack), and the check
    of a change."""
    rows = [
        timed("python -c pass", 1, "start", lambda: run("-c", "pass"), runs=7),
        timed("moderator --help", 1, "start", lambda: run("-m", "moderator", "--help"), runs=7),
        timed("import sentence_transformers", 1, "start", lambda: run("-c", "import sentence_transformers"), runs=1),
        *checked(),
    ]
    publish("startup", rows, f"the checks: the policy `ci`, new JPEG of 640 x 640 beside {STORED} that are stored")


def checked() -> list[Row]:
    """The check of a continuous integration: some changed pictures against a store that knows others."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make(folder / "in", STORED)
        make(folder / "crops", CHANGED, seed=12)
        draw(folder / "drawings")
        kept, numbers = folder / "kept.db", count()
        scan(folder / "in", kept)

        def check(changed: str) -> None:
            scan(folder / changed, Path(shutil.copy(kept, folder / f"{next(numbers)}.db")))

        return [
            timed(f"moderator scan of {CHANGED} new {name}", CHANGED, "pictures", partial(check, name))
            for name in ("drawings", "crops")
        ]


def draw(folder: Path) -> None:
    """Writes pictures of random shapes to `folder`, as JPEG of `SIDE` pixels."""
    folder.mkdir()
    random = np.random.default_rng(13)
    for number in range(CHANGED):
        picture = Image.new("RGB", (SIDE, SIDE), tuple(random.integers(256, size=3).tolist()))
        pen = ImageDraw.Draw(picture)
        for _ in range(int(random.integers(3, 40))):
            corners = random.integers(0, SIDE, (int(random.integers(3, 7)), 2))
            pen.polygon([*map(tuple, corners.tolist())], fill=tuple(random.integers(256, size=3).tolist()))
        picture.save(folder / f"{number:04}.jpg", quality=90)


def scan(pictures: Path, store: Path) -> None:
    """Scans as a process of its own. Raises: RuntimeError, something could not be judged."""
    run("-m", "moderator", "scan", str(pictures), "--policy", "ci", "--store", f"sqlite:///{store}", codes=(0, 1))


def run(*arguments: str, codes: tuple[int, ...] = (0,)) -> None:
    """Runs this interpreter. Raises: RuntimeError, it ended with another code."""
    ran = subprocess.run([sys.executable, *arguments], check=False, capture_output=True, text=True)
    if ran.returncode not in codes:
        raise RuntimeError(f"{' '.join(arguments)} ended with {ran.returncode}: {ran.stderr[-300:]}")


if __name__ == "__main__":
    main()
