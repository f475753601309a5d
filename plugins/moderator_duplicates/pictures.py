"""The pictures that are grouped: contents with the same pixels are one node, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from moderator import Evidence, Image, Kind, Match, Search
from moderator_duplicates.keeper import Criterion, rank, why

SAME_BYTES = (Evidence("bytes", Kind.COPY, 1.0, 1.0, "identical bytes"),)

Ranked = tuple[object, ...]


class Pictures:
    """Pictures by node. A node is named by the content that stands for those with its pixels (`Search.twins`).

    Args:
        keep: the criteria by which one picture is better than another.

    Attributes:
        holders: the nodes that show another picture in a part, as collages and screenshots do.
    """

    def __init__(self, search: Search, keep: Sequence[Criterion]) -> None:
        self._search = search
        self._keep = keep
        self._twins = search.twins
        self._same: dict[int, Match] = {}
        self._known: dict[int, list[Image]] = {}
        self._kinds: dict[int, list[Image]] = {}
        self.holders: set[int] = set()

    @property
    def nodes(self) -> Sequence[int]:
        """The nodes of this scan."""
        return [content for content in self._search.subjects if content not in self._twins]

    @property
    def several(self) -> Sequence[int]:
        """Those of them that may have more than one picture; the others are looked at where they match something."""
        repeated = set(self._search.repeated).union(self._twins, self._twins.values())
        return [content for content in self.nodes if content in repeated]

    def joins(self, match: Match) -> bool:
        """Whether a match is of two contents of one node; what it says is then kept for all of that node."""
        if self._twins.get(match.other) != match.content:
            return False
        self._same.setdefault(match.content, match)
        return True

    def of(self, node: int) -> Sequence[Image]:
        """The pictures of a node, the best first."""
        if node not in self._known:
            contents = (node, *self._search.twins_of(node))
            images = [image for content in contents for image in self._search.images(content)]
            self._known[node] = sorted(images, key=self.rank) if len(images) > 1 else images
        return self._known[node]

    def kinds(self, node: int) -> Sequence[Image]:
        """One picture of a node for each metadata that they have."""
        if node not in self._kinds:
            self._kinds[node] = list({tuple(sorted(one.metadata.items())): one for one in self.of(node)}.values())
        return self._kinds[node]

    def pairs(self, match: Match) -> Sequence[tuple[Image, Image]]:
        """The pairs of pictures that a match is of, one for each two metadata."""
        return list(product(self.kinds(match.content), self.kinds(match.other)))

    def rank(self, image: Image) -> Ranked:
        """Sorts pictures, the best first."""
        return rank(image, self._keep)

    def ranked(self, node: int) -> Ranked:
        """Sorts nodes, the best first: what only shows another picture in a part is no keeper of that."""
        return node in self.holders, *self.rank(self.of(node)[0])

    def why(self, kept: Image, other: Image) -> str:
        """Says why `kept` is kept rather than `other`."""
        if {other.content, self._twins.get(other.content)} & self.holders and kept.content not in self.holders:
            return "as the other one shows it in a part only"
        return why(kept, other, self._keep)

    def same(self, node: int, image: Image, other: Image) -> Match:
        """Returns how two pictures of one node match."""
        return Match(node, node, SAME_BYTES) if image.content == other.content else self._same[node]
