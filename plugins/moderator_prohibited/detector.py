"""Matches the scanned pictures against reference sets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from pydantic import Field

from moderator import Detector, Evidence, Finding, Kind, Match, Options, Reference, Search


class ProhibitedOptions(Options):
    """Options of `detector: prohibited`."""

    top: int = Field(3, ge=1)
    """The closest references of each set that are shown for one picture."""
    below: float | None = Field(None, ge=-1, le=1)
    """Leaves matches of this similarity and above, and those by hash, to a stricter rule: a band for review."""


class Prohibited(Detector):
    """Reports every picture that matches a reference."""

    name = "prohibited"
    summary = "matches against reference sets, with set, score and threshold"
    options_model = ProhibitedOptions

    def detect(self, search: Search) -> Iterable[Finding]:
        matched: dict[int, dict[str, list[tuple[Match, Reference]]]] = defaultdict(lambda: defaultdict(list))
        for match, references in search.prohibited(self.embedder, self.rule.threshold, self.rule.sets):
            below = self.options.below
            if below is not None and (match.kind is Kind.COPY or match.score >= below):
                continue
            for reference in references:
                matched[match.content][reference.set].append((match, reference))
        for content in search.subjects:
            for _, found in sorted(matched[content].items()) if content in matched else ():
                yield from self._of_set(search, content, found)

    def _of_set(self, search: Search, content: int, found: list[tuple[Match, Reference]]) -> Iterator[Finding]:
        found.sort(key=lambda pair: (list(Kind).index(pair[0].kind), -pair[0].score, pair[1].entry))
        top = self.options.top
        more = f"; {len(found) - top:,} more of this set match" if len(found) > top else ""
        for match, reference in found[:top]:
            reason = f"{_reason(match.strongest)}{more}"
            for image in search.images(content):
                if image.scanned:
                    yield self.finding(image, reference, match.evidence, reason)


def _reason(strongest: Evidence) -> str:
    if strongest.kind is Kind.LOOKALIKE:
        return f"resembles a reference: {strongest.words}"
    return f"{strongest.kind.words} of a reference: {strongest.words}"
