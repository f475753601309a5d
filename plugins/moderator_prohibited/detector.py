"""Matches the scanned pictures against reference sets: prohibited ones, pictures that are fine, and texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from moderator import Detector, Evidence, Finding, Kind, Match, Options, Reference, Search, Verdict

PROMPT_THRESHOLD = 0.3
"""A starting point: the least cosine of picture and text at which LAION-400M kept a pair, by CLIP ViT-B/32
(arXiv:2111.02114, section 2)."""

Cosine = Annotated[float, Field(ge=-1, le=1)]
Found = tuple[Match, Reference]


class ProhibitedOptions(Options):
    """Options of `detector: prohibited`."""

    top: int = Field(3, ge=1)
    """The closest references of each set that are shown for one picture, or for each place of it where others match."""
    below: Cosine | None = None
    """Leaves matches of this similarity and above, by hash, or verified as copies to a stricter rule: a band for
    review, in which stays what was verified to be no copy, and copies less sure than `probabilities` asks."""
    thresholds: Mapping[str, Cosine] = Field(default_factory=dict)
    """Least similarity by reference set, in place of the rule's."""
    probabilities: Mapping[str, Annotated[float, Field(gt=0, lt=1)]] = Field(default_factory=dict)
    """Least probability of a verified copy by reference set, where one asks more than `verify` in the policy; give a
    rule with `below` the same ones, so that it tells what this leaves out."""
    prompt_threshold: Cosine = PROMPT_THRESHOLD
    """Least similarity of a picture and a text of a set's `prompts`; lower than that of two pictures."""


class Prohibited(Detector):
    """Reports every picture that matches a reference."""

    name = "prohibited"
    summary = "matches against reference sets and texts, less what an allowlist matches as closely"
    options_model = ProhibitedOptions

    def detect(self, search: Search) -> Iterable[Finding]:
        matched: dict[int, dict[str, list[Found]]] = defaultdict(lambda: defaultdict(list))
        allowed: dict[int, list[Match]] = defaultdict(list)
        unsure: set[int] = set()
        for match, references in self._matches(search):
            for reference in references:
                if reference.allow:
                    allowed[match.content].append(match)
                elif self.options.below is not None or self._is_sure(match, reference.set):
                    matched[match.content][reference.set].append((self._told(match, reference.set), reference))
                else:
                    unsure.add(match.content)
        fine: set[int] = set()
        for content in (one for one in search.subjects if one in matched):
            for _, found in sorted(matched[content].items()):
                kept = [one for one in found if not any(_covers(other, one[0]) for other in allowed[content])]
                fine.update([content] if len(kept) < len(found) else [])
                yield from self._of_set(search, content, [one for one in kept if self._is_asked(*one)])
        yield from self._described(search, allowed, fine)
        if fine:
            search.note(f"{self.rule.id}: pictures left out, as an allowlist matches them as closely: {len(fine):,}")
        if unsure:
            search.note(
                f"{self.rule.id}: pictures that are copies, though not as surely as `probabilities` asks: "
                f"{len(unsure):,}; a rule with `below` and the same `probabilities` would tell them"
            )

    def _matches(self, search: Search) -> Iterator[tuple[Match, Sequence[Reference]]]:
        """Asks the sets of each threshold, and the allowlists at the lowest, so that a closer one is never missed."""
        own = self.options.thresholds
        for name in sorted((own.keys() | self.options.probabilities.keys()) - search.reference_sets.keys()):
            search.note(f"{self.rule.id} has a threshold for the set `{name}`, which is not there")
        allow = [name for name, declared in search.reference_sets.items() if declared.allow]
        asked = [name for name in self.rule.sets or search.reference_sets if name not in allow]
        by_threshold: dict[float, list[str]] = defaultdict(list)
        for name in asked:
            by_threshold[own.get(name, self.rule.threshold)].append(name)
        if allow and asked:
            by_threshold[min(by_threshold)] += allow
        for threshold, names in by_threshold.items() or [(self.rule.threshold, self.rule.sets)]:
            yield from search.prohibited(self.embedder, threshold, names, self.rule.copies_only)

    def _is_sure(self, match: Match, set_name: str) -> bool:
        """Whether a verified copy is as probable as this set asks; what needs no verification is sure."""
        strongest = match.strongest
        verified = strongest.signal == "verified" and strongest.kind is Kind.EDITED_COPY
        return not verified or (strongest.score or 0.0) >= self.options.probabilities.get(set_name, 0.0)

    def _told(self, match: Match, set_name: str) -> Match:
        """Returns the match with the probability that this set asks in its evidence."""
        asked, verified = self.options.probabilities.get(set_name), match.verified
        if asked is None or verified is None or verified.kind is not Kind.EDITED_COPY or (verified.score or 0) < asked:
            return match
        rungs = (replace(rung, threshold=asked) if rung is verified else rung for rung in match.evidence)
        return replace(match, evidence=tuple(rungs))

    def _is_asked(self, match: Match, reference: Reference) -> bool:
        if (below := self.options.below) is None or match.refuted or not self._is_sure(match, reference.set):
            return True
        return not match.confirmed and match.score < below

    def _of_set(self, search: Search, content: int, found: list[Found]) -> Iterator[Finding]:
        found.sort(key=lambda one: (one[0].farness, one[1].entry))
        shown: list[Found] = []
        for match, reference in found:
            if sum(match.lies_in(other) for other, _ in shown) < self.options.top:
                shown.append((match, reference))
        more = f"; {len(found) - len(shown):,} more of this set match" if len(found) > len(shown) else ""
        for match, reference in shown:
            reason = f"{_reason(match.strongest)}{more}"
            for image in search.images(content):
                if image.scanned:
                    yield self.finding(image, reference, match.evidence, reason)

    def _described(self, search: Search, allowed: Mapping[int, Sequence[Match]], fine: set[int]) -> Iterator[Finding]:
        """Yields the pictures that a prompt fits, less copies of what is fine, which it adds to `fine`. A text proves
        nothing: a person is asked, whatever the rule says."""
        sets = self.rule.sets or list(search.reference_sets)
        for content, prompt, evidence in search.described(self.embedder, self.options.prompt_threshold, sets):
            if any(not match.refuted and match.kind is not Kind.LOOKALIKE for match in allowed.get(content, ())):
                fine.add(content)
                continue
            for image in search.images(content):
                if image.scanned:
                    reason = f"the text fits: {evidence[-1].words}"
                    yield replace(self.finding(image, prompt, evidence, reason), verdict=Verdict.REVIEW)


def _covers(allowed: Match, match: Match) -> bool:
    """Whether the picture is at least as close to one that is fine as to the prohibited one, in the same place.

    Of one kind, similarity decides and not the probability of verification, which is all but 1 for both where the one
    that is fine was made of the prohibited one.
    """
    as_close = (allowed.kind.rank, -allowed.score) <= (match.kind.rank, -match.score)
    return as_close and match.lies_in(allowed)


def _reason(strongest: Evidence) -> str:
    if strongest.kind is Kind.LOOKALIKE:
        return f"resembles a reference: {strongest.words}"
    return f"{strongest.kind.words} of a reference: {strongest.words}"
