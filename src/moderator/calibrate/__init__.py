"""The use case: a policy and pictures become thresholds for a rate of false matches, with intervals.

What can be neither counted nor soundly extrapolated is refused, with the least rate that the pictures allow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moderator.calibrate.similarities import Genuine, Similarities
from moderator.calibrate.tail import LEAST, MEASURED, REACH, Impostors, Tail, fit, interval
from moderator.document import Place
from moderator.errors import ArgumentError
from moderator.policy import Policy, Rule, did_you_mean

DETECTORS = ("duplicates", "prohibited")
"""Detectors whose thresholds tell copies from other pictures."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a calibration.

    Attributes:
        rate: false matches among comparisons of two different pictures.
        confidence: of the intervals.
        cautious: take the upper end of the interval, at which the rate holds with that confidence.
        rules: the rules to calibrate; none named: those of `DETECTORS` that are no band for review.
        seed: of the resampling.
    """

    rate: float = 1e-6
    confidence: float = 0.95
    cautious: bool = False
    rules: Sequence[str] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """A share that was counted, with its interval."""

    count: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.count / self.of if self.of else math.nan


@dataclass(frozen=True, slots=True)
class Calibrated:
    """One rule: its threshold before and after.

    Attributes:
        after: None where it was refused; `refused` says why.
        low: the lower end of the interval of the threshold that meets the rate.
        high: the upper end.
        false_before: the rate of false matches at the old threshold.
        false_after: at the new one, as estimated.
    """

    rule: Rule
    embedder: str
    before: float
    after: float | None
    low: float
    high: float
    false_before: float
    false_after: float
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The outcome of a calibration: rules, and by embedder what they stand on."""

    wanted: Wanted
    rules: Sequence[Calibrated]
    measured: Mapping[str, Similarities]
    tails: Mapping[str, Tail]


def chosen_rules(policy: Policy, named: Sequence[str] = ()) -> list[Rule]:
    """Returns the rules to calibrate. Raises: ArgumentError for a rule that is none, or where there is none."""
    known = {rule.id: rule for rule in policy.rules}
    for name in named:
        if name not in known:
            raise ArgumentError(f"the policy has no rule `{name}`", hint=did_you_mean(name, list(known)))
    if named:
        return [known[name] for name in named]
    rules = [rule for rule in policy.rules if rule.detector in DETECTORS and rule.options.get("below") is None]
    if not rules:
        raise ArgumentError("the policy has no rule that tells copies from other pictures", hint="name one with --rule")
    return rules


def calibrate(policy: Policy, measured: Mapping[str, Similarities], wanted: Wanted) -> Calibration:
    """Finds the thresholds at which different pictures match at the wanted rate."""
    tails = {name: fit(one.impostors.scores, one.impostors.pairs, wanted.seed) for name, one in measured.items()}
    found = {name: _threshold(one.impostors, tails[name], wanted) for name, one in measured.items()}
    rules = []
    for rule in chosen_rules(policy, wanted.rules):
        name = policy.embedder_of(rule)
        after, (low, high), refused = found[name]
        false_after = tails[name].rate(after) if after is not None else math.nan
        false_before = tails[name].rate(rule.threshold)
        rules.append(Calibrated(rule, name, rule.threshold, after, low, high, false_before, false_after, refused))
    return Calibration(wanted, rules, measured, tails)


def _threshold(
    impostors: Impostors, tail: Tail, wanted: Wanted
) -> tuple[float | None, tuple[float, float], str]:
    point = tail.threshold(wanted.rate)
    if point is None:
        return None, (math.nan, math.nan), _refusal(impostors, tail)
    ends = interval(impostors, tail, lambda one: one.threshold(wanted.rate), wanted.confidence, wanted.seed)
    taken = max(point, ends[1]) if wanted.cautious else point
    after = math.ceil(taken * 1000 - 1e-6) / 1000  # upwards: rounding must not exceed the rate
    if after > 1:
        return None, ends, "no similarity is high enough: different pictures come as close as copies"
    return after, ends, ""


def _refusal(impostors: Impostors, tail: Tail) -> str:
    if tail.goodness:
        least = 1 / REACH / impostors.pairs
        return f"{impostors.pairs:,} pairs of different pictures reach no rate below {least:.1g}"
    least = MEASURED / max(impostors.pairs, 1)
    counted = f"a rate of {least:.1g} and above can be counted" if least < 1 else "give more pictures"
    if len(impostors.scores) <= LEAST or impostors.pairs * 0.1 < LEAST:
        return f"{impostors.pairs:,} pairs of different pictures are too few to extrapolate from; {counted}"
    return f"the closest different pictures follow no tail that may be extrapolated; {counted}"


def changes(policy: Policy, calibration: Calibration) -> tuple[Mapping[Place, float], list[str]]:
    """Returns the new numbers by their place in the policy document, and what to say of bands for review.

    A band that ended (`below`) where a calibrated rule began goes on doing so.
    """
    index = {rule.id: place for place, rule in enumerate(policy.rules)}
    changed: dict[Place, float] = {}
    notes: list[str] = []
    for one in calibration.rules:
        if one.after is None or one.after == one.before:
            continue
        changed["rules", index[one.rule.id], "threshold"] = one.after
        for band in policy.rules:
            same = band.detector == one.rule.detector and policy.embedder_of(band) == one.embedder
            if same and band.options.get("below") == one.before:
                changed["rules", index[band.id], "options", "below"] = one.after
                if band.threshold >= one.after:
                    notes.append(f"{band.id}, a band from {band.threshold:g}, is empty now: {one.rule.id} begins below")
    return changed, notes


def detected(genuine: Genuine, threshold: float, confidence: float = 0.95) -> Mapping[str, Share]:
    """Returns by edit which share of copies is found at a threshold, with Wilson's interval; the key `` is all."""
    edits = np.array(genuine.edits)
    hits = genuine.scores >= threshold
    shares = {edit: wilson(hits[edits == edit], confidence) for edit in dict.fromkeys(genuine.edits)}
    return {"": wilson(hits, confidence), **shares}


def wilson(hits: npt.NDArray[np.bool_], confidence: float = 0.95) -> Share:
    """Returns the share of `hits`, bool `[n]`, with Wilson's interval, which takes them as independent."""
    from scipy.stats import binomtest

    if not len(hits):
        return Share(0, 0, math.nan, math.nan)
    ends = binomtest(int(hits.sum()), len(hits)).proportion_ci(confidence, method="wilson")
    return Share(int(hits.sum()), len(hits), float(ends.low), float(ends.high))


def matched(impostors: Impostors, threshold: float, confidence: float = 0.95) -> Share:
    """Returns which share of pairs of different pictures was seen at or above a threshold, with Clopper and Pearson's
    interval, which takes pairs as independent."""
    from scipy.stats import binomtest

    count = impostors.count(threshold)
    if not impostors.pairs:
        return Share(0, 0, math.nan, math.nan)
    ends = binomtest(count, impostors.pairs).proportion_ci(confidence, method="exact")
    return Share(count, impostors.pairs, float(ends.low), float(ends.high))
