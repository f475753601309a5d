"""Groups copies around a keeper, without chaining: a member matches its keeper, not merely another member.

What a group cannot say is said beside it: the smallest similarity inside, and each match that crosses groups.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from moderator import Detector, Evidence, Finding, Group, Image, Kind, Match, Search

SAME_BYTES = (Evidence("bytes", Kind.COPY, 1.0, 1.0, "identical bytes"),)

Links = Mapping[int, Mapping[int, Match]]


class Duplicates(Detector):
    """Reports every picture that is a copy of a better or earlier one."""

    name = "duplicates"
    summary = "groups of copies, within the scan and against everything stored"

    def detect(self, search: Search) -> Iterable[Finding]:
        links: dict[int, dict[int, Match]] = {content: {} for content in search.subjects}
        for match in search.copies(self.embedder, self.rule.threshold):
            links.setdefault(match.content, {})[match.other] = match
            links.setdefault(match.other, {})[match.content] = match
        alike = {content: set(matches) for content, matches in links.items()}
        self._join_stored(search, alike)
        stars = _stars(alike, {content: _rank(search.images(content)) for content in links})
        for keeper, members in stars.items():
            yield from self._group(search, keeper, members, links)
        keepers = {one: keeper for keeper, members in stars.items() for one in (keeper, *members)}
        yield from self._across(search, links, keepers)

    def _join_stored(self, search: Search, alike: dict[int, set[int]]) -> None:
        """Links stored copies of one scanned picture to each other, which `copies` does not: they are one group."""
        subjects = set(search.subjects)
        seen: set[tuple[int, ...]] = set()
        for content in search.subjects:
            stored = tuple(sorted(alike[content] - subjects))
            if len(stored) > 1 and stored not in seen:
                seen.add(stored)
                close = search.similarity(self.embedder, stored) >= self.rule.threshold
                for row, first in enumerate(stored):
                    alike[first].update(second for column, second in enumerate(stored) if close[row, column])
                    alike[first].discard(first)

    def _group(self, search: Search, keeper: int, members: list[int], links: Links) -> Iterator[Finding]:
        contents = [keeper, *members]
        pictures = [(content, image) for content in contents for image in search.images(content)]
        if len(pictures) < 2:
            return
        best = _kept(search.images(keeper))
        smallest = float(search.similarity(self.embedder, contents).min())
        group = Group(hashlib.sha256(best.sha256.encode()).hexdigest()[:12], len(pictures), smallest)
        for content, image in pictures:
            if image.scanned and image != best:
                match = Match(keeper, keeper, SAME_BYTES) if content == keeper else links[keeper][content]
                yield self.finding(image, best, match.evidence, self._reason(match, group), group)

    def _across(self, search: Search, links: Links, keepers: Mapping[int, int]) -> Iterator[Finding]:
        """Yields the matches between pictures of different groups, so that no link is lost in the grouping."""
        subjects = set(search.subjects)
        for first, matches in links.items():
            for second, match in matches.items():
                told = second in subjects and second < first  # this pair comes from its other side
                if first not in subjects or told or keepers[first] == keepers[second]:
                    continue
                image, other = search.images(first)[0], _kept(search.images(second))
                reason = f"{self._reason(match)}; the two stand in different groups"
                yield self.finding(image, other, match.evidence, reason)

    def _reason(self, match: Match, group: Group | None = None) -> str:
        strongest = match.strongest
        words = strongest.words
        if strongest.kind is Kind.LOOKALIKE:
            words += f"; {strongest.signal} tells what a picture shows, so this alone proves no copy: look at both"
        elif strongest.kind is Kind.EDITED_COPY:
            words = f"edited copy: {words}"
        if group is not None and group.smallest < self.rule.threshold:
            words += f"; the two least alike of the group have {group.smallest:.3f}, below the threshold"
        return words


def _stars(alike: Mapping[int, set[int]], rank: Mapping[int, tuple[object, ...]]) -> dict[int, list[int]]:
    """Returns members by keeper: the best content not yet taken keeps, and takes what matches it."""
    taken: set[int] = set()
    stars: dict[int, list[int]] = {}
    for content in sorted(alike, key=lambda one: rank[one]):
        if content not in taken:
            members = [other for other in alike[content] if other not in taken]
            taken.update([content, *members])
            stars[content] = sorted(members, key=lambda one: rank[one])
    return stars


def _kept(images: Iterable[Image]) -> Image:
    """The image that stands for a content: one stored before this scan if there is, else the first by path."""
    return min(images, key=lambda image: (image.scanned, image.path))


def _rank(images: Iterable[Image]) -> tuple[object, ...]:
    """Sorts keepers: stored before this scan, then more pixels, more bytes, the earlier path."""
    best = _kept(images)
    return best.scanned, -best.width * best.height, -best.size, best.path
