"""The evidence ladder over a store: what detectors ask (`contracts.Search`), answered by `moderator.search`.

Every match carries each rung that was tried on it, strongest first, so that a copy is never reported as a mere
lookalike, nor a lookalike as a copy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property
from itertools import groupby, islice

from moderator.candidates import Candidates, Pair
from moderator.contracts import Embedder, Found, Search, Store
from moderator.gallery import Gallery
from moderator.models import Evidence, Image, Kind, Match, Reference
from moderator.policy import Policy, ReferenceSet
from moderator.rivals import beside_rivals
from moderator.search.hashed import Hashed
from moderator.search.near import Asked, Near
from moderator.search.prompts import described, digest
from moderator.sets import Sets
from moderator.vectors import Matrix
from moderator.verification import Done, Verifier
from moderator.weighing import Weighing
from moderator.wording import counted

DUPLICATES = "duplicates"
"""Rules of this detector say from which similarity on two pictures are copies."""
PROHIBITED = "prohibited"
"""Rules of this detector ask reference sets."""
VERIFIED_TOGETHER = 32
"""Lookalikes that are verified at once."""
MEANING_BELOW = 0.1
"""How far below a rule's threshold a model of meaning still gives candidates to verify."""


class StoredSearch(Search):
    """Answers detectors from a store, for the pictures of one scan.

    Args:
        against: the files that the scanned ones are compared with; None: everything stored.
        verifier: verifies candidates for copies; None: cosine similarity alone decides.
    """

    def __init__(
        self,
        store: Store,
        policy: Policy,
        embedders: Mapping[str, Embedder],
        scanned: Sequence[tuple[Found, int]],
        against: Sequence[tuple[Found, int]] | None = None,
        verifier: Verifier | None = None,
    ) -> None:
        self._store = store
        self._policy = policy
        self._embedders = embedders
        self._gallery = Gallery(store, scanned, against)
        self._against = self._gallery.against
        self._subjects = self._gallery.subjects
        self._subject_set = frozenset(self._subjects)
        hashed = Hashed(store, self._subjects, policy.search, self.note)
        near = Near(store, policy.search, self.note)
        self._sets = Sets(store, policy)
        self._weighing = Weighing(store, embedders, verifier)
        self._candidates = Candidates(hashed, embedders, self._subjects, near, self.note, self._apart)
        self._verifier = verifier
        self._verify = None if verifier is None else verifier.chosen
        self.notes: list[str] = []

    @property
    def subjects(self) -> Sequence[int]:
        return self._subjects

    @cached_property
    def repeated(self) -> Set[int]:
        return self._subject_set.intersection(self._store.repeated())

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def images(self, content: int) -> Sequence[Image]:
        return self._gallery.images(content)

    def sha256(self, content: int) -> str:
        """Returns the hexadecimal SHA-256 of a content."""
        return self._weighing.sha256(content)

    @property
    def denied(self) -> Set[frozenset[str]]:
        """Pairs, by SHA-256, that matched and were left out, because a reviewer has called them no match."""
        return self._weighing.denied

    @property
    def _apart(self) -> Set[int]:
        """The contents for which no other one may stand: a reviewer has said something of them, or pictures are
        compared with them and not with that one."""
        return self._weighing.judged(self._subjects).union(self._against or ())

    # The three questions

    def copies(self, embedder: str, threshold: float) -> Iterable[Match]:
        pairs = self._near(embedder, threshold, self._pictures)
        pairs |= self._candidates.hashed("images", self._against)
        return self.weighed(embedder, threshold, list(_unordered(sorted(pairs))))

    @property
    def twins(self) -> Mapping[int, int]:
        return self._candidates.twins

    def twins_of(self, content: int) -> Sequence[int]:
        return self._candidates.twins_of.get(content, ())

    def weighed(self, embedder: str, threshold: float, pairs: Sequence[Pair]) -> Iterator[Match]:
        asked = Evidence(embedder, self._kind(embedder), None, threshold)
        with self._verifying(len(pairs)) as done:
            for match in self._weighing.matches(pairs, (*self._other_rungs(embedder), asked), done):
                if not match.refuted:
                    yield match

    def _beside_rivals(self, matches: Iterable[Match], sets: Mapping[int, frozenset[str]]) -> Iterator[Match]:
        """Weighs the matches of each picture with references against one another; says of how many that was told."""
        outdone = 0
        for _, some in groupby(matches, lambda match: match.content):
            found = list(some)
            for before, match in zip(found, beside_rivals(found, self._weighing.alike, sets), strict=True):
                outdone += match.refuted and not before.refuted
                yield match
        if outdone:
            self.note(
                f"told as no copy: {counted(outdone, 'match')} with a reference where another one of its set is closer "
                "in the same place and is no copy of it"
            )

    def _verifying(self, count: int | None) -> AbstractContextManager[Done]:
        return nullcontext(lambda _more: None) if self._verifier is None else self._verifier.stage(count)

    def _near(self, embedder: str, threshold: float, among: Asked) -> set[Pair]:
        """Pairs at or above the threshold, and where they are verified, the closest below it too."""
        if among.scope == "images":
            pairs = set(self._candidates.copies(embedder, threshold, among))
        else:
            pairs = {pair for pair, _ in self._candidates.above(embedder, threshold, among)}
        if self._verify is not None:
            copying = self._embedders[embedder].finds_copies
            least = self._verify.least if copying else threshold - MEANING_BELOW
            pairs |= set(self._candidates.closest(embedder, least, self._verify.candidates, among))
        if not any(one.finds_copies for one in self._embedders.values()):
            self.note(
                f"candidates for copies come from hashes and {embedder}, a model of meaning: strong edits may be "
                "missed; an embedder of `type: onnx`, `model: sscd` finds more"
            )
        return pairs

    def alike(
        self, embedder: str, threshold: float, top: int, asked: Callable[[int, int], float | None]
    ) -> Iterable[Match]:
        kept: Counter[int] = Counter()
        rung = Evidence(embedder, Kind.LOOKALIKE, None, threshold)
        asked_of = replace(self._pictures, parts=False)
        crowds = self._crowds
        found = self._candidates.above(embedder, threshold, asked_of)
        apart = ((pair, score) for pair, score in found if crowds.get(pair[0], pair[0]) != crowds.get(pair[1], pair[1]))
        near = sorted(apart, key=lambda hit: (-hit[1], hit[0]))
        pairs = _unordered(pair for pair, _ in near)
        matches = self._weighing.matches(pairs, (*self._copy_rungs, rung), None)

        def least(first: int, second: int) -> float | None:
            thresholds = (asked(*pair) for pair in self._stood_for(first, second))
            return next((one for one in thresholds if one is not None), None)

        for match in self._no_copies(matches, least, lambda sides: any(kept[one] < top for one in sides)):
            # A pair is told if it is among the closest of either side that is of this scan: a favourite hides nothing.
            sides = self._sides(match)
            if any(kept[one] < top for one in sides):
                kept.update(sides)
                for first, second in self._stood_for(match.content, match.other):
                    if (one := _at_least(replace(match, content=first, other=second), asked)) is not None:
                        yield one

    @cached_property
    def _crowds(self) -> Mapping[int, int]:
        """Pictures in crowds of copies, by the one in the middle, of which each is a copy: so they are no lookalikes of
        one another, and are not weighed each with each."""
        if self._verify is None:
            return {}
        crowds: dict[int, int] = {}
        for rung in self._copy_rungs:
            if rung.kind is Kind.EDITED_COPY:
                pairs = sorted(self._candidates.middles(rung.signal, rung.threshold, self._pictures))
                crowds.update((one.content, one.other) for one in self.weighed(rung.signal, rung.threshold, pairs))
        return crowds

    def _stood_for(self, first: int, second: int) -> Iterator[Pair]:
        """Yields a pair, and those of the contents with the same pixels that each of it stands for."""
        yield first, second
        yield from ((twin, second) for twin in self.twins_of(first))
        yield from ((first, twin) for twin in self.twins_of(second))

    def _no_copies(
        self,
        matches: Iterable[Match],
        asked: Callable[[int, int], float | None],
        wanted: Callable[[Sequence[int]], bool],
    ) -> Iterator[Match]:
        """Keeps pairs that are `asked` and no copies; verifies, some at a time, only those still `wanted`."""
        waiting = iter(matches)
        with self._verifying(None) as done:
            while some := list(islice(waiting, VERIFIED_TOGETHER)):
                asked_for = [found for found in some if wanted(self._sides(found))]
                held = [match for found in asked_for if (match := _at_least(found, asked)) is not None]
                if self._verify is None:
                    yield from (match for match in held if not any(rung.holds for rung in match.evidence[:-1]))
                else:
                    copies = [match for match in held if not any(rung.holds for rung in match.evidence[:2])]
                    yield from (one for one in self._weighing.verified(copies, done) if self._is_lookalike(one))

    def _is_lookalike(self, match: Match) -> bool:
        """Whether a pair that should have been verified is no copy; one that could not be goes by its other rungs."""
        return match.refuted or not any(rung.holds for rung in match.evidence[:-1])

    def _sides(self, match: Match) -> Sequence[int]:
        return [one for one in (match.content, match.other) if one in self._subject_set]

    def prohibited(
        self, embedder: str, threshold: float, sets: Sequence[str], copies_only: bool | None = None
    ) -> Iterable[tuple[Match, Sequence[Reference]]]:
        if not self._sets.have_pictures(sets):
            if lacking := self._sets.lacking(sets):
                self.note(lacking)
            return
        pairs = self._near(embedder, threshold, Asked("references", self._sets.members(sets)))
        pairs |= self._candidates.hashed("references")
        pairs |= {(content, content) for content in self._subjects}
        entries = self._sets.entries(sets, {other for _, other in pairs})
        pairs = {pair for pair in pairs if pair[1] in entries}
        asked = Evidence(embedder, self._kind(embedder), None, threshold)
        strict = self._embedders[embedder].finds_copies if copies_only is None else copies_only
        with self._verifying(len(pairs)) as done:
            found = self._weighing.matches(sorted(pairs), (*self._other_rungs(embedder), asked), done)
            named = {content: frozenset(one.set for one in kept) for content, kept in entries.items()}
            for match in self._beside_rivals(found, named):
                if not (strict and match.refuted):
                    yield match, entries[match.other]

    @cached_property
    def _pictures(self) -> Asked:
        """The stored pictures, or those that the scan is compared with."""
        if self._against is None:
            return Asked("images")
        against = frozenset(self._against)
        return Asked("images", lambda near: sorted(against if near is None else against.intersection(near)))

    @property
    def reference_sets(self) -> Mapping[str, ReferenceSet]:
        return self._sets.declared

    def described(
        self, embedder: str, threshold: float, sets: Sequence[str]
    ) -> Iterable[tuple[int, Reference, tuple[Evidence, ...]]]:
        prompts = self._sets.prompts(sets)
        pictures = self._store.vectors(self._embedders[embedder].model, "images", self._subjects)
        for content, prompt, score in described(self._embedders[embedder], pictures, prompts, threshold):
            if not self._weighing.denies(self.sha256(content), digest(prompt)):
                yield content, prompt, (Evidence(embedder, Kind.LOOKALIKE, score, threshold, "picture and text"),)

    def _kind(self, embedder: str) -> Kind:
        """A model of meaning (CLIP) never proves a copy, however close it says two pictures are."""
        return Kind.EDITED_COPY if self._embedders[embedder].finds_copies else Kind.LOOKALIKE

    def similarity(self, embedder: str, contents: Sequence[int]) -> Matrix:
        return self._weighing.similarity(embedder, contents)

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
        own = self._kind(embedder).rank
        return [rung for rung in self._copy_rungs if rung.signal != embedder and rung.kind.rank <= own]


def _unordered(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Keeps the first met of (a, b) and (b, a)."""
    seen: set[Pair] = set()
    for first, second in pairs:
        key = (min(first, second), max(first, second))
        if key not in seen:
            seen.add(key)
            yield first, second


def _at_least(match: Match, asked: Callable[[int, int], float | None]) -> Match | None:
    """Returns the match with what is asked of this pair; None where it has less, or is not asked."""
    if (least := asked(match.content, match.other)) is None:
        return None
    *others, last = match.evidence
    at_least = replace(match, evidence=(*others, replace(last, threshold=least)))
    return at_least if at_least.evidence[-1].holds else None
