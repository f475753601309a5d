"""Reads what is calibrated on into a store of its own, so that nothing of it is left in the policy's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image as Pictures

from moderator.calibrate.labels import Labelled
from moderator.calibrate.similarities import (
    Decided,
    Genuine,
    Pair,
    Similarities,
    fingerprints,
    of_pairs,
    of_pictures,
    same_by_hash,
)
from moderator.calibrate.tail import Impostors
from moderator.calibrate.variants import Columns, variants_of
from moderator.calibrate.verified import Asking, Judged, Odds, similarities, sure, telling
from moderator.contracts import Embedder, Found, Progress, Store
from moderator.edits import BATTERY
from moderator.edits.copies import LARGEST, save_copies
from moderator.errors import ArgumentError
from moderator.ingest import Ingest, Ingested
from moderator.intake.decode import first_view
from moderator.intake.walk import walk
from moderator.models import VERIFIED, Verdict
from moderator.policy import Limits, Policy
from moderator.registry import Registry
from moderator.search.rungs import pixels_rung
from moderator.verification import verifying
from moderator.wording import counted

LEAST_PICTURES = 30
"""Below this many pictures nothing is said of different ones."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How copies are made.

    Attributes:
        folder: where they are written for a while.
        copies: of how many pictures.
        seed: chooses those, and drives the edits.
        decided: what reviewers have said.
        metadata: of the pictures.
    """

    folder: Path
    copies: int
    seed: int
    decided: Decided
    metadata: Columns = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, by embedder and for verification under `VERIFIED`, the pictures' names by content id, and how
    many files could not be read."""

    by_signal: Mapping[str, Similarities]
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
    policy = telling(policy)
    labels = [one for one in sources if isinstance(one, Labelled)]
    named = [one for one in sources if isinstance(one, str)]
    with (
        registry.open_store(f"sqlite:///{asked.folder / 'calibrate.db'}") as store,
        verifying(store, policy) as verifier,
    ):
        ingest = Ingest(store, list(embedders.values()), policy.limits, progress)
        asking = None if verifier is None else Asking(store, policy, embedders, verifier)
        reading = _Reading(store, ingest, embedders, asking)
        measured, outcome = reading.labels(labels) if labels else reading.pictures(policy, named, asked)
    shown = {os.path.abspath(file): name for one in labels for file, name in one.named}  # noqa: PTH100
    names = {content: shown.get(found.path, found.name) for found, content in reversed(outcome.judged)}
    return Measured(measured, names, len(outcome.rejected))


def decided(store: Store) -> Decided:
    """Returns what reviewers have said of pairs, from a policy's store."""
    words = store.decisions()
    none = (one for one in words if one.verdict is Verdict.ALLOW)
    return Decided(
        frozenset(frozenset((one.sha256, one.match_sha256)) for one in words if one.verdict is not Verdict.ALLOW),
        frozenset(frozenset((one.sha256, one.match_sha256)) for one in none),
    )


class _Reading:
    """Reads and measures in one store; `asking` is None where the policy does not verify."""

    def __init__(
        self, store: Store, ingest: Ingest, embedders: Mapping[str, Embedder], asking: Asking | None
    ) -> None:
        self._store = store
        self._ingest = ingest
        self._embedders = embedders
        self._asking = asking

    def pictures(
        self, policy: Policy, sources: Sequence[str], asked: Asked
    ) -> tuple[Mapping[str, Similarities], Ingested]:
        """Measures pictures without labels, and copies made of some of them. Raises: ArgumentError."""
        walked = walk(sources, exclude=policy.exclude, metadata=asked.metadata)
        outcome = self._ingest.run(walked, "picture")
        contents = list(dict.fromkeys(content for _, content in outcome.judged))
        if len(contents) < LEAST_PICTURES:
            raise ArgumentError(
                f"{counted(len(contents), 'different picture')}: too few to calibrate on",
                hint=f"give at least {LEAST_PICTURES}; some hundreds are better, some thousands reach lower rates",
            )
        copies, read = _copies(self._ingest, outcome, asked, policy.limits)
        odds: Odds = {}
        if self._asking is not None:
            # What is proposed of two pictures must not be crowded out by copies of one, and the other way round.
            known = outcome.judged
            odds = {**self._asking.between(known, known), **self._asking.between(read, known)}
        pairs = [(original, copy) for original, copy, _ in copies]
        left = sure({pair: one for pair, one in odds.items() if set(pair) <= set(contents)})
        variants, decided = self._variants(policy, contents, asked.decided)
        made = {}
        for name, embedder in self._embedders.items():
            impostors, twins = of_pictures(self._store, embedder, contents, decided, left, variants.keys())
            if not impostors.pairs:
                raise ArgumentError(
                    "each two of the pictures are copies: nothing tells how close different ones come",
                    hint="give pictures of more than one thing",
                )
            ids = np.array(sorted(contents), dtype=np.int64)
            scores = np.where(same_by_hash(self._store, pairs), 1.0, of_pairs(self._store, embedder, pairs))
            numbers = np.searchsorted(ids, [original for original, _ in pairs])
            genuine = Genuine(numbers, [edit for *_, edit in copies], scores)
            made[name] = Similarities(genuine, impostors, twins, ids, variants)
        return self._with_verified(made, odds, pairs), outcome

    def _variants(
        self, policy: Policy, contents: Sequence[int], decided: Decided
    ) -> tuple[Mapping[Pair, str], Decided]:
        """Returns the pairs that the metadata call one item in two colours, less those with the same pixels or that a
        reviewer has called a match, and what reviewers have said with these as different."""
        told = variants_of(policy, self._store.images(contents))
        prints = fingerprints(self._store, sorted({one for pair in told for one in pair}))
        sides = {pair: (prints[pair[0]], prints[pair[1]]) for pair in told}
        digests = {pair: frozenset((a.sha256.hex(), b.sha256.hex())) for pair, (a, b) in sides.items()}
        variants = {
            pair: words
            for pair, words in told.items()
            if digests[pair] not in decided.same and not pixels_rung(*sides[pair]).holds
        }
        return variants, Decided(decided.same, decided.different.union(digests[pair] for pair in variants))

    def labels(self, labels: Sequence[Labelled]) -> tuple[Mapping[str, Similarities], Ingested]:
        """Measures labelled pairs. Raises: ArgumentError when a file is not there or cannot be read."""
        named = sorted({file for one in labels for file in (one.first, one.second)})
        outcome = self._ingest.run(walk(named), "picture")
        by_path = {found.path: content for found, content in outcome.judged}
        if outcome.rejected:
            worst = outcome.rejected[0]
            raise ArgumentError(f"{worst.path}: {worst.reason}; each picture of a labelled pair must be readable")
        if strange := next((one for one in named if os.path.abspath(one) not in by_path), None):  # noqa: PTH100
            raise ArgumentError(f"{strange} is no picture, but a folder, a list or a file of another kind")
        files = [(os.path.abspath(one.first), os.path.abspath(one.second)) for one in labels]  # noqa: PTH100
        pairs = [(by_path[first], by_path[second]) for first, second in files]
        _check(labels, pairs)
        ids = np.unique(np.array(pairs, dtype=np.int64))
        numbers = np.searchsorted(ids, np.array(pairs, dtype=np.int64).reshape(-1, 2))
        same = np.array([one.same for one in labels], dtype=np.bool_)
        hashed = same_by_hash(self._store, pairs)
        made = {}
        for name, embedder in self._embedders.items():
            scores = np.where(hashed & same, 1.0, of_pairs(self._store, embedder, pairs))
            order = np.flatnonzero(~same)[np.argsort(-scores[~same], kind="stable")]
            impostors = Impostors(
                numbers[order, 0], numbers[order, 1], scores[order], len(ids), len(order), complete=False
            )
            genuine = Genuine(numbers[same, 0], ["labelled"] * int(same.sum()), scores[same])
            made[name] = Similarities(genuine, impostors, {}, ids)
        odds = {} if self._asking is None else self._asking.of(pairs)
        return self._with_verified(made, odds, [pair for pair, one in zip(pairs, same, strict=True) if one]), outcome

    def _with_verified(
        self, made: Mapping[str, Similarities], odds: Odds, copies: Sequence[Pair]
    ) -> Mapping[str, Similarities]:
        if self._asking is None:
            return made
        return {VERIFIED: similarities(odds, copies, next(iter(made.values()))), **made}


def _check(labels: Sequence[Labelled], pairs: Sequence[Pair]) -> None:
    """Raises: ArgumentError where no pair is labelled as different, or one is labelled both ways."""
    if all(one.same for one in labels):
        raise ArgumentError(
            "no pair is labelled as different: of matches alone no rate of false matches is told",
            hint="add pairs that are no match, with --different FILE, 0 in the column same, or `moderator decide`",
        )
    known: dict[frozenset[int], bool] = {}
    for one, pair in zip(labels, pairs, strict=True):
        if known.setdefault(frozenset(pair), one.same) != one.same:
            names = " and ".join(name for _, name in one.named)
            raise ArgumentError(f"{names} are labelled as a match and as none", hint="leave one of the two labels")


def _copies(
    ingest: Ingest, outcome: Ingested, asked: Asked, limits: Limits
) -> tuple[list[tuple[int, int, str]], Judged]:
    """Makes and reads edited copies: (original content, content of the copy, edit), and the files read."""
    random = np.random.default_rng(asked.seed)
    originals = {content: found for found, content in reversed(outcome.judged)}
    chosen = random.permutation(sorted(originals))[: asked.copies].tolist()
    made: dict[str, tuple[int, str]] = {}
    for path, content, edit in _edited(asked, limits, {content: originals[content] for content in chosen}):
        made[os.path.abspath(path)] = (content, edit)  # noqa: PTH100
    read = ingest.run(walk(sorted(made)), "picture").judged
    return [(made[found.path][0], content, made[found.path][1]) for found, content in read], read


def _edited(asked: Asked, limits: Limits, originals: Mapping[int, Found]) -> Iterator[tuple[Path, int, str]]:
    pictures: list[Pictures.Image] = []
    for content, found in originals.items():
        picture = first_view(found.path, limits, LARGEST)
        if picture is None:
            continue  # it was read a moment ago; what cannot be read again has no copies
        for path, edit in save_copies(picture, asked.folder / str(content), BATTERY, asked.seed, pictures[-3:]):
            yield path, content, edit.name
        pictures.append(picture)
