"""The lookalikes of one scan: of each picture the closest others that no rung of the ladder calls copies of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from itertools import chain, islice

from moderator.candidates import Candidates, Pair, unordered
from moderator.models import Evidence, Match
from moderator.search.near import Asked
from moderator.weighing import Weighing

VERIFIED_TOGETHER = 32
"""Lookalikes that are verified at once."""

Least = Callable[[int, int], float | None]
"""The least similarity that is asked of a pair; None leaves it out."""


class Lookalikes:
    """Finds the lookalikes among the pictures of one scan.

    Args:
        subjects: the contents of this scan.
        copy_rungs: what the policy's own rules call a copy.
        crowds: pictures in crowds of copies, by the one in the middle, of which each is a copy: so they are no
            lookalikes of one another, and are not weighed each with each.
    """

    def __init__(
        self,
        candidates: Candidates,
        weighing: Weighing,
        subjects: Set[int],
        copy_rungs: Sequence[Evidence],
        crowds: Mapping[int, int],
    ) -> None:
        self._candidates = candidates
        self._weighing = weighing
        self._subjects = subjects
        self._copy_rungs = copy_rungs
        self._crowds = crowds

    def closest(
        self, rung: Evidence, among: Asked, top: int, asked: Least, variants: Set[Pair]
    ) -> Iterator[Match]:
        """Yields for each content of this scan the `top` closest lookalikes by the model and the threshold of `rung`.

        A pair is told if it is among the closest of either side that is of this scan: a favourite hides nothing.

        Args:
            variants: pairs that were verified as one picture in other colours; they come first, however alike.
        """
        kept: Counter[int] = Counter()
        rungs, known = (*self._copy_rungs, rung), list(unordered(sorted(variants)))
        others = islice(unordered([*known, *(pair for pair, _ in self._near(rung, among))]), len(known), None)
        verified = sorted(self._weighing.matches(known, rungs, lambda _more: None), key=lambda match: match.farness)
        matches = chain(verified, self._weighing.matches(others, rungs, None))

        def least(first: int, second: int) -> float | None:
            thresholds = (asked(*pair) for pair in self._stood_for(first, second))
            return next((one for one in thresholds if one is not None), None)

        def wanted(match: Match) -> bool:
            return any(kept[one] < top for one in self._sides(match))

        for match in self._no_copies(matches, least, wanted, variants):
            if wanted(match):
                kept.update(self._sides(match))
                variant = (match.content, match.other) in variants
                for first, second in self._stood_for(match.content, match.other):
                    one = _asked(replace(match, content=first, other=second), asked, however_alike=variant)
                    if one is not None:
                        yield one

    def _near(self, rung: Evidence, among: Asked) -> Sequence[tuple[Pair, float]]:
        """Pairs that are not of one crowd, the closest first."""
        crowds = self._crowds
        found = self._candidates.above(rung.signal, rung.threshold, among)
        apart = ((pair, score) for pair, score in found if crowds.get(pair[0], pair[0]) != crowds.get(pair[1], pair[1]))
        return sorted(apart, key=lambda hit: (-hit[1], hit[0]))

    def _stood_for(self, first: int, second: int) -> Iterator[Pair]:
        """Yields a pair, and those of the contents with the same pixels that each of it stands for."""
        twins_of = self._candidates.twins_of
        yield first, second
        yield from ((twin, second) for twin in twins_of.get(first, ()))
        yield from ((first, twin) for twin in twins_of.get(second, ()))

    def _no_copies(
        self, matches: Iterable[Match], asked: Least, wanted: Callable[[Match], bool], variants: Set[Pair]
    ) -> Iterator[Match]:
        """Keeps pairs that are `asked` and no copies; verifies, some at a time, only those still `wanted`."""

        def told(match: Match) -> Match | None:
            return _asked(match, asked, however_alike=(match.content, match.other) in variants)

        waiting = iter(matches)
        with self._weighing.stage(None) as done:
            while some := list(islice(waiting, VERIFIED_TOGETHER)):
                held = [match for found in some if wanted(found) and (match := told(found)) is not None]
                if self._weighing.verifies:
                    held = [match for match in held if not any(rung.holds for rung in match.evidence[:2])]
                    held = self._weighing.verified(held, done)
                yield from (match for match in held if _is_lookalike(match))

    def _sides(self, match: Match) -> Sequence[int]:
        return [one for one in (match.content, match.other) if one in self._subjects]


def _is_lookalike(match: Match) -> bool:
    """Whether a pair that was verified is no copy; one that was not, or could not be, goes by its other rungs."""
    return match.refuted or not any(rung.holds for rung in match.evidence[:-1])


def _asked(match: Match, asked: Least, *, however_alike: bool) -> Match | None:
    """Returns the match with what is asked of this pair; None where it is not asked, or has less and that counts."""
    if (least := asked(match.content, match.other)) is None:
        return None
    *others, last = match.evidence
    at_least = replace(match, evidence=(*others, replace(last, threshold=least)))
    return at_least if however_alike or at_least.evidence[-1].holds else None
