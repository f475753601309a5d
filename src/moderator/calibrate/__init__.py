"""The use case: a policy and pictures become thresholds for a rate of false matches, with intervals.

What can be neither counted nor soundly extrapolated is refused, with the least rate that the pictures allow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from moderator.calibrate.similarities import Genuine, Similarities
from moderator.calibrate.tail import LEAST, MEASURED, REACH, Impostors, Tail, fit, interval
from moderator.calibrate.verified import log_odds, probability
from moderator.document import Place
from moderator.errors import ArgumentError, did_you_mean
from moderator.models import VERIFIED
from moderator.policy import DUPLICATES, PROHIBITED, Policy, Rule

EVEN = 0.5
"""Verification is never asked for less: below, another picture is the likelier of two."""
PARTS = (1_000, 10_000)
"""To what part of 1 a threshold and a probability are rounded."""
DETECTORS = (DUPLICATES, PROHIBITED)
"""Detectors whose thresholds tell copies from other pictures."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a calibration.

    Attributes:
        rate: false matches among comparisons of two different pictures.
        confidence: of the intervals.
        cautious: take the upper end of the interval, at which the rate holds with that confidence; a tail that is
            extrapolated comes out too low more often than too high. Else the estimate itself.
        rules: the rules to calibrate; none named: those of `DETECTORS` that are no band for review.
        seed: of the resampling.
    """

    rate: float = 1e-6
    confidence: float = 0.95
    cautious: bool = True
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
    """One number of the policy, before and after: a rule's threshold, or the probability asked of verification.

    Attributes:
        name: the rule's, or `verify`.
        place: where it stands in the policy document.
        signal: what it is asked of: an embedder, or `VERIFIED`.
        after: None where it was refused; `refused` says why.
        point: the estimate, of which `after` may be the cautious end; NaN where it was refused.
        low: the lower end of the interval of the threshold that meets the rate.
        high: the upper end.
        false_before: the rate of false matches at the old threshold.
        false_after: at the new one, as estimated.
    """

    name: str
    place: Place
    signal: str
    before: float
    after: float | None
    point: float
    low: float
    high: float
    false_before: float
    false_after: float
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The outcome of a calibration: rules, and by embedder, or `VERIFIED`, what they stand on."""

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
    """Finds the thresholds at which different pictures match at the wanted rate, and where the policy verifies, the
    probability at which verification calls them copies at that rate."""
    tails = {name: fit(one.impostors.scores, one.impostors.pairs, wanted.seed) for name, one in measured.items()}
    found = {name: _threshold(name, one.impostors, tails[name], wanted) for name, one in measured.items()}
    index = {rule.id: place for place, rule in enumerate(policy.rules)}
    asked: list[tuple[str, Place, str, float]] = []
    if VERIFIED in measured and policy.verify is not None:
        asked.append(("verify", ("verify", "probability"), VERIFIED, policy.verify.probability))
    asked += [
        (rule.id, ("rules", index[rule.id], "threshold"), policy.embedder_of(rule), rule.threshold)
        for rule in chosen_rules(policy, wanted.rules)
    ]
    return Calibration(wanted, [_calibrated(*one, found[one[2]], tails[one[2]]) for one in asked], measured, tails)


def _calibrated(name: str, place: Place, signal: str, before: float, found: _Found, tail: Tail) -> Calibrated:
    after = math.nan if found.after is None else tail.rate(scored(signal, found.after))
    rates = tail.rate(scored(signal, before)), after
    return Calibrated(name, place, signal, before, found.after, found.point, *found.ends, *rates, found.refused)


def scored(signal: str, number: float) -> float:
    """Returns a number of the policy as a score of its signal: verification's are log-odds."""
    return log_odds(number) if signal == VERIFIED else number


def number_of(signal: str, score: float) -> float:
    """Returns a score of a signal as a number of the policy."""
    return probability(score) if signal == VERIFIED else score


@dataclass(frozen=True, slots=True)
class _Found:
    """A number for the wanted rate, or why there is none."""

    after: float | None
    point: float = math.nan
    ends: tuple[float, float] = (math.nan, math.nan)
    refused: str = ""


def _threshold(signal: str, impostors: Impostors, tail: Tail, wanted: Wanted) -> _Found:
    if signal == VERIFIED and wanted.rate * tail.pairs >= max(MEASURED, len(tail.scores)):
        return _Found(EVEN, EVEN, (EVEN, EVEN))  # fewer pairs than that were proposed at all
    point = tail.threshold(wanted.rate)
    if point is None:
        return _Found(None, refused=_refusal(impostors, tail))
    low, high = interval(impostors, tail, lambda one: one.threshold(wanted.rate), wanted.confidence, wanted.seed)
    if wanted.cautious and math.isnan(high):
        refused = "no interval can be told; take the estimate with --point"
        return _Found(None, number_of(signal, point), refused=refused)
    estimate, *ends = (number_of(signal, score) for score in (point, low, high))
    taken = max(estimate, ends[1]) if wanted.cautious else estimate
    if signal == VERIFIED:
        taken = max(taken, EVEN)
    fine = PARTS[signal == VERIFIED]
    after = math.ceil(taken * fine - 1e-6) / fine  # upwards: rounding must not exceed the rate
    told = _Found(after, estimate, (ends[0], ends[1]))
    if after > 1 or (signal == VERIFIED and after == 1):
        more = ", or take the estimate with --point" if wanted.cautious and estimate < 1 else ""
        refused = f"no number is high enough: different pictures come as close as copies; ask a higher --rate{more}"
        return replace(told, after=None, refused=refused)
    return told


def _refusal(impostors: Impostors, tail: Tail) -> str:
    if tail.goodness:
        least = _upwards(1 / REACH / impostors.pairs)
        return f"{impostors.pairs:,} pairs of different pictures reach no rate below {least:g}"
    least = _upwards(MEASURED / max(impostors.pairs, 1))
    counted = f"a rate of {least:g} and above can be counted" if least < 1 else "give more pictures"
    if len(impostors.scores) <= LEAST or impostors.pairs * 0.1 < LEAST:
        return f"{impostors.pairs:,} pairs of different pictures are too few to extrapolate from; {counted}"
    return f"the closest different pictures follow no tail that may be extrapolated; {counted}"


def _upwards(rate: float) -> float:
    """Returns a rate with two digits, rounded upwards, so that it can be asked as it is told."""
    unit = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return float(f"{math.ceil(rate / unit - 1e-9) * unit:.2g}")


def changes(policy: Policy, calibration: Calibration) -> tuple[Mapping[Place, float], list[str]]:
    """Returns the new numbers by their place in the policy document, and what to say of bands for review.

    A band that ended (`below`) where a calibrated rule began goes on doing so.
    """
    rules = {rule.id: rule for rule in policy.rules}
    changed: dict[Place, float] = {}
    notes: list[str] = []
    for one in calibration.rules:
        if one.after is None or one.after == one.before:
            continue
        changed[one.place] = one.after
        for index, band in enumerate(policy.rules):
            same = one.name in rules and band.detector == rules[one.name].detector
            if same and policy.embedder_of(band) == one.signal and band.options.get("below") == one.before:
                changed["rules", index, "options", "below"] = one.after
                if band.threshold >= one.after:
                    notes.append(f"{band.id}, a band from {band.threshold:g}, is empty now: {one.name} begins below")
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
