"""The tail of different pictures: worlds whose true thresholds are known, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.stats import beta, norm

from moderator.calibrate import Wanted, calibrate, changes, chosen_rules
from moderator.calibrate.similarities import Genuine, Similarities
from moderator.calibrate.tail import Impostors, fit, interval
from moderator.errors import ArgumentError
from moderator.policy import Policy, parse_policy

WORLDS = 25
"""Worlds in one test: of 95% intervals, 19 of 25 is less than one in two hundred would give by chance."""


def impostors(scores: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Impostors:
    """The upper half of a matrix of similarities, of which the closest are at hand."""
    first, second = np.triu_indices(len(scores), 1)
    flat = scores[first, second]
    order = np.argsort(-flat)[:2000]
    return Impostors(first[order], second[order], flat[order], len(scores), len(flat))


def directions(seed: int, pictures: int = 150) -> Impostors:
    """Directions in 32 dimensions: (1 + cosine) / 2 is Beta(15.5, 15.5), and pairs are independent."""
    vectors = np.random.default_rng(seed).standard_normal((pictures, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return impostors(vectors @ vectors.T)


def alike(seed: int, pictures: int = 150) -> Impostors:
    """Pictures that are, each in itself, more or less like any other: half of the variance of a score is theirs."""
    random = np.random.default_rng(seed)
    own = random.standard_normal(pictures) * 0.5
    return impostors(own[:, None] + own[None, :] + random.standard_normal((pictures, pictures)) * 0.5**0.5)


def covered(world: list[Impostors], truth: float, rate: float) -> int:
    inside = 0
    for seed, one in enumerate(world):
        low, high = interval(one, fit(one.scores, one.pairs, seed), lambda tail: tail.threshold(rate), 0.95, seed)
        inside += low <= truth <= high
    return inside


@pytest.mark.parametrize("rate", [2e-3, 1e-5])
def test_the_interval_holds_the_true_threshold_where_pairs_are_independent(rate: float) -> None:
    truth = 2 * beta.isf(rate, 15.5, 15.5) - 1
    assert covered([directions(seed) for seed in range(WORLDS)], truth, rate) >= 22


@pytest.mark.parametrize("rate", [2e-3, 1e-5])
def test_the_interval_holds_the_true_threshold_where_pictures_have_a_likeness_of_their_own(rate: float) -> None:
    assert covered([alike(seed) for seed in range(WORLDS)], norm.isf(rate), rate) >= 19


def test_a_rate_that_was_seen_is_counted_and_not_extrapolated() -> None:
    one = directions(1)
    tail = fit(one.scores, one.pairs)
    assert tail.threshold(100 / one.pairs) == one.scores[99]
    assert tail.rate(float(one.scores[99])) == 100 / one.pairs


def test_rate_and_threshold_undo_each_other_beyond_what_was_seen() -> None:
    one = directions(2)
    tail = fit(one.scores, one.pairs)
    for rate in (1e-4, 1e-5, 1e-6):
        threshold = tail.threshold(rate)
        assert threshold is not None
        assert tail.rate(threshold) == pytest.approx(rate, rel=1e-6)


def test_nothing_is_extrapolated_from_scores_that_follow_no_tail() -> None:
    scores = np.repeat([0.9, 0.5, 0.1], 300)  # three heaps
    tail = fit(scores, 20_000)
    assert tail.goodness == 0
    assert tail.threshold(1e-6) is None


def test_a_rate_out_of_reach_is_refused() -> None:
    one = directions(3)
    tail = fit(one.scores, one.pairs)
    assert tail.threshold(1e-3 / one.pairs) is None


# What becomes of a policy

POLICY = """
version: 1
embedders: {sscd: {type: onnx, model: sscd}}
rules:
  - {id: copies, detector: duplicates, threshold: 0.6}
  - {id: banned, detector: prohibited, threshold: 0.6}
  - {id: perhaps, detector: prohibited, threshold: 0.45, options: {below: 0.6}}
  - {id: alike, detector: lookalike, threshold: 0.4}
"""


@pytest.fixture
def policy() -> Policy:
    return parse_policy(POLICY.encode(), "test")


def measured(one: Impostors) -> dict[str, Similarities]:
    genuine = Genuine(np.arange(40), ["crop"] * 40, np.linspace(0.3, 0.99, 40))
    return {"sscd": Similarities(genuine, one, {}, np.arange(one.pictures))}


def test_rules_that_tell_copies_are_calibrated_and_a_band_follows(policy: Policy) -> None:
    found = calibrate(policy, measured(directions(4)), Wanted(rate=1e-5, cautious=False))
    assert [one.name for one in found.rules] == ["copies", "banned"]
    after = found.rules[0].after
    assert after is not None
    assert found.rules[0].low <= after <= found.rules[0].high
    changed, _ = changes(policy, found)
    assert changed == {
        ("rules", 0, "threshold"): after,
        ("rules", 1, "threshold"): after,
        ("rules", 2, "options", "below"): after,
    }


def test_a_cautious_threshold_is_the_upper_end_rounded_up(policy: Policy) -> None:
    found = calibrate(policy, measured(directions(4)), Wanted(rate=1e-5)).rules[0]
    assert found.after is not None
    assert found.high <= found.after <= found.high + 0.001


def test_a_band_that_is_empty_now_is_told(policy: Policy) -> None:
    found = calibrate(policy, measured(directions(4)), Wanted(rate=5e-2))
    assert any("perhaps, a band from 0.45, is empty now" in note for note in changes(policy, found)[1])


def test_too_few_pairs_are_refused_with_the_rate_that_could_be_counted(policy: Policy) -> None:
    few = impostors(np.random.default_rng(1).random((20, 20)))
    (one, _) = calibrate(policy, measured(few), Wanted(rate=1e-6)).rules
    assert one.after is None
    assert "190 pairs of different pictures are too few to extrapolate from; a rate of 0.053 and above" in one.refused
    assert changes(policy, calibrate(policy, measured(few), Wanted(rate=1e-6))) == ({}, [])


@pytest.mark.parametrize("count", [20, 30, 45])
def test_the_rate_that_a_refusal_names_is_granted(policy: Policy, count: int) -> None:
    few = measured(impostors(np.random.default_rng(1).random((count, count))))
    (one, _) = calibrate(policy, few, Wanted(rate=1e-9)).rules
    named = re.search(r"a rate of (\S+) and above can be counted|reach no rate below (\S+)$", one.refused)
    assert named is not None
    granted = calibrate(policy, few, Wanted(rate=float(named[1] or named[2]), cautious=False)).rules[0]
    assert granted.after is not None


def test_a_rule_that_is_none_is_refused(policy: Policy) -> None:
    with pytest.raises(ArgumentError, match="no rule `copeis`"):
        chosen_rules(policy, ["copeis"])


def test_what_a_fit_makes_unlikely_but_was_seen_still_counts() -> None:
    ordinary = np.sort(np.random.default_rng(2).normal(0, 1, 100_000))[::-1]
    of_another_kind = np.array([9.0, 8.0, 7.0])
    tail = fit(np.concatenate([of_another_kind, ordinary])[:2000], 100_003)
    assert tail.goodness
    assert tail.rate(6.5) == pytest.approx(3 / 100_003)
    threshold = tail.threshold(1.5 / 100_003)
    assert threshold is not None
    assert 8.0 < threshold < 9.0
