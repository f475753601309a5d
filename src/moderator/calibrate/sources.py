"""Reads what is calibrated on into a store of its own, so that nothing of it is left in the policy's."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Pictures

from moderator.calibrate.similarities import Genuine, Similarities, of_pairs, of_pictures, same_by_hash
from moderator.calibrate.tail import Impostors
from moderator.contracts import Embedder, Found, Progress, Store
from moderator.edits import BATTERY
from moderator.edits.copies import original, save_copies
from moderator.errors import ArgumentError
from moderator.ingest import Ingest, Ingested
from moderator.intake.walk import walk
from moderator.models import Verdict
from moderator.policy import Policy
from moderator.registry import Registry

LEAST_PICTURES = 30
"""Below this many pictures nothing is said of different ones."""
SAME = {"1": True, "true": True, "yes": True, "same": True, "match": True,
        "0": False, "false": False, "no": False, "different": False, "not-a-match": False}  # fmt: skip
"""Words for a label."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Two files, and whether they are a match."""

    first: str
    second: str
    same: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """How copies are made.

    Attributes:
        folder: where they are written for a while.
        copies: of how many pictures.
        seed: chooses those, and drives the edits.
        matches: pairs of SHA-256 that a reviewer has called a match.
    """

    folder: Path
    copies: int
    seed: int
    matches: frozenset[frozenset[str]] = frozenset()


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


def from_pictures(
    policy: Policy,
    ingest: Ingest,
    store: Store,
    embedders: Mapping[str, Embedder],
    sources: Sequence[str],
    asked: Asked,
) -> tuple[Mapping[str, Similarities], Ingested]:
    """Measures pictures without labels, and copies made of some of them.

    Raises:
        ArgumentError: a source is not there, or there are too few pictures.
    """
    outcome = ingest.run(walk(sources, exclude=policy.exclude), "picture")
    contents = list(dict.fromkeys(content for _, content in outcome.judged))
    if len(contents) < LEAST_PICTURES:
        raise ArgumentError(
            f"{len(contents):,} different pictures are too few to calibrate on",
            hint=f"give at least {LEAST_PICTURES}; some hundreds are better, some thousands reach lower rates",
        )
    copies = _copies(ingest, outcome, asked)
    return {
        name: _similarities(store, embedder, contents, copies, asked.matches) for name, embedder in embedders.items()
    }, outcome


def _copies(ingest: Ingest, outcome: Ingested, asked: Asked) -> list[tuple[int, int, str]]:
    """Makes and reads edited copies: (original content, content of the copy, edit)."""
    random = np.random.default_rng(asked.seed)
    originals = {content: found for found, content in reversed(outcome.judged)}
    chosen = random.permutation(sorted(originals))[: asked.copies].tolist()
    made: dict[str, tuple[int, str]] = {}
    for path, content, edit in _edited(asked, {content: originals[content] for content in chosen}):
        made[os.path.abspath(path)] = (content, edit)  # noqa: PTH100
    read = ingest.run(walk(sorted(made)), "reference")
    return [(made[found.path][0], content, made[found.path][1]) for found, content in read.judged]


def _edited(asked: Asked, originals: Mapping[int, Found]) -> Iterator[tuple[Path, int, str]]:
    pictures: list[Pictures.Image] = []
    for content, found in originals.items():
        picture = original(found.path)
        if picture is None:
            continue  # it was read a moment ago; what cannot be read again has no copies
        for path, edit in save_copies(picture, asked.folder / str(content), BATTERY, asked.seed, pictures[-3:]):
            yield path, content, edit.name
        pictures.append(picture)


def _similarities(
    store: Store,
    embedder: Embedder,
    contents: Sequence[int],
    copies: Sequence[tuple[int, int, str]],
    matches: frozenset[frozenset[str]],
) -> Similarities:
    impostors, twins = of_pictures(store, embedder, contents, matches)
    ids = np.array(sorted(contents), dtype=np.int64)
    pairs = [(original, copy) for original, copy, _ in copies]
    scores = np.where(same_by_hash(store, pairs), 1.0, of_pairs(store, embedder, pairs))
    numbers = np.searchsorted(ids, [original for original, _, _ in copies])
    return Similarities(Genuine(numbers, [edit for _, _, edit in copies], scores), impostors, twins, ids)


def from_labels(
    ingest: Ingest, store: Store, embedders: Mapping[str, Embedder], labels: Sequence[Labelled]
) -> tuple[Mapping[str, Similarities], Ingested]:
    """Measures labelled pairs. Raises: ArgumentError when a file is not there or cannot be read."""
    outcome = ingest.run(walk(sorted({file for one in labels for file in (one.first, one.second)})), "picture")
    by_path = {found.path: content for found, content in outcome.judged}
    if outcome.rejected:
        worst = outcome.rejected[0]
        raise ArgumentError(f"{worst.path}: {worst.reason}; each picture of a labelled pair must be readable")
    files = [(os.path.abspath(one.first), os.path.abspath(one.second)) for one in labels]  # noqa: PTH100
    pairs = [(by_path[first], by_path[second]) for first, second in files]
    ids = np.unique(np.array(pairs, dtype=np.int64))
    numbers = np.searchsorted(ids, np.array(pairs, dtype=np.int64).reshape(-1, 2))
    same = np.array([one.same for one in labels], dtype=np.bool_)
    hashed = same_by_hash(store, pairs)
    made = {}
    for name, embedder in embedders.items():
        scores = np.where(hashed & same, 1.0, of_pairs(store, embedder, pairs))
        order = np.flatnonzero(~same)[np.argsort(-scores[~same], kind="stable")]
        impostors = Impostors(
            numbers[order, 0], numbers[order, 1], scores[order], len(ids), len(order), complete=False
        )
        genuine = Genuine(numbers[same, 0], ["labelled"] * int(same.sum()), scores[same])
        made[name] = Similarities(genuine, impostors, [], ids)
    return made, outcome


def called_matches(store: Store) -> frozenset[frozenset[str]]:
    """Returns the pairs of SHA-256 that reviewers have called a match, from a policy's store."""
    words = (one for one in store.decisions() if one.verdict is not Verdict.ALLOW)
    return frozenset(frozenset((one.sha256, one.match_sha256)) for one in words)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, by embedder, the pictures' names by content id, and how many files could not be read."""

    by_embedder: Mapping[str, Similarities]
    names: Mapping[int, str]
    rejected: int


def measure(
    policy: Policy,
    registry: Registry,
    sources: Sequence[str] | Sequence[Labelled],
    asked: Asked,
    progress: Progress | None = None,
) -> Measured:
    """Measures pictures, or labelled pairs, with the policy's embedders, in a store that is removed afterwards.

    Raises:
        ArgumentError: a source is not there or cannot be used.
        ModelError: weights cannot be had.
    """
    embedders = registry.make_embedders(policy)
    labels = [one for one in sources if isinstance(one, Labelled)]
    named = [one for one in sources if isinstance(one, str)]
    with registry.open_store(f"sqlite:///{asked.folder / 'calibrate.db'}") as store:
        ingest = Ingest(store, list(embedders.values()), policy.limits, progress)
        if labels:
            measured, outcome = from_labels(ingest, store, embedders, labels)
        else:
            measured, outcome = from_pictures(policy, ingest, store, embedders, named, asked)
    names = {content: found.name for found, content in reversed(outcome.judged)}
    return Measured(measured, names, len(outcome.rejected))
