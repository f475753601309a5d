"""Groups copies around a keeper, without chaining: a member matches its keeper, not merely another member.

What a group cannot say is said beside it: the smallest similarity inside, and each match that crosses groups.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

from pydantic import field_validator

from moderator import CatalogueOptions, Detector, Evidence, Finding, Group, Image, Kind, Match, Search
from moderator_duplicates.keeper import Criterion, problem, rank, why

SAME_BYTES = (Evidence("bytes", Kind.COPY, 1.0, 1.0, "identical bytes"),)

Links = Mapping[int, Mapping[int, Match]]


class DuplicatesOptions(CatalogueOptions):
    """Options of `detector: duplicates`. Variants of one item are no copies of one another and left to `lookalike`,
    unless their very pixels are the same."""

    keep: Sequence[Criterion] = ("stored", "resolution", "size", "path")
    """Which picture of a group is kept: the first criterion that tells two apart decides. `stored` (there before this
    scan), `resolution`, `size` (bytes), `oldest`, `newest` (file time), `path`, or values in the order of preference:
    `format: [PNG, JPEG]`, `folder: [masters]`, and any metadata column, such as `seller: [ours]`."""
    across: str | None = None
    """A metadata column, such as `seller`: reports only copies between different values of it, as taken pictures."""
    within: str | None = None
    """A metadata column: leaves copies between different values of it to a rule with `across`."""

    @field_validator("keep")
    @classmethod
    def _known(cls, keep: Sequence[Criterion]) -> Sequence[Criterion]:
        for criterion in keep:
            if words := problem(criterion):
                raise ValueError(words)
        return keep


class Duplicates(Detector):
    """Reports every picture that is a copy of a better or earlier one."""

    name = "duplicates"
    summary = "groups of copies with the one to keep, within the scan and against everything stored"
    options_model = DuplicatesOptions

    def detect(self, search: Search) -> Iterable[Finding]:
        links: dict[int, dict[int, Match]] = {content: {} for content in search.subjects}
        variants = 0
        for match in search.copies(self.embedder, self.rule.threshold):
            pairs = list(product(search.images(match.content), search.images(match.other)))
            if match.strongest.signal not in ("bytes", "pixels") and all(self.options.variant(*pair) for pair in pairs):
                variants += 1
            elif any(self._is_asked(*pair) for pair in pairs):
                links.setdefault(match.content, {})[match.other] = match
                links.setdefault(match.other, {})[match.content] = match
        if variants:
            search.note(f"{variants:,} pair(s) that {self.rule.id} leaves to `lookalike`: by the metadata, variants")
        alike = {content: set(matches) for content, matches in links.items()}
        self._join_stored(search, alike)
        stars = _stars(alike, {content: self._rank(self._kept(search, content)) for content in links})
        for keeper, members in stars.items():
            yield from self._group(search, keeper, members, links)
        keepers = {one: keeper for keeper, members in stars.items() for one in (keeper, *members)}
        yield from self._across(search, links, keepers)

    def _rank(self, image: Image) -> tuple[object, ...]:
        return rank(image, self.options.keep)

    def _kept(self, search: Search, content: int) -> Image:
        """The image that stands for a content."""
        return min(search.images(content), key=self._rank)

    def _is_asked(self, image: Image, other: Image) -> bool:
        across, within = self.options.across, self.options.within
        return not (across and not self._taken(image, other, across)) and not (
            within and self._taken(image, other, within)
        )

    @staticmethod
    def _taken(image: Image, other: Image, column: str) -> str:
        """Says that two images have different values of a column; empty where they do not."""
        ours, theirs = image.metadata.get(column), other.metadata.get(column)
        return f"taken: {column} {ours} here, {theirs} there; " if ours and theirs and ours != theirs else ""

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
        best = self._kept(search, keeper)
        smallest = float(search.similarity(self.embedder, contents).min())
        group = Group(hashlib.sha256(best.sha256.encode()).hexdigest()[:12], len(pictures), smallest, best)
        pictures.sort(key=lambda pair: pair[1] != best)
        told: set[frozenset[str]] = set()
        for content, image in pictures[1:]:
            linked = [(at, one) for at, one in pictures if at == content or at in links.get(content, {})]
            asked = ((at, one) for at, one in linked if one != image and self._is_asked(image, one))
            at, other = next(asked, (0, image))
            pair = (image, other) if image.scanned else (other, image)
            names = frozenset((image.path, other.path))
            if (image.scanned or (other == best and best.scanned)) and other != image and names not in told:
                told.add(names)
                match = Match(content, content, SAME_BYTES) if at == content else links[content][at]
                yield self.finding(*pair, match.evidence, self._reason(match, pair, group), group)

    def _across(self, search: Search, links: Links, keepers: Mapping[int, int]) -> Iterator[Finding]:
        """Yields the matches between pictures of different groups, so that no link is lost in the grouping."""
        subjects = set(search.subjects)
        for first, matches in links.items():
            for second, match in matches.items():
                told = second in subjects and second < first  # this pair comes from its other side
                if first not in subjects or told or keepers[first] == keepers[second]:
                    continue
                ours = [image for image in search.images(first) if image.scanned]
                theirs = sorted(search.images(second), key=self._rank)
                pair = next(pair for pair in product(ours, theirs) if self._is_asked(*pair))
                yield self.finding(
                    *pair, match.evidence, f"{self._reason(match, pair)}; the two stand in different groups"
                )

    def _reason(self, match: Match, pair: tuple[Image, Image], group: Group | None = None) -> str:
        strongest = match.strongest
        words = strongest.words
        if strongest.kind is Kind.LOOKALIKE:
            words += f"; {strongest.signal} tells what a picture shows, so this alone proves no copy: look at both"
        elif strongest.kind is Kind.EDITED_COPY:
            words = f"edited copy: {words}"
        if self.options.across:
            words = self._taken(*pair, self.options.across) + words
        if group is not None and group.smallest < self.rule.threshold:
            words += f"; the two least alike of the group have {group.smallest:.3f}, below the threshold"
        if group is not None and group.keeper in pair:
            other, which = (pair[0], "the match") if group.keeper == pair[1] else (pair[1], "this one")
            words += f"; {which} is kept {why(group.keeper, other, self.options.keep)}"
        return words


def _stars(alike: Mapping[int, set[int]], ranks: Mapping[int, tuple[object, ...]]) -> dict[int, list[int]]:
    """Returns members by keeper: the best content not yet taken keeps, and takes what matches it."""
    taken: set[int] = set()
    stars: dict[int, list[int]] = {}
    for content in sorted(alike, key=lambda one: ranks[one]):
        if content not in taken:
            members = [other for other in alike[content] if other not in taken]
            taken.update([content, *members])
            stars[content] = sorted(members, key=lambda one: ranks[one])
    return stars
