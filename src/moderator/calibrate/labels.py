"""Labelled pairs: two files, and whether they are a match, from a CSV file or from what reviewers have said."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from moderator.contracts import Store
from moderator.decisions import NO_MATCH, listed, sha256_of
from moderator.errors import ArgumentError
from moderator.intake.manifest import refuse_long
from moderator.policy import Policy

SAME = {"1": True, "true": True, "yes": True, "same": True, "match": True,
        "0": False, "false": False, "no": False, "different": False, "not-a-match": False}  # fmt: skip
"""Words for a label."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Two files, and whether they are a match.

    Attributes:
        names: what the two are called where they are shown; None: by their files.
    """

    first: str
    second: str
    same: bool
    names: tuple[str, str] | None = None

    @property
    def named(self) -> Sequence[tuple[str, str]]:
        """The two files with their names."""
        return list(zip((self.first, self.second), self.names or (self.first, self.second), strict=True))


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
    except OSError as error:
        raise ArgumentError(f"cannot read the pairs {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ArgumentError(f"cannot read the pairs {path}: {error}") from error


def _labelled(path: Path, line: int, row: Mapping[str, str | None], same: bool | None) -> Labelled:
    refuse_long(path, line, row)
    first, second = row.get("first"), row.get("second")
    if not first or not second:
        raise ArgumentError(f"{path}, line {line}: name two files, in the columns first and second")
    word = (row.get("same") or "").strip().lower()
    if same is None and word not in SAME:
        raise ArgumentError(f"{path}, line {line}: no label in the column same", hint=f"one of: {', '.join(SAME)}")
    return Labelled(str(path.parent / first), str(path.parent / second), SAME[word] if same is None else same)


def reviewed(store: Store, policy: Policy) -> tuple[list[Labelled], int]:
    """Returns reviewers' decisions as labelled pairs, and how many are left out, as a file that they are about is gone
    or has changed. References are named by set and entry."""
    found: list[Labelled] = []
    decisions = listed(store, policy)
    for one in decisions:
        digests = one.decision.sha256, one.decision.match_sha256
        files = [_holding(paths, digest) for paths, digest in zip(one.files, digests, strict=True)]
        if files[0] is not None and files[1] is not None:
            same = one.decision.verdict is not NO_MATCH
            found.append(Labelled(files[0], files[1], same, (one.first, one.second)))
    return found, len(decisions) - len(found)


def _holding(files: Sequence[str], digest: str) -> str | None:
    """Returns the first file that still holds what it did."""
    return next((file for file in files if Path(file).is_file() and sha256_of(Path(file)) == digest), None)
