"""Labelled pairs: two files, and whether they are a match, from a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from moderator.errors import ArgumentError

SAME = {"1": True, "true": True, "yes": True, "same": True, "match": True,
        "0": False, "false": False, "no": False, "different": False, "not-a-match": False}  # fmt: skip
"""Words for a label."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Two files, and whether they are a match."""

    first: str
    second: str
    same: bool


def read_labels(path: Path, same: bool | None = None) -> list[Labelled]:
    """Reads labelled pairs from a CSV file with the columns first, second and (unless `same` says it for all) same.

    Relative paths are relative to the file.

    Raises:
        ArgumentError: it cannot be read, or a line is malformed; the line is named.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            return [_labelled(path, reader.line_num, row, same) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ArgumentError(f"cannot read the pairs {path}: {error}") from error


def _labelled(path: Path, line: int, row: Mapping[str, str | None], same: bool | None) -> Labelled:
    first, second = row.get("first"), row.get("second")
    if not first or not second:
        raise ArgumentError(f"{path}, line {line}: name two files, in the columns first and second")
    word = (row.get("same") or "").strip().lower()
    if same is None and word not in SAME:
        raise ArgumentError(f"{path}, line {line}: no label in the column same", hint=f"one of: {', '.join(SAME)}")
    return Labelled(str(path.parent / first), str(path.parent / second), SAME[word] if same is None else same)
