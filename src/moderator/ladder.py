"""The evidence ladder over a store: what detectors ask (`contracts.Search`), answered by `moderator.search`.

Every match carries each rung that was tried on it, strongest first, so that a copy is never reported as a mere
lookalike, nor a lookalike as a copy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property

import numpy as np

from moderator.contracts import Embedder, Fingerprint, Found, HashBlock, Scope, Search, Store
from moderator.gallery import Gallery
from moderator.models import Evidence, Image, Kind, Match, Reference, Verdict
from moderator.policy import Policy, ReferenceSet
from moderator.search import exact, hashes, rungs
from moderator.search.near import Asked, Near
from moderator.search.prompts import described, prompts_of
from moderator.vectors import Matrix

CAP = 1000
"""Most matches kept for one picture and rule; a report says when it was reached."""
DUPLICATES = "duplicates"
"""Rules of this detector say from which similarity on two pictures are copies."""
PROHIBITED = "prohibited"
"""Rules of this detector ask reference sets."""

Pair = tuple[int, int]


class StoredSearch(Search):
    """Answers detectors from a store, for the pictures of one scan.

    Args:
        against: the files that the scanned ones are compared with; None: everything stored.
    """

    def __init__(
        self,
        store: Store,
        policy: Policy,
        embedders: Mapping[str, Embedder],
        scanned: Sequence[tuple[Found, int]],
        against: Sequence[tuple[Found, int]] | None = None,
    ) -> None:
        self._store = store
        self._policy = policy
        self._embedders = embedders
        self._gallery = Gallery(store, scanned, against)
        self._against = self._gallery.against
        self._subjects = self._gallery.subjects
        self._subject_set = frozenset(self._subjects)
        self._fingerprints: dict[int, Fingerprint] = {}
        self._vectors: dict[str, dict[int, Matrix]] = {}
        self._near = Near(store, policy.search, self.note)
        self.notes: list[str] = []
        self.denied: set[Pair] = set()
        """Pairs of contents that matched and were left out, because a reviewer has called them no match."""

    @property
    def subjects(self) -> Sequence[int]:
        return self._subjects

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def images(self, content: int) -> Sequence[Image]:
        return self._gallery.images(content)

    def sha256(self, content: int) -> str:
        """Returns the hexadecimal SHA-256 of a content."""
        self._load_fingerprints([content])
        return self._fingerprints[content].sha256.hex()

    # The three questions

    def copies(self, embedder: str, threshold: float) -> Iterable[Match]:
        near = self._pairs(embedder, threshold, self._pictures)
        pairs = {pair for pair, _ in near} | self._hash_pairs("images", self._against)
        asked = Evidence(embedder, self._kind(embedder), None, threshold)
        return self._matches(self._unordered(sorted(pairs)), asked, self._other_rungs(embedder))

    def alike(
        self, embedder: str, threshold: float, top: int, asked: Callable[[int, int], float | None]
    ) -> Iterable[Match]:
        kept: Counter[int] = Counter()
        rung = Evidence(embedder, Kind.LOOKALIKE, None, threshold)
        near = self._pairs(embedder, threshold, self._pictures)
        ranked = sorted(near, key=lambda hit: (-hit[1], hit[0]))
        for found in self._matches(self._unordered(pair for pair, _ in ranked), rung, self._copy_rungs):
            first, second = found.content, found.other
            if any(rung.holds for rung in found.evidence[:-1]) or (least := asked(first, second)) is None:
                continue
            *others, last = found.evidence
            match = replace(found, evidence=(*others, replace(last, threshold=least)))
            if not match.evidence[-1].holds:
                continue
            # A pair is told if it is among the closest of either side that is of this scan: a favourite hides nothing.
            sides = [one for one in (first, second) if one in self._subject_set]
            if any(kept[one] < top for one in sides):
                kept.update(sides)
                yield match

    def prohibited(
        self, embedder: str, threshold: float, sets: Sequence[str]
    ) -> Iterable[tuple[Match, Sequence[Reference]]]:
        if not any(count for name, count in self._reference_counts.items() if not sets or name in sets):
            if not self._has_prompts(sets):
                where = f"the set {', '.join(sets)}" if sets else "any set"
                self.note(f"no references in {where}: nothing could match; fill it with `moderator references add`")
            return
        pairs = {pair for pair, _ in self._pairs(embedder, threshold, Asked("references", self._entries_of(sets)))}
        pairs |= self._hash_pairs("references")
        pairs |= {(content, content) for content in self._subjects}
        entries: dict[int, list[Reference]] = {}
        for reference in self._store.references(sets, sorted({other for _, other in pairs})):
            entries.setdefault(reference.content, []).append(self._declared(reference))
        pairs = {pair for pair in pairs if pair[1] in entries}
        asked = Evidence(embedder, self._kind(embedder), None, threshold)
        for match in self._matches(sorted(pairs), asked, self._other_rungs(embedder)):
            yield match, entries[match.other]

    def _entries_of(self, sets: Sequence[str]) -> Callable[[Sequence[int] | None], Sequence[int]]:
        """Returns what narrows contents to those that these sets hold."""

        def held(contents: Sequence[int] | None) -> Sequence[int]:
            return sorted({one.content for one in self._store.references(sets, contents)})

        everything = cache(lambda: held(None))
        return lambda contents: everything() if contents is None else held(contents)

    @cached_property
    def _reference_counts(self) -> Mapping[str, int]:
        return self._store.reference_counts()

    def _has_prompts(self, sets: Sequence[str]) -> bool:
        declared = self.reference_sets
        return any(declared[name].prompts for name in sets or declared if name in declared)

    def _declared(self, reference: Reference) -> Reference:
        """Adds what the policy says of the entry's set."""
        declared = self._policy.reference_sets.get(reference.set)
        if declared is None:
            return reference
        return replace(reference, severity=declared.severity, set_label=declared.label, allow=declared.allow)

    @cached_property
    def reference_sets(self) -> Mapping[str, ReferenceSet]:
        added = dict.fromkeys(self._reference_counts, ReferenceSet())
        return {**added, **self._policy.reference_sets}

    def described(
        self, embedder: str, threshold: float, sets: Sequence[str]
    ) -> Iterable[tuple[int, Reference, tuple[Evidence, ...]]]:
        prompts = prompts_of({name: self.reference_sets[name] for name in sets if name in self.reference_sets})
        pictures = self._store.vectors(self._embedders[embedder].model, "images", self._subjects)
        for content, prompt, score in described(self._embedders[embedder], pictures, prompts, threshold):
            yield content, prompt, (Evidence(embedder, Kind.LOOKALIKE, score, threshold, "picture and text"),)

    def _kind(self, embedder: str) -> Kind:
        """A model of meaning (CLIP) never proves a copy, however close it says two pictures are."""
        return Kind.EDITED_COPY if self._embedders[embedder].finds_copies else Kind.LOOKALIKE

    def similarity(self, embedder: str, contents: Sequence[int]) -> Matrix:
        self._load(embedder, contents)
        nothing = np.zeros((1, self._embedders[embedder].model.dimension), dtype=np.float32)
        views = [self._vectors[embedder].get(content, nothing) for content in contents]
        starts = np.cumsum([0, *(len(rows) for rows in views[:-1])])
        stacked = np.concatenate(views)
        closest = np.maximum.reduceat(np.maximum.reduceat(stacked @ stacked.T, starts, axis=0), starts, axis=1)
        closest[rungs.same_picture([self._fingerprints[content] for content in contents])] = 1.0
        np.fill_diagonal(closest, 1.0)
        return closest.clip(-1.0, 1.0)

    # Finding candidates

    @cached_property
    def _pictures(self) -> Asked:
        """The stored pictures, or those that the scan is compared with."""
        if self._against is None:
            return Asked("images")
        against = frozenset(self._against)
        return Asked("images", lambda near: sorted(against if near is None else against.intersection(near)))

    def _pairs(self, embedder: str, threshold: float, asked: Asked) -> Iterator[tuple[Pair, float]]:
        model = self._embedders[embedder].model
        # Two more than the cap: a picture's closest match may be itself, and one beyond tells that there are more.
        for hits in self._near.above(model, self._subjects, asked, threshold, CAP + 2):
            yield from self._capped(hits, f"at {threshold:g} by {embedder}", "; raise the threshold")

    def _capped(self, hits: exact.Hits, asked: str, advice: str = "") -> Iterator[tuple[Pair, float]]:
        """Keeps pairs of two contents, the closest `CAP` of each, and notes where there are more."""
        met: Counter[int] = Counter()
        both = zip(hits.contents.tolist(), hits.others.tolist(), hits.scores.tolist(), strict=True)
        for first, second, score in both:
            if first != second:
                met[first] += 1
                if met[first] <= CAP:
                    yield (first, second), score
        if more := sum(count > CAP for count in met.values()):
            self.note(
                f"{more:,} picture(s) have more than {CAP:,} matches {asked}: the closest {CAP:,} of each are "
                f"reported{advice}"
            )

    def _unordered(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        """Keeps the first met of (a, b) and (b, a)."""
        seen: set[Pair] = set()
        for first, second in pairs:
            key = (min(first, second), max(first, second))
            if key not in seen:
                seen.add(key)
                yield first, second

    def _hash_pairs(self, scope: Scope, only: Sequence[int] | None = None) -> set[Pair]:
        """Pairs (of this scan, other) with identical pixels or a matching PDQ hash in any orientation."""
        if scope not in self._hashed:
            pairs: set[Pair] = set()
            stored = hashes.table(self._with_pixels(self._store.hashes(scope, only), pairs), 1)
            asked = hashes.table(self._store.hashes("images", self._subjects), 8)
            found = hashes.near(asked, stored, CAP + 2)
            self._hashed[scope] = pairs | {pair for pair, _ in self._capped(found, "by perceptual hash")}
        return self._hashed[scope]

    @cached_property
    def _hashed(self) -> dict[Scope, set[Pair]]:
        return {}

    @cached_property
    def _subject_prints(self) -> Mapping[int, Fingerprint]:
        self._load_fingerprints(self._subjects)
        return {content: self._fingerprints[content] for content in self._subjects}

    def _with_pixels(self, blocks: Iterable[HashBlock], pairs: set[Pair]) -> Iterator[HashBlock]:
        """Hands blocks on, and puts down the pairs with identical pixels that are met in them."""
        holders: dict[bytes, list[int]] = {}
        for content, fingerprint in self._subject_prints.items():
            holders.setdefault(fingerprint.pixels, []).append(content)
        for block in blocks:
            for other, fingerprint in zip(block.contents.tolist(), block.fingerprints, strict=True):
                pairs.update((content, other) for content in holders.get(fingerprint.pixels, ()) if content != other)
            yield block

    # Weighing them

    @cached_property
    def _copy_rungs(self) -> Sequence[Evidence]:
        """What the policy's own `duplicates` rules call a copy, in the order of the ladder."""
        rules = [rule for rule in self._policy.rules if rule.detector == DUPLICATES]
        named = [(self._policy.embedder_of(rule), rule.threshold) for rule in rules]
        known = [(name, threshold) for name, threshold in dict.fromkeys(named) if name in self._embedders]
        known.sort(key=lambda rung: not self._embedders[rung[0]].finds_copies)
        return [Evidence(name, self._kind(name), None, threshold) for name, threshold in known]

    def _other_rungs(self, embedder: str) -> Sequence[Evidence]:
        """The copy rungs of stronger or equal kind that another model than the rule's own has to say."""
        order = list(Kind)
        own = order.index(self._kind(embedder))
        return [rung for rung in self._copy_rungs if rung.signal != embedder and order.index(rung.kind) <= own]

    def _matches(self, pairs: Iterable[Pair], asked: Evidence, before: Sequence[Evidence]) -> Iterator[Match]:
        """Climbs the ladder with each pair: hashes, what the policy calls a copy, then the rule's own rung."""
        cosines = (*before, asked)
        for some in _chunks(pairs):
            involved = sorted({content for pair in some for content in pair})
            for name in dict.fromkeys(rung.signal for rung in cosines):
                self._load(name, involved)
            for first, second in some:
                evidence = (
                    *self._hash_evidence(first, second),
                    *(self._tried(rung, first, second) for rung in cosines),
                )
                if any(rung.holds for rung in evidence) and not self._is_denied(first, second):
                    yield Match(first, second, evidence)

    def _is_denied(self, first: int, second: int) -> bool:
        pair = frozenset(self._fingerprints[content].sha256.hex() for content in (first, second))
        if pair not in self._no_matches:
            return False
        self.denied.add((min(first, second), max(first, second)))
        return True

    @cached_property
    def _no_matches(self) -> frozenset[frozenset[str]]:
        """What reviewers have called no match. Asked before the grouping, so that no other link is lost with it."""
        decisions = self._store.decisions()
        return frozenset(
            frozenset((one.sha256, one.match_sha256)) for one in decisions if one.verdict is Verdict.ALLOW
        )

    def _hash_evidence(self, first: int, second: int) -> tuple[Evidence, ...]:
        return rungs.hash_rungs(self._fingerprints[first], self._fingerprints[second])

    def _tried(self, rung: Evidence, first: int, second: int) -> Evidence:
        score = self._cosine(rung.signal, first, second)
        if score is not None and 0 < rung.threshold - score <= exact.ROUNDING:
            score = rung.threshold
        return replace(rung, score=score)

    def _cosine(self, embedder: str, first: int, second: int) -> float | None:
        """The closest of any two views; None where one has no vector of this model."""
        vectors = self._vectors.get(embedder, {})
        if first not in vectors or second not in vectors:
            return None
        return float(np.clip((vectors[first] @ vectors[second].T).max(), -1.0, 1.0))

    def _load(self, embedder: str, contents: Sequence[int]) -> None:
        self._load_fingerprints(contents)
        known = self._vectors.setdefault(embedder, {})
        if missing := [content for content in contents if content not in known]:
            for block in self._store.vectors(self._embedders[embedder].model, "all", missing):
                for content in np.unique(block.contents):
                    known[int(content)] = block.matrix[block.contents == content]

    def _load_fingerprints(self, contents: Sequence[int]) -> None:
        if missing := [content for content in contents if content not in self._fingerprints]:
            for block in self._store.hashes("all", missing):
                self._fingerprints.update(zip(block.contents.tolist(), block.fingerprints, strict=True))


def _chunks(pairs: Iterable[Pair], size: int = 4096) -> Iterator[list[Pair]]:
    some: list[Pair] = []
    for pair in pairs:
        some.append(pair)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some
