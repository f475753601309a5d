"""Edits pictures by another library, whose edits moderator knows nothing of; `batteries.py` starts it in an
environment of that library's own.

    python augment.py MODULE < ASKED > TOLD

Each line asked is a JSON object: the file `picture`, those of `others` that it may be set among, a `seed`, the `stem`
of the files to write, and how many `edits` of the module's `BATTERY`. Each line told lists pairs of a file and its
edit. Nothing of moderator is imported.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from random import Random
from typing import Any

from PIL import Image

QUALITY = 90
"""JPEG quality in which edited copies are saved."""
LARGEST = 1200
"""Pixels of the longer side that are edited, as of our own battery."""

Edit = Callable[[Any, Random, list[Any]], Any]
"""Makes an edited picture of one, random numbers, and others to set it among."""


@lru_cache(maxsize=32)
def opened(path: str) -> Any:
    """Returns the picture of a file, RGB."""
    with Image.open(path) as picture:
        rgb = picture.convert("RGB")
    rgb.thumbnail((LARGEST, LARGEST))
    return rgb


def told(asked: Mapping[str, Any], battery: Mapping[str, Edit]) -> list[tuple[str, str]]:
    """Writes the edited copies asked for, and returns their files and edits."""
    random = Random(asked["seed"])
    picture = opened(asked["picture"])
    others = [opened(path) for path in asked["others"]] or [Image.new("RGB", picture.size, "grey")]
    written = []
    for name in random.sample(sorted(battery), min(asked["edits"], len(battery))):
        path = f"{asked['stem']}-{name}.jpg"
        edited = battery[name](picture.copy(), random, others)
        edited.convert("RGB").save(path, quality=QUALITY)
        written.append((path, name))
    return written


if __name__ == "__main__":
    answers, sys.stdout = sys.stdout, sys.stderr  # a library may print
    chosen = import_module(sys.argv[1]).BATTERY
    for line in sys.stdin:
        print(json.dumps(told(json.loads(line), chosen)), file=answers, flush=True)
