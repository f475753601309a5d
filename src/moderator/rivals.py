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
from moderator.verification import VARIANT, identical, with_verified
from moderator.verified import Pair

CLEARLY = 2.0
"""How many times as likely a match's rival must be. Where what tells two pictures apart has been cut away, both fit as
well, and both are told."""
NOISE, SHARPNESS = 0.3, 10.0
"""Levels that saving as JPEG leaves, and the power to which it counts how much better one of two fits."""

Alike = Callable[[Collection[Pair]], Mapping[Pair, float]]
"""Tells the probability that two pictures are copies of one another."""


def beside_rivals(matches: Sequence[Match], alike: Alike, sets: Mapping[int, frozenset[str]]) -> Iterator[Match]:
    """Yields the matches of one content, each as probable as it is beside its rival.

    The rival of a match is the likeliest of those in the same place that are clearly likelier. Either both pictures are
    copies of one another, and so is the one of both, or it is a copy of at most one: of this one with the share that
    its odds have among those of both and of neither. The likeliest match is never changed, so something is always left.

    Args:
        alike: asked of each match's other picture and its rival's.
        sets: the reference sets of the others; a rival is in each set that they are in, so that no set loses a picture
            to another one.
    """
    known = {match.other: odds for match in matches if (odds := _odds(match)) is not None}
    likely = _weighed(known, matches)
    rivals = {one.other: found for one in matches if (found := _rival(one, matches, likely, sets)) is not None}
    told = alike([(other, rival) for other, (rival, _) in rivals.items()])
    for match in matches:
        if match.other not in rivals or match.verified is None:
            yield match
        else:
            own, (rival, times) = known[match.other], rivals[match.other]
            share = told[match.other, rival]
            copy = share * own / (1 + own) + (1 - share) * own / (1 + own + own * times)
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


def _weighed(odds: Mapping[int, float], matches: Sequence[Match]) -> Mapping[int, float]:
    """Returns how likely each match's picture is the original, beside one another: by its odds, and by how far light
    and colours of it are from what was made of it. Where that is not known of all it counts for none, as three would
    else each outdo another one."""
    asked = [match for match in matches if math.isfinite(odds.get(match.other, math.inf))]
    misfits = {one.other: rung.misfit for one in asked if (rung := one.verified) and rung.misfit is not None}
    if len(misfits) < len(asked):
        return odds
    return {other: own / (misfits.get(other, 0.0) + NOISE) ** SHARPNESS for other, own in odds.items()}


def _rival(
    match: Match, matches: Sequence[Match], likely: Mapping[int, float], sets: Mapping[int, frozenset[str]]
) -> tuple[int, float] | None:
    """Returns the rival, and how many times as likely it is the original as the match's own picture."""
    own = likely.get(match.other, math.inf)
    if math.isinf(own):
        return None
    asked, nothing = sets.get(match.other, frozenset()), frozenset[str]()
    likelier = (
        (one.other, likely[one.other] / own)
        for one in matches
        if one.other in likely and asked <= sets.get(one.other, nothing) and match.lies_in(one)
    )
    rival = max(likelier, key=lambda one: one[1], default=None)
    return rival if rival is not None and rival[1] >= CLEARLY else None


def _outdone(verified: Evidence, before: float, copy: float) -> Evidence:
    """Returns what verification says beside a rival; below what is asked of a copy, a variant of the rival."""
    rung = replace(verified, score=copy, note=f"{verified.note}; another picture is closer there")
    return rung if rung.holds else replace(rung, kind=Kind.VARIANT, score=before - copy, threshold=VARIANT)
