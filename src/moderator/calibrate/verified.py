"""What verification says of different pictures and of copies, for a probability that meets a rate of false matches.

Pairs are proposed and verified as a scan does it, but each is told with its probability. Tails are fitted to log-odds,
which have no upper end where probabilities crowd; a pair that is not proposed cannot match, and is only counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from moderator.calibrate.similarities import Genuine, Pair, Similarities
from moderator.calibrate.tail import Impostors
from moderator.contracts import Embedder, Found, Store
from moderator.ladder import StoredSearch
from moderator.models import Evidence, Kind, Match
from moderator.policy import Policy
from moderator.verification import Verifier
from moderator.weighing import Weighing

EVERY = 1e-6
"""Asked of verification here, so that each pair it is tried on is told; those below are as good as not proposed."""
TWIN = 0.9
"""From this probability on, two of the user's pictures are taken for copies."""
CEILING = 1 - 1e-9
"""Probabilities above it have the log-odds of this one, so that a 1 has some."""

Judged = Sequence[tuple[Found, int]]
Odds = Mapping[Pair, float]
"""Log-odds of a copy by pair; infinite where a hash settles it."""


def log_odds(probability: float) -> float:
    """Returns the logarithm of the odds of a probability."""
    bounded = min(max(probability, EVERY), CEILING)
    return math.log(bounded / (1 - bounded))


SUREST = log_odds(1)
"""The most that is told of different pictures."""


def probability(odds: float) -> float:
    """Returns the probability of log-odds."""
    return 1 / (1 + math.exp(-max(odds, -700)))


def telling(policy: Policy) -> Policy:
    """Returns the policy with a verification that tells every pair it is tried on."""
    if policy.verify is None:
        return policy
    return policy.model_copy(update={"verify": policy.verify.model_copy(update={"probability": EVERY})})


class Asking:
    """Asks a scan's own search about the pairs of one store, by a policy that is `telling`."""

    def __init__(self, store: Store, policy: Policy, embedders: Mapping[str, Embedder], verifier: Verifier) -> None:
        self._store = store
        self._policy = policy
        self._embedders = embedders
        self._verifier = verifier

    def between(self, asked: Judged, known: Judged) -> Odds:
        """Returns what is proposed and verified of pairs across two lists of files, by any rule's model."""
        search = StoredSearch(self._store, self._policy, self._embedders, asked, known, self._verifier)
        proposing = {self._policy.embedder_of(rule): rule.threshold for rule in reversed(self._policy.rules)}
        return _odds(match for name, threshold in proposing.items() for match in search.copies(name, threshold))

    def of(self, pairs: Iterable[Pair]) -> Odds:
        """Returns what verification says of these pairs, proposed or not."""
        weighing = Weighing(self._store, self._embedders, self._verifier)
        rungs = [Evidence(name, Kind.LOOKALIKE, None, 1.0) for name in self._embedders]
        return _odds(weighing.matches(sorted(set(pairs)), rungs, lambda _: None))


def _odds(matches: Iterable[Match]) -> Odds:
    return {ordered(match.content, match.other): told(match) for match in matches}


def ordered(first: int, second: int) -> Pair:
    """Returns two contents as a pair."""
    return min(first, second), max(first, second)


def told(match: Match) -> float:
    """Returns the log-odds of a copy; infinite where a hash settles it, whatever probability is asked."""
    held = {rung.signal for rung in match.evidence if rung.holds and rung.kind is Kind.COPY}
    score = None if match.verified is None else match.verified.score
    if held & {"bytes", "pixels"} or ("pdq" in held and score is None):
        return math.inf
    return -math.inf if score is None else log_odds(score)


def sure(odds: Odds) -> Mapping[Pair, float]:
    """Returns the pairs that verification calls copies, with the probability."""
    return {pair: probability(one) for pair, one in odds.items() if one >= log_odds(TWIN)}


def similarities(odds: Odds, copies: Sequence[Pair], base: Similarities) -> Similarities:
    """Returns what verification says in the form of an embedder's similarities, as log-odds.

    Args:
        odds: of pairs of pictures and of `copies`; a copy that is not among them was not proposed, and is missed.
        copies: the pairs of `base.genuine`, by content id.
        base: an embedder's own, for the pictures, their twins, and how many pairs there are. Its variants are
            impostors here: verification must tell them apart where a picture has no metadata.
    """
    numbers = {content: number for number, content in enumerate(base.contents.tolist())}
    made = {ordered(*pair) for pair in copies}
    different = [
        (min(one, SUREST), *(numbers[content] for content in pair))  # a hash may be wrong of two that are labelled
        for pair, one in odds.items()
        if pair not in made and pair not in base.twins and one > -math.inf and numbers.keys() >= set(pair)
    ]
    different.sort(key=lambda one: -one[0])
    scores = np.array([one for one, *_ in different], dtype=np.float64)
    first, second = (np.array([one[place] for one in different], dtype=np.int64) for place in (1, 2))
    found = np.array([odds.get(ordered(*pair), -math.inf) for pair in copies])
    genuine = Genuine(base.genuine.pictures, base.genuine.edits, found)
    seen = base.impostors
    pairs = seen.pairs + len(base.variants)
    impostors = Impostors(first, second, scores, seen.pictures, pairs, seen.complete)
    return Similarities(genuine, impostors, base.twins, base.contents)
