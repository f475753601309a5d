"""The upper tail of the similarities of different pictures: how often a pair exceeds a threshold, beyond what was seen.

Exceedances over a high enough score follow a generalised Pareto distribution (Pickands, 1975). It is fitted by
L-moments (Hosking and Wallis, 1987), and the score from which on it holds is chosen by its goodness of fit, the most
data first (Bader, Yan and Zhang, 2018). Without a good fit nothing is extrapolated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

LEAST = 50
"""Fewest exceedances that a tail is fitted to."""
MOST = 1000
"""Most exceedances: beyond these the body of the distribution is fitted, not its tail."""
SHARE = 0.1
"""Largest share of all pairs that counts as the tail."""
MEASURED = 10
"""A rate at which at least this many pairs were seen is counted, not extrapolated."""
REACH = 100
"""How far below one pair in all that were seen a rate may be extrapolated."""
DISTINCT = 2
"""Fewer different exceedances have no shape."""
GOOD = 0.05
"""Least p-value of the goodness of fit."""
TRIALS = 199
"""Simulated tails behind a p-value, and resamplings behind an interval."""


@dataclass(frozen=True, slots=True)
class Impostors:
    """Similarities of pairs of different pictures, of which the closest are at hand.

    Attributes:
        first: the number of one picture of each pair, `[n]`; `second` the other's.
        scores: cosine similarities, highest first, `[n]`.
        pictures: how many pictures there are, numbered from 0.
        pairs: how many pairs there are, those that are not at hand included.
        complete: True where each two pictures are a pair, False where `first` and `second` name all there are.
    """

    first: Counts
    second: Counts
    scores: Scores
    pictures: int
    pairs: int
    complete: bool = True

    def count(self, threshold: float) -> int:
        """How many pairs at hand are at or above `threshold`."""
        return int(np.count_nonzero(self.scores >= threshold))

    def drawn(self, random: np.random.Generator) -> tuple[Counts, float]:
        """Draws pictures with replacement: how often each pair at hand then occurs, and how many pairs there are."""
        times = np.bincount(random.integers(0, self.pictures, self.pictures), minlength=self.pictures)
        weights: Counts = times[self.first] * times[self.second]
        if not self.complete:
            return weights, float(weights.sum())
        # Two draws of one picture are no pair of different pictures.
        return weights, (self.pictures**2 - float((times**2).sum())) / 2 * self.pairs / _pairs_of(self.pictures)


@dataclass(frozen=True, slots=True)
class Tail:
    """How often a pair of different pictures exceeds a threshold.

    Attributes:
        start: the score from which on the fit holds.
        scores: the scores at hand, highest first.
        pairs: how many pairs they are the closest of.
        shape: of the generalised Pareto distribution; negative where scores have an upper end.
        scale: likewise.
        goodness: p-value of the fit; 0 where there is none, and nothing is extrapolated.
    """

    start: float
    scores: Scores = field(repr=False)
    pairs: float
    shape: float
    scale: float
    goodness: float

    @property
    def count(self) -> int:
        """How many exceedances the fit stands on."""
        return int(np.count_nonzero(self.scores > self.start))

    @property
    def counted(self) -> float:
        """The score up to which rates are counted, not extrapolated."""
        return float(self.scores[min(MEASURED, len(self.scores)) - 1])

    def rate(self, threshold: float) -> float:
        """Returns the share of pairs at or above `threshold`: counted where enough were seen, else by the fit, but no
        less than was seen."""
        from scipy.stats import genpareto

        seen = int(np.count_nonzero(self.scores >= threshold))
        if seen >= MEASURED or threshold <= self.start or not self.goodness:
            return seen / self.pairs
        beyond = genpareto.sf(threshold - self.start, self.shape, scale=self.scale)
        return max(seen, float(self.count * beyond)) / self.pairs

    def threshold(self, rate: float) -> float | None:
        """Returns the score that pairs exceed at `rate`; None where that is neither counted nor extrapolated."""
        from scipy.stats import genpareto

        wanted = rate * self.pairs
        if MEASURED <= wanted <= len(self.scores):
            return float(self.scores[int(wanted) - 1])
        if not self.goodness or not 1 / REACH <= wanted < self.count:
            return None
        fitted = self.start + float(genpareto.isf(wanted / self.count, self.shape, scale=self.scale))
        # A fit of hundreds hardly feels the closest few, which may be of another kind: variants among other pictures.
        return max(fitted, float(np.nextafter(self.scores[int(wanted)], np.inf)))


def fit(scores: Scores, pairs: int, seed: int = 0) -> Tail:
    """Fits the tail of `scores` (highest first), the closest of `pairs`; with no good fit its goodness is 0."""
    random = np.random.default_rng(seed)
    most = min(MOST, int(pairs * SHARE), len(scores) - 1)
    count = most
    while count >= LEAST:
        start = float(scores[count])
        exceedances = scores[:count] - start
        if len(np.unique(exceedances)) > DISTINCT:
            shape, scale = _moments(exceedances)
            if (goodness := _goodness(exceedances, shape, scale, random)) >= GOOD:
                return Tail(start, scores, pairs, shape, scale, goodness)
        count = int(count / 1.5)
    return Tail(float(scores[0]) if len(scores) else 1.0, scores, pairs, 0.0, 1.0, 0.0)


def interval(
    impostors: Impostors, tail: Tail, asked: Callable[[Tail], float | None], confidence: float, seed: int = 0
) -> tuple[float, float]:
    """Returns the interval of what `asked` says of a tail, by drawing pictures (not pairs) with replacement.

    Pairs that share a picture are not independent; the bootstrap by picture is right for those, and errs on the wide
    side for pairs that are (Owen, 2007, "The pigeonhole bootstrap").
    """
    random = np.random.default_rng(seed)
    told: list[float] = []
    for _ in range(TRIALS):
        weights, pairs = impostors.drawn(random)
        scores = np.repeat(impostors.scores, weights)
        exceedances = scores[scores > tail.start] - tail.start
        fitted = tail.goodness and len(np.unique(exceedances)) > DISTINCT
        shape, scale = _moments(exceedances) if fitted else (tail.shape, tail.scale)
        again = Tail(tail.start, scores, max(pairs, 1.0), shape, scale, tail.goodness)
        if (said := asked(again)) is not None:
            told.append(said)
    if not told:
        return float("nan"), float("nan")
    outside = (1 - confidence) / 2
    low, high = np.quantile(told, [outside, 1 - outside])
    return float(low), float(high)


def _moments(exceedances: npt.NDArray[np.float64]) -> Any:
    """Returns shape and scale by the first two L-moments: l1 = scale / (1 - shape), l1 / l2 = 2 - shape."""
    from scipy.stats import lmoment

    first, second = lmoment(exceedances, order=[1, 2], axis=-1, standardize=False)
    shape = 2 - first / second
    return shape, first * (1 - shape)


def _goodness(exceedances: Scores, shape: float, scale: float, random: np.random.Generator) -> float:
    """Returns the p-value of the Anderson-Darling distance, against tails simulated from the fit and fitted anew."""
    from scipy.stats import genpareto

    drawn = genpareto.rvs(shape, scale=scale, size=(TRIALS, len(exceedances)), random_state=random)
    shapes, scales = _moments(drawn)
    own = _distance(exceedances[None, :], shape, scale)[0]
    simulated = _distance(drawn, shapes[:, None], scales[:, None])
    return float((1 + np.count_nonzero(simulated >= own)) / (1 + TRIALS))


def _distance(exceedances: Scores, shape: Any, scale: Any) -> Scores:
    """Returns the Anderson-Darling distance of each row from the fitted distribution."""
    from scipy.stats import genpareto

    count = exceedances.shape[1]
    below = genpareto.cdf(np.sort(exceedances, axis=1), shape, scale=scale).clip(1e-12, 1 - 1e-12)
    weight = 2 * np.arange(1, count + 1) - 1
    distance: Scores = -count - (weight * (np.log(below) + np.log1p(-below[:, ::-1]))).sum(axis=1) / count
    return distance


def _pairs_of(pictures: int) -> int:
    return pictures * (pictures - 1) // 2
