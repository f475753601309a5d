"""The evidence ladder over a store: what detectors ask (`contracts.Search`), answered by `moderator.search`.

Every match carries each rung that was tried on it, strongest first, so that a copy is never reported as a mere
lookalike, nor a lookalike as a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import cached_property
from itertools import groupby

from moderator.candidates import Candidates, Pair, unordered
from moderator.contracts import Embedder, Found, Search, Store
from moderator.gallery import Gallery
from moderator.lookalikes import Lookalikes
from moderator.models import Evidence, Image, Kind, Match, Reference
from moderator.policy import DUPLICATES, LOOKALIKE, PROHIBITED, Policy, ReferenceSet
from moderator.rivals import beside_rivals
from moderator.search.hashed import Hashed
from moderator.search.near import Asked, Near
from moderator.search.prompts import described, digest
from moderator.sets import Sets
from moderator.vectors import Matrix
from moderator.verification import Verifier
from moderator.weighing import Weighing
from moderator.wording import counted

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
        self._verify = None if verifier is None else verifier.chosen
        self._variants: set[Pair] = set()
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
        variants: set[Pair] = set()
        for match in self._weighed(embedder, threshold, list(unordered(sorted(pairs)))):
            if not match.refuted:
                yield match
            elif match.kind is Kind.VARIANT:
                variants.add((match.content, match.other))
        self._variants |= variants
        if not self._policy.rules_of(LOOKALIKE):
            self._note_untold(len(variants), "a rule of the detector `lookalike`")

    @property
    def twins(self) -> Mapping[int, int]:
        return self._candidates.twins

    def twins_of(self, content: int) -> Sequence[int]:
        return self._candidates.twins_of.get(content, ())

    def weighed(self, embedder: str, threshold: float, pairs: Sequence[Pair]) -> Iterator[Match]:
        return (match for match in self._weighed(embedder, threshold, pairs) if not match.refuted)

    def _weighed(self, embedder: str, threshold: float, pairs: Sequence[Pair]) -> Iterator[Match]:
        with self._weighing.stage(len(pairs)) as done:
            yield from self._weighing.matches(pairs, self._rungs(embedder, threshold), done)

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
        if not self._policy.rules_of(DUPLICATES):
            self.note("copies are no lookalikes, and the policy has no `duplicates` rule that would tell them")
        among = replace(self._pictures, parts=False)
        rung = Evidence(embedder, Kind.LOOKALIKE, None, threshold)
        return self._lookalikes.closest(rung, among, top, asked, self._variants)

    @cached_property
    def _lookalikes(self) -> Lookalikes:
        return Lookalikes(self._candidates, self._weighing, self._subject_set, self._copy_rungs, self._crowds)

    @property
    def _crowds(self) -> Mapping[int, int]:
        """Pictures in crowds of copies, by the one in the middle."""
        if self._verify is None:
            return {}
        crowds: dict[int, int] = {}
        for rung in self._copy_rungs:
            if rung.kind is Kind.EDITED_COPY:
                pairs = sorted(self._candidates.middles(rung.signal, rung.threshold, self._pictures))
                crowds.update((one.content, one.other) for one in self.weighed(rung.signal, rung.threshold, pairs))
        return crowds

    def prohibited(
        self, embedder: str, threshold: float, sets: Sequence[str], copies_only: bool | None = None
    ) -> Iterable[tuple[Match, Sequence[Reference]]]:
        for lacking in self._sets.lacking(sets):
            self.note(lacking)
        if not self._sets.have_pictures(sets):
            return
        pairs = self._near(embedder, threshold, Asked("references", self._sets.members(sets)))
        pairs |= self._candidates.hashed("references")
        pairs |= {(content, content) for content in self._subjects}
        entries = self._sets.entries(sets, {other for _, other in pairs})
        pairs = {pair for pair in pairs if pair[1] in entries}
        strict = self._embedders[embedder].finds_copies if copies_only is None else copies_only
        untold = 0
        with self._weighing.stage(len(pairs)) as done:
            found = self._weighing.matches(sorted(pairs), self._rungs(embedder, threshold), done)
            named = {content: frozenset(one.set for one in kept) for content, kept in entries.items()}
            for match in self._beside_rivals(found, named):
                if not (strict and match.refuted):
                    yield match, entries[match.other]
                else:
                    untold += match.kind is Kind.VARIANT
        if all(rule.copies_only is not False for rule in self._policy.rules_of(PROHIBITED)):
            self._note_untold(untold, "a rule of the detector `prohibited` with `copies_only: false`")

    def _note_untold(self, variants: int, told_by: str) -> None:
        if variants:
            self.note(
                f"not told: {counted(variants, 'pair')} of one picture, in other colours or edited so far that it "
                f"could be either; {told_by} would tell them"
            )

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
        rules = self._policy.rules_of(DUPLICATES)
        named = [(self._policy.embedder_of(rule), rule.threshold) for rule in rules]
        known = [(name, threshold) for name, threshold in dict.fromkeys(named) if name in self._embedders]
        known.sort(key=lambda rung: not self._embedders[rung[0]].finds_copies)
        return [Evidence(name, self._kind(name), None, threshold) for name, threshold in known]

    def _rungs(self, embedder: str, threshold: float) -> Sequence[Evidence]:
        """The copy rungs of stronger or equal kind that another model has to say, then the rule's own question."""
        own = Evidence(embedder, self._kind(embedder), None, threshold)
        others = (rung for rung in self._copy_rungs if rung.signal != embedder and rung.kind.rank <= own.kind.rank)
        return [*others, own]
