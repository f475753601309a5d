"""Pairs of pictures, of the collections that the model is fitted to, that somebody has looked at and found to show one
picture, a part of it, or one scene a moment later, though no name and no table says so.

`looked_at.csv` names them by the beginnings of their files' SHA-256. To call such a pair two pictures would lie.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.collection import Flags, Picture

TABLE = Path(__file__).with_suffix(".csv")
DIGITS = 16


def looked_at(pictures: Sequence[Picture]) -> Flags:
    """Returns which two of some pictures are in the table, bool `[n, n]`."""
    places = {hashlib.sha256(one.path.read_bytes()).hexdigest()[:DIGITS]: at for at, one in enumerate(pictures)}
    told = np.zeros((len(pictures), len(pictures)), dtype=np.bool_)
    for first, second in _table():
        if first in places and second in places:
            told[places[first], places[second]] = told[places[second], places[first]] = True
    return told


@cache
def _table() -> Sequence[tuple[str, str]]:
    with TABLE.open(newline="", encoding="utf-8") as stream:
        return [(row["first"], row["second"]) for row in csv.DictReader(stream)]
