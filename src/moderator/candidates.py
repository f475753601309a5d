"""Which pairs of contents may be copies or alike: by embedding and by hash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property, partial

import numpy as np

from moderator.contracts import Embedder, Scope
from moderator.search import exact
from moderator.search.hashed import Hashed
from moderator.search.near import Asked, Near
from moderator.wording import counted

CAP = 1000
"""Most matches kept for one picture and rule; a report says when it was reached."""

CROWD = 50
"""Most matches of one picture that are all weighed as copies; and most contents with the same pixels among which the
closest others are still looked for."""
FEW = 10
"""Of a picture with more matches, so many of the closest are weighed, and the one with the middle of its crowd."""

Pair = tuple[int, int]


def unordered(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Keeps the first met of (a, b) and (b, a)."""
    seen: set[Pair] = set()
    for first, second in pairs:
        key = (min(first, second), max(first, second))
        if key not in seen:
            seen.add(key)
            yield first, second


class Candidates:
    """Finds pairs (content of this scan, other content) in a store.

    Each view of a content has candidates of its own: so a collage is compared with what each of its tiles shows.

    Of contents of this scan with the same pixels, the first stands for the others: each of them makes a pair with it,
    and it alone makes pairs with the rest of the pictures. So their number does not matter to that of the pairs.

    Args:
        hashed: searches by hash, for the same subjects.
        subjects: the contents of this scan.
        near: searches by embedding.
        note: told when there were more pairs than are kept.
        apart: contents for which no other one stands.
    """

    def __init__(
        self,
        hashed: Hashed,
        embedders: Mapping[str, Embedder],
        subjects: Sequence[int],
        near: Near,
        note: Callable[[str], None],
        apart: Set[int] = frozenset(),
    ) -> None:
        self._hashes = hashed
        self._embedders = embedders
        self._subjects = subjects
        self._near = near
        self._note = note
        self._apart = apart
        self._hashed: dict[Scope, set[Pair]] = {}
        self._middles: dict[int, int] = {}
        self._searched: set[tuple[str, float]] = set()

    def copies(self, embedder: str, threshold: float, among: Asked) -> Iterator[Pair]:
        """Yields every pair of pictures whose cosine is at or above `threshold`, but of a crowd, pictures with a view
        that is near to so many others that each two could not be weighed, those of each with the closest of that view
        and with the middle. So what crowds take grows with their number, not its square."""
        yield from self._thinned(self._hits(embedder, threshold, among, CAP))
        self._searched.add((embedder, threshold))

    def middles(self, embedder: str, threshold: float, among: Asked) -> Iterator[Pair]:
        """Yields the pairs of a picture in a crowd with the middle of that, of those that `copies` tells."""
        if (embedder, threshold) not in self._searched:
            for _ in self.copies(embedder, threshold, among):
                pass
        yield from (pair for pair in self._middles.items() if pair[0] != pair[1])

    def above(self, embedder: str, threshold: float, among: Asked) -> Iterator[tuple[Pair, float]]:
        """Yields every pair whose cosine is at or above `threshold`, and the cosine, the closest `CAP` of each view."""
        for hits in self._hits(embedder, threshold, among, CAP):
            yield from self._capped(hits, f"at {threshold:g} by {embedder}", "; raise the threshold")

    def closest(self, embedder: str, least: float, count: int, among: Asked) -> Iterator[Pair]:
        """Yields the `count` closest pairs of each view of each content of this scan, none below the cosine `least`."""
        for hits in self._hits(embedder, least, among, count):
            met: Counter[int] = Counter()
            for first, second in zip(hits.contents.tolist(), hits.others.tolist(), strict=True):
                if first != second and met[first] < count:
                    met[first] += 1
                    yield first, second

    @cached_property
    def twins(self) -> Mapping[int, int]:
        """The contents that another one stands for, and that one."""
        twins = self._hashes.twins().items()
        return {content: first for content, first in twins if not {content, first} & self._apart}

    @cached_property
    def twins_of(self) -> Mapping[int, Sequence[int]]:
        """The contents that one stands for, by that one."""
        stood_for: dict[int, list[int]] = {}
        for content, first in self.twins.items():
            stood_for.setdefault(first, []).append(content)
        return stood_for

    @cached_property
    def _crowded(self) -> int:
        """How many contents the largest group of twins has, less the one that stands for it."""
        return max(map(len, self.twins_of.values()), default=0)

    def _hits(self, embedder: str, threshold: float, among: Asked, cap: int) -> Iterator[exact.Hits]:
        twins = self.twins if among.scope == "images" else {}
        subjects = [content for content in self._subjects if content not in twins]
        # Two more than the cap: a picture's closest match may be itself, and one beyond tells that there are more.
        cap += 2
        if twins and self._crowded <= CROWD:
            cap += self._crowded
        elif twins:
            among = Asked(among.scope, partial(self._without, twins, among))
        apart = np.fromiter(twins, np.int64, len(twins))
        for hits in self._near.above(self._embedders[embedder].model, subjects, among, threshold, cap):
            kept = ~np.isin(hits.others, apart)
            yield exact.Hits(hits.contents[kept], hits.others[kept], hits.scores[kept])

    def _without(self, twins: Mapping[int, int], among: Asked, near: Sequence[int] | None) -> Sequence[int]:
        """What is asked of some contents, without those that another one stands for."""
        if among.among is not None:
            near = among.among(near)
        elif near is None:
            near = self._hashes.members(among.scope)
        return [content for content in near if content not in twins]

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
            self._note(
                f"{counted(more, 'picture')} with more than {CAP:,} matches {asked}: the closest {CAP:,} of each are "
                f"reported{advice}"
            )

    def _thinned(self, blocks: Iterable[exact.Hits]) -> Iterator[Pair]:
        """Keeps pairs of two pictures, but thins out crowds; `blocks` have the closest of each view first."""
        crowded: set[int] = set()
        for hits in blocks:
            apart = hits.contents != hits.others
            contents, others = hits.contents[apart], hits.others[apart]
            starts = np.flatnonzero(np.diff(contents, prepend=-1))
            for content, several in zip(contents[starts].tolist(), np.split(others, starts)[1:], strict=True):
                near = several.tolist()
                if len(near) > CROWD:
                    crowded.add(content)
                    near = [*near[:FEW], *self._middles_of(content, near)]
                yield from ((content, other) for other in near if other != content)
        if crowded:
            self._note(
                f"{counted(len(crowded), 'picture')} in crowds, near to more than {CROWD} others each: of the matches "
                f"of each the {FEW} closest are told, and the one with a picture in the middle of the crowd"
            )

    def _middles_of(self, content: int, near: Sequence[int]) -> Sequence[int]:
        """Returns the middle of the crowd that a picture is in: the closest known one, or itself from now on, which is
        then compared with the other middles."""
        if content not in self._middles:
            known = next((other for other in near if self._middles.get(other) == other), content)
            others = [one for one, middle in self._middles.items() if one == middle] if known == content else []
            self._middles[content] = known
            return others or [known]
        return [self._middles[content]]

    def hashed(self, scope: Scope, only: Sequence[int] | None = None) -> set[Pair]:
        """Returns pairs with identical pixels or a matching PDQ hash in any orientation, of pictures as `copies`."""
        if scope not in self._hashed:
            twins = self.twins if scope == "images" else {}
            found = self._hashes.near(scope, only, CAP + 2, twins)
            if scope == "images":
                near = set(self._thinned([found]))
                if plain := self._hashes.plain:
                    self._note(
                        f"{counted(plain, 'picture')} too plain for a perceptual hash: where verification finds "
                        "nothing either, only identical bytes or pixels make copies of them"
                    )
            else:
                near = {pair for pair, _ in self._capped(found, "by perceptual hash")}
            self._hashed[scope] = near.union(self._hashes.same_pixels(scope, only, twins))
        return self._hashed[scope]
