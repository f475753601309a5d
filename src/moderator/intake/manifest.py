"""Reads manifests: a CSV or JSON Lines file with a path column and any other columns as metadata."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moderator.errors import ArgumentError

MANIFESTS = frozenset({".csv", ".jsonl", ".ndjson"})
PATH_COLUMNS = ("path", "file", "image", "filename")
"""Names of the path column, the first that is there is taken."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a manifest: the picture's path and the other columns, all as text."""

    path: str
    columns: Mapping[str, str]


def read_manifest(manifest: Path) -> list[Row]:
    """Reads a manifest; relative paths are relative to it.

    Raises:
        ArgumentError: it cannot be read, has no path column, a line is malformed or says something else of a picture
            than an earlier one; the line is named.
    """
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as stream:
            lines = _csv(stream) if manifest.suffix.lower() == ".csv" else _jsonl(stream)
            return _agreeing(manifest, ((number, _row(manifest, number, columns)) for number, columns in lines))
    except OSError as error:
        raise ArgumentError(f"cannot read the manifest {manifest}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error, json.JSONDecodeError, RecursionError) as error:
        hint = "it must be UTF-8 text: CSV with commas, or a JSON object a line"
        raise ArgumentError(f"cannot read the manifest {manifest}: {error}", hint=hint) from error


def _agreeing(manifest: Path, rows: Iterable[tuple[int, Row]]) -> list[Row]:
    told: dict[str, tuple[int, Row]] = {}
    kept = []
    for number, row in rows:
        first, other = told.setdefault(os.path.normpath(row.path), (number, row))
        if other.columns != row.columns:
            raise ArgumentError(
                f"{manifest}, line {number}: {row.path} is in line {first} too, with other columns",
                hint="one row says what a picture is; remove one of the two",
            )
        kept.append(row)
    return kept


def _csv(stream: Iterator[str]) -> Iterator[tuple[int, Mapping[str | None, object]]]:
    reader = csv.DictReader(stream, strict=True)
    for columns in reader:
        yield reader.line_num, dict(columns)


def _jsonl(stream: Iterator[str]) -> Iterator[tuple[int, Mapping[str | None, object]]]:
    for number, line in enumerate(stream, 1):
        if line.strip():
            columns = json.loads(line)
            yield number, columns if isinstance(columns, dict) else {}


def _row(manifest: Path, number: int, columns: Mapping[str | None, object]) -> Row:
    column = next((name for name in PATH_COLUMNS if name in columns), None)
    if column is None:
        hint = f"name it one of: {', '.join(PATH_COLUMNS)}; columns are separated by commas"
        raise ArgumentError(f"{manifest}, line {number}: no path column", hint=hint)
    refuse_long(manifest, number, columns)
    path = columns[column]
    if not isinstance(path, str) or not path:
        raise ArgumentError(f"{manifest}, line {number}: the path is empty")
    rest = {str(key): str(value) for key, value in columns.items() if key != column and value is not None}
    return Row(str(manifest.parent / path), rest)


def refuse_long(file: Path, number: int, columns: Mapping[Any, object]) -> None:
    """Raises: ArgumentError for a row of a CSV file, as `csv.DictReader` gives it, with more fields than its header."""
    if None in columns:
        hint = "put a field that holds a comma in quotation marks"
        raise ArgumentError(f"{file}, line {number}: more fields than the header names", hint=hint)
