"""Groups copies around a keeper, without chaining: a member matches its keeper, not merely another member.

What a group cannot say is said beside it: the smallest similarity inside, and each match that crosses groups.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import combinations, product

from pydantic import field_validator

from moderator import CatalogueOptions, Detector, Finding, Group, Image, Kind, Match, Search
from moderator_duplicates.keeper import Criterion, columns_of, problem
from moderator_duplicates.pictures import Pictures, Ranked

Links = Mapping[int, Mapping[int, Match]]
"""The matches of a node, by the other one."""
Ranks = Mapping[int, Ranked]
Pairs = Sequence[tuple[Image, Image]]
AT_ONCE = 1_000
"""Pictures of a group that are compared each with each at once."""
CROWD = 50
"""A picture with more matches than this is the middle of a crowd (`Search.copies`): they are near to one another."""


class DuplicatesOptions(CatalogueOptions):
    """Options of `detector: duplicates`. Variants of one item are no copies of one another and left to `lookalike`,
    unless their very pixels are the same."""

    keep: Sequence[Criterion] = ("stored", "resolution", "size", "path")
    """Which picture of a group is kept: the first criterion that tells two apart decides. `stored` (brought by an
    earlier scan), `resolution`, `size` (bytes), `taken` (the earliest, by the date of the photograph in its EXIF),
    `oldest`, `newest` (file time), `path`, or values in the order of preference: `format: [PNG, JPEG]`,
    `folder: [masters]`, and any metadata column, such as `seller: [ours]`."""
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
        pictures = Pictures(search, self.options.keep)
        self._note_columns(search, pictures)
        links: dict[int, dict[int, Match]] = {content: {} for content in pictures.several}
        variants = unknown = 0
        for match in search.copies(self.embedder, self.rule.threshold):
            if pictures.joins(match):
                continue
            pairs = pictures.pairs(match)
            if self._varies(match, pairs):
                variants += 1
            elif any(self._is_asked(*pair) for pair in pairs):
                links.setdefault(match.content, {})[match.other] = match
                links.setdefault(match.other, {})[match.content] = match
                pictures.holders.update([match.holder] if match.holder is not None else [])
            else:
                unknown += self._is_unknown(pairs)
        if variants:
            search.note(f"{self.rule.id}: pairs left to `lookalike`, as variants by the metadata: {variants:,}")
        if unknown:
            search.note(
                f"{self.rule.id}: pairs of copies left out, as the metadata column `{self.options.across}` says "
                f"nothing of one of the two: {unknown:,}"
            )
        ranks = {content: pictures.ranked(content) for content in links}
        self._join_stored(search, pictures, links, ranks)
        crowds = {content: list(matches) for content, matches in links.items() if len(matches) > CROWD}
        stars = self._stars(search, pictures, links, ranks, crowds)
        for keeper, members in stars.items():
            yield from self._group(search, pictures, [keeper, *members], links)
        keepers = {one: keeper for keeper, members in stars.items() for one in (keeper, *members)}
        crowded = {one for middle, others in crowds.items() for one in (middle, *others)}
        yield from self._across(pictures, links, keepers, crowded)

    def _note_columns(self, search: Search, pictures: Pictures) -> None:
        """Says which metadata columns the rule asks for and no picture has: what they should tell is not found."""
        options = self.options
        named = [column for column in (options.across, options.within) if column]
        missing = dict.fromkeys([*named, *columns_of(options.keep)])
        there: set[str] = set()
        for node in pictures.nodes:
            if there.issuperset(missing):
                return
            there.update(name for one in pictures.of(node) for name, value in one.metadata.items() if value)
        for column in (one for one in missing if one not in there and pictures.nodes):
            search.note(f"{self.rule.id} {options.lacking([column], there)}")

    def _varies(self, match: Match, pairs: Pairs) -> bool:
        """Whether two are one item in two colours by the metadata; neither where their very pixels are the same, nor
        where a picture would be taken from another seller and verification sees it in the same colours."""
        if match.strongest.signal in ("bytes", "pixels") or (self.options.across and match.confirmed):
            return False
        return all(self.options.variant(*pair) for pair in pairs)

    def _is_unknown(self, pairs: Pairs) -> bool:
        """Whether no metadata tell if one of the two was taken from another."""
        across = self.options.across
        return bool(across) and any(not self.options.known(image, across) for pair in pairs for image in pair)

    def _is_asked(self, image: Image, other: Image) -> bool:
        across, within = self.options.across, self.options.within
        return not (across and not self._taken(image, other, across)) and not (
            within and self._taken(image, other, within)
        )

    def _taken(self, image: Image, other: Image, column: str) -> str:
        """Says that two images have different values of a column; empty where they do not."""
        ours, theirs = self.options.known(image, column), self.options.known(other, column)
        if not ours or not theirs or ours == theirs:
            return ""
        return f"taken: {column} {image.metadata[column].strip()} here, {other.metadata[column].strip()} there; "

    def _link(
        self, search: Search, pictures: Pictures, links: dict[int, dict[int, Match]], best: int, others: Sequence[int]
    ) -> None:
        """Asks which of some pictures are copies of the best of them, where that is not known, and links those."""
        pairs = [(best, other) for other in others if other not in links[best]]
        for match in search.weighed(self.embedder, self.rule.threshold, pairs) if pairs else ():
            if not self._varies(match, pictures.pairs(match)):
                links[best][match.other] = links[match.other][best] = match

    def _stars(
        self,
        search: Search,
        pictures: Pictures,
        links: dict[int, dict[int, Match]],
        ranks: Ranks,
        crowds: Mapping[int, Sequence[int]],
    ) -> dict[int, list[int]]:
        """Returns members by keeper: the best content not yet taken keeps, and what matches it is taken; a member is of
        the closest of the better ones that keep and that it matches.

        What is in a crowd with a keeper was compared with the middle of that, whichever it is, and is asked about the
        keeper now.

        Args:
            crowds: what each middle matches.
        """
        taken: set[int] = set()
        stars: dict[int, list[int]] = {}
        for keeper in sorted(links, key=lambda one: ranks[one]):
            if keeper in taken:
                continue
            taken.add(keeper)
            near = [other for one in (keeper, *links[keeper]) for other in crowds.get(one, ())]
            self._link(search, pictures, links, keeper, [one for one in dict.fromkeys(near) if one not in taken])
            taken.update(links[keeper])
            stars[keeper] = []
        for member in sorted(links.keys() - stars.keys(), key=lambda one: ranks[one]):
            matches = {
                one: match for one, match in links[member].items() if one in stars and ranks[one] <= ranks[member]
            }
            stars[min(matches, key=lambda one: (*matches[one].farness, ranks[one]))].append(member)
        return stars

    def _join_stored(
        self, search: Search, pictures: Pictures, links: dict[int, dict[int, Match]], ranks: Ranks
    ) -> None:
        """Links stored copies of one scanned picture to the best of them, which `copies` does not, as far as they are
        copies of it: so they are one group. What is no copy of the best is asked about the best of the rest."""
        subjects = set(search.subjects)
        seen: set[frozenset[int]] = set()
        for content in list(links):
            stored = frozenset(links[content].keys() - subjects)
            if content not in subjects or stored in seen:
                continue
            seen.add(stored)
            rest = sorted(stored, key=lambda one: ranks[one])
            while len(rest) > 1:
                best, *others = rest
                self._link(search, pictures, links, best, others)
                rest = [other for other in others if other not in links[best]]

    def _group(self, search: Search, pictures: Pictures, nodes: Sequence[int], links: Links) -> Iterator[Finding]:
        shown = [(node, image) for node in nodes for image in pictures.of(node)]
        if len(shown) < 2:
            return
        best = shown[0][1]
        smallest = self._smallest(search, nodes)
        group = Group(hashlib.sha256(best.sha256.encode()).hexdigest()[:12], len(shown), smallest, best)
        offered = self._offered(shown)
        told: set[frozenset[str]] = set()
        for node, image in shown[1:]:
            linked = ((at, one) for at, one in offered if at == node or at in links.get(node, {}))
            asked = ((at, one) for at, one in linked if one != image and self._is_asked(image, one))
            at, other = next(asked, (0, image))
            seen, pair = (node, (image, other)) if image.scanned else (at, (other, image))
            names = frozenset((image.path, other.path))
            if (image.scanned or (other == best and best.scanned)) and other != image and names not in told:
                told.add(names)
                match = pictures.same(node, image, other) if at == node else links[node][at].seen_from(seen)
                why = f"; {self._kept(pictures, pair, best)}" if self._chooses and best in pair else ""
                told_group = group if self._chooses else None
                yield self.finding(*pair, match.evidence, f"{self._reason(match, pair)}{why}", told_group)

    def _smallest(self, search: Search, nodes: Sequence[int]) -> float:
        """The least similarity of any two of a group; of a large one in parts, as all at once are too much to hold."""
        parts = [nodes[start : start + AT_ONCE] for start in range(0, len(nodes), AT_ONCE)]
        pairs = combinations(parts, 2) if len(parts) > 1 else [(nodes, ())]
        return min(float(search.similarity(self.embedder, [*one, *other]).min()) for one, other in pairs)

    @property
    def _chooses(self) -> bool:
        """Whether there is one to keep: of pictures taken from another seller only where `keep` says whose is."""
        across = self.options.across
        return not across or across in columns_of(self.options.keep)

    @staticmethod
    def _kept(pictures: Pictures, pair: tuple[Image, Image], best: Image) -> str:
        other, which = (pair[0], "the match") if best == pair[1] else (pair[1], "this one")
        return f"{which} is kept {pictures.why(best, other)}"

    def _offered(self, shown: Sequence[tuple[int, Image]]) -> Sequence[tuple[int, Image]]:
        """Returns the pictures of a group that others are told against: the best two of a node that are asked alike."""
        columns = [column for column in (self.options.across, self.options.within) if column]
        offered: list[tuple[int, Image]] = []
        met: Counter[tuple[int, tuple[str, ...]]] = Counter()
        for node, image in shown:
            alike = node, tuple(self.options.known(image, column) for column in columns)
            met[alike] += 1
            if met[alike] <= 2:
                offered.append((node, image))
        return offered

    def _across(
        self, pictures: Pictures, links: Links, keepers: Mapping[int, int], crowded: Set[int]
    ) -> Iterator[Finding]:
        """Yields the matches between pictures of different groups, so that no link is lost in the grouping; between
        pictures in crowds the closest of each in each other group."""
        subjects = set(pictures.nodes)
        apart = [
            (match, first, second)
            for first, matches in links.items()
            for second, match in matches.items()
            if first in subjects and keepers[first] != keepers[second]
            if second not in subjects or first < second  # else this pair comes from its other side
        ]
        told: set[tuple[int, int]] = set()
        for match, first, second in sorted(apart, key=lambda one: one[0].farness):
            sides = {(first, keepers[second]), (second, keepers[first])}
            if not (sides <= told and {first, second} <= crowded):
                told |= sides
                ours = (image for image in pictures.of(first) if image.scanned)
                pairs = (pair for pair in product(ours, pictures.of(second)) if self._is_asked(*pair))
                if (pair := next(pairs, None)) is None:
                    continue  # only pictures that were stored before differ in what the rule asks
                ours_first = match.seen_from(first)
                reason = f"{self._reason(ours_first, pair)}; the two stand in different groups"
                yield self.finding(*pair, ours_first.evidence, reason)

    def _reason(self, match: Match, pair: tuple[Image, Image]) -> str:
        strongest = match.strongest
        words = strongest.words
        if strongest.kind is Kind.LOOKALIKE:
            words += f"; {strongest.signal} tells what a picture shows, so this alone proves no copy: look at both"
        elif strongest.kind is Kind.EDITED_COPY:
            words = f"edited copy: {words}"
        if self.options.across:
            words = self._taken(*pair, self.options.across) + words
        return words
