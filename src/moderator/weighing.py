"""Weighs candidate pairs: every rung of the evidence ladder is tried on each of them, strongest first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property
from itertools import islice

import numpy as np

from moderator import parts, verification
from moderator.contracts import Embedder, Fingerprint, Store, Vectors
from moderator.models import Evidence, Kind, Match, Verdict
from moderator.search import rungs
from moderator.vectors import Matrix
from moderator.verification import Done, Told, Verifier
from moderator.verified import Pair, ViewPair

CHUNK = 4096
"""Pairs whose fingerprints and vectors are loaded together."""


class Weighing:
    """Tries the rungs on pairs of one store's contents.

    Args:
        verifier: verifies what might be a copy; None: cosine similarity alone decides.
    """

    def __init__(self, store: Store, embedders: Mapping[str, Embedder], verifier: Verifier | None) -> None:
        self._store = store
        self._embedders = embedders
        self._verifier = verifier
        self._fingerprints: dict[int, Fingerprint] = {}
        self._vectors: dict[str, dict[int, Vectors]] = {}
        self.denied: set[frozenset[str]] = set()
        """Pairs, by SHA-256, that matched and were left out, because a reviewer has called them no match."""

    @property
    def verifies(self) -> bool:
        return self._verifier is not None

    def stage(self, count: int | None) -> AbstractContextManager[Done]:
        """Shows how far `count` pairs are verified; None: as many as are asked for. Without a verifier nothing."""
        return nullcontext(lambda _more: None) if self._verifier is None else self._verifier.stage(count)

    def fingerprint(self, content: int) -> Fingerprint:
        """Returns what is known of a content without a model."""
        self._load_fingerprints([content])
        return self._fingerprints[content]

    def sha256(self, content: int) -> str:
        """Returns the hexadecimal SHA-256 of a content."""
        return self.fingerprint(content).sha256.hex()

    def matches(self, pairs: Iterable[Pair], cosines: Sequence[Evidence], done: Done | None) -> Iterator[Match]:
        """Climbs the ladder with each pair: hashes, verification, then these cosine rungs in their order.

        Yields those on which a rung holds, less those that a reviewer has called no match.

        Args:
            done: is told of how many more pairs are verified; None: none is.
        """
        waiting = iter(pairs)
        while some := list(islice(waiting, CHUNK)):
            involved = sorted({content for pair in some for content in pair})
            for name in dict.fromkeys(rung.signal for rung in cosines):
                self._load(name, involved)
            tried = [
                (
                    *rungs.hash_rungs(self._fingerprints[first], self._fingerprints[second]),
                    *(self._tried(rung, first, second) for rung in cosines),
                )
                for first, second in some
            ]
            found = [Match(*pair, evidence) for pair, evidence in zip(some, tried, strict=True)]
            for match in found if done is None else self.verified(found, done):
                held = any(rung.holds for rung in match.evidence)
                if held and not self.denies(self.sha256(match.content), self.sha256(match.other)):
                    yield match

    def verified(self, matches: Sequence[Match], done: Done) -> list[Match]:
        """Returns the same with the rung of verification, where pixels are not identical and a verifier is there."""
        if self._verifier is None:
            return list(matches)
        asked = {
            (match.content, match.other): self._closest_views(match)
            for match in matches
            if not verification.identical(match.evidence)
        }
        done(len(matches) - len(asked))
        told = self._verifier.verify(asked, done)
        return [self._with_verified(self._verifier, match, told) for match in matches]

    @staticmethod
    def _with_verified(verifier: Verifier, match: Match, told: Told) -> Match:
        if (pair := (match.content, match.other)) not in told:
            return match
        rung = verification.evidence(told[pair], verifier.chosen, match.evidence)
        return replace(match, evidence=verification.with_verified(match.evidence, rung))

    def alike(self, pairs: Collection[Pair]) -> dict[Pair, float]:
        """Returns the probability that two contents are copies of one another; 1 where nothing can tell, and 0 where a
        reviewer has said that they are not."""
        self._load_fingerprints(sorted({content for pair in pairs for content in pair}))
        asked = [Match(*pair, tuple(rungs.hash_rungs(*(self._fingerprints[one] for one in pair)))) for pair in pairs]
        told = self.verified(asked, lambda _more: None)
        return {(one.content, one.other): self._probability(one) for one in told}

    def _probability(self, match: Match) -> float:
        if frozenset((self.sha256(match.content), self.sha256(match.other))) in self._no_matches:
            return 0.0
        verified = match.verified
        if verified is None or verified.score is None:
            return 1.0
        return verified.score if verified.kind is Kind.EDITED_COPY else 0.0

    def _closest_views(self, match: Match) -> ViewPair:
        """The views in which the two are closest by the last rung's model; the first of each where there is none."""
        known = self._vectors.get(match.evidence[-1].signal, {})
        if match.content not in known or match.other not in known:
            return "whole", "whole"
        return rungs.closest_views(known[match.content], known[match.other])[1]

    def judged(self, contents: Sequence[int]) -> set[int]:
        """Returns those of some contents that a reviewer has called no match of something."""
        digests = frozenset().union(*self._no_matches)
        if not digests:
            return set()
        self._load_fingerprints(contents)
        return {content for content in contents if self.sha256(content) in digests}

    def denies(self, first: str, second: str) -> bool:
        """Whether a reviewer has called two SHA-256 no match; keeps count of those."""
        pair = frozenset((first, second))
        if pair not in self._no_matches:
            return False
        self.denied.add(pair)
        return True

    @cached_property
    def _no_matches(self) -> frozenset[frozenset[str]]:
        """What reviewers have called no match. Asked before the grouping, so that no other link is lost with it."""
        decisions = self._store.decisions()
        return frozenset(frozenset((one.sha256, one.match_sha256)) for one in decisions if one.verdict is Verdict.ALLOW)

    def _tried(self, rung: Evidence, first: int, second: int) -> Evidence:
        """The rung tried on two contents; without a score where one has no vector of this model."""
        known = self._vectors.get(rung.signal, {})
        return rungs.cosine_rung(rung, known[first], known[second]) if first in known and second in known else rung

    def similarity(self, embedder: str, contents: Sequence[int]) -> Matrix:
        """Returns the cosine of each two of `contents`, `[n, n]`; 1 where a hash says that they are copies."""
        self._load(embedder, contents)
        model = self._embedders[embedder].model
        nothing = Vectors(model, ("whole",), np.zeros((1, model.dimension), dtype=np.float32))
        known = [self._vectors[embedder].get(content, nothing) for content in contents]
        starts = np.cumsum([0, *(len(one.views) for one in known[:-1])])
        stacked = np.concatenate([one.matrix for one in known])
        labels = [label for one in known for label in one.views]
        products = parts.closeness(stacked @ stacked.T, labels, labels)
        closest = np.maximum.reduceat(np.maximum.reduceat(products, starts, axis=0), starts, axis=1)
        closest[rungs.same_picture([self._fingerprints[content] for content in contents])] = 1.0
        np.fill_diagonal(closest, 1.0)
        return closest.clip(-1.0, 1.0)

    def _load(self, embedder: str, contents: Sequence[int]) -> None:
        self._load_fingerprints(contents)
        known, model = self._vectors.setdefault(embedder, {}), self._embedders[embedder].model
        if missing := [content for content in contents if content not in known]:
            known.update(rungs.by_content(self._store.vectors(model, "all", missing), model))

    def _load_fingerprints(self, contents: Sequence[int]) -> None:
        if missing := [content for content in contents if content not in self._fingerprints]:
            for block in self._store.hashes("all", missing):
                self._fingerprints.update(zip(block.contents.tolist(), block.fingerprints, strict=True))
