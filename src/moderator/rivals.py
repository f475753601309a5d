"""One place of a picture is a copy of at most one of several that are no copies of one another: the closest.

Two photographs of a shirt in two colours show the same but for the shirt. What was made of one of them, cut so that
little of the shirt is left or under a filter that takes its colour, may be told as a copy of both, of each by itself
with good reason. Beside each other they are rivals: the odds of the closer one are the evidence against the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from moderator.models import Evidence, Kind, Match
from moderator.search.verify.within import VARIANT
from moderator.verification import identical, with_verified
from moderator.verified import Pair

CLEARLY = 2.0
"""How many times the odds of a match its rival's must be. Where what tells two pictures apart has been cut away, both
have the same odds, and both are told."""

Alike = Callable[[Collection[Pair]], Mapping[Pair, float]]
"""Tells the probability that two pictures are copies of one another."""


def beside_rivals(matches: Sequence[Match], alike: Alike, sets: Mapping[int, frozenset[str]]) -> Iterator[Match]:
    """Yields the matches of one content, each as probable as it is beside its rival.

    The rival of a match is the closest of those in the same place that are clearly closer. Either both pictures are
    copies of one another, and so is the one of both, or it is a copy of at most one: of this one with the share that
    its odds have among those of both and of neither. The closest match is never changed, so something is always left.

    Args:
        alike: asked of each match's other picture and its rival's.
        sets: the reference sets of the others; a rival is in each set that they are in, so that no set loses a picture
            to another one.
    """
    known = {match.other: odds for match in matches if (odds := _odds(match)) is not None}
    rivals = {one.other: rival for one in matches if (rival := _rival(one, matches, known, sets)) is not None}
    told = alike(list(rivals.items()))
    for match in matches:
        if (rival := rivals.get(match.other)) is None or match.verified is None:
            yield match
        else:
            own, share = known[match.other], told[match.other, rival]
            copy = share * own / (1 + own) + (1 - share) * own / (1 + own + known[rival])
            rung = _outdone(match.verified, own / (1 + own), copy)
            yield replace(match, evidence=with_verified(match.evidence, rung))


def _odds(match: Match) -> float | None:
    """The odds of a copy; infinite where identical bytes or pixels settle it, None where nothing verified says so."""
    if identical(match.evidence):
        return math.inf
    verified = match.verified
    if verified is None or verified.score is None or not verified.holds or verified.kind is not Kind.EDITED_COPY:
        return None
    return math.inf if verified.score >= 1 else verified.score / (1 - verified.score)


def _rival(
    match: Match, matches: Sequence[Match], odds: Mapping[int, float], sets: Mapping[int, frozenset[str]]
) -> int | None:
    own = odds.get(match.other, math.inf)
    if math.isinf(own):
        return None
    asked, nothing = sets.get(match.other, frozenset()), frozenset[str]()
    closer = (
        one
        for one in matches
        if odds.get(one.other, 0.0) >= CLEARLY * own and asked <= sets.get(one.other, nothing) and match.lies_in(one)
    )
    closest = max(closer, key=lambda one: odds[one.other], default=None)
    return None if closest is None else closest.other


def _outdone(verified: Evidence, before: float, copy: float) -> Evidence:
    """Returns what verification says beside a rival; below what is asked of a copy, a variant of the rival."""
    rung = replace(verified, score=copy, note=f"{verified.note}; another picture is closer there")
    return rung if rung.holds else replace(rung, kind=Kind.VARIANT, score=before - copy, threshold=VARIANT)
