"""The probability asked of verification, calibrated: known odds, and real photographs verified as a scan does it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from moderator.calibrate import Wanted, calibrate, changes, sources
from moderator.calibrate.similarities import Genuine, Similarities
from moderator.calibrate.tail import Impostors
from moderator.calibrate.verified import log_odds, probability, similarities
from moderator.edits import EDITS
from moderator.models import VERIFIED
from moderator.policy import Policy, parse_policy
from tests.cli.conftest import Run
from tests.scanning import POLICY

VERIFYING = POLICY + "verify: {}  # compares\n"
PLACE = ("verify", "probability")


@pytest.fixture
def policy() -> Policy:
    return parse_policy(VERIFYING.encode(), "test")


def odds(mean: float) -> Similarities:
    """400 pictures whose pairs have log-odds of a normal distribution, of which the closest 3,000 are at hand."""
    random = np.random.default_rng(3)
    first, second = np.triu_indices(400, 1)
    scores = random.normal(mean, 2.0, len(first))
    order = np.argsort(-scores)[:3000]
    genuine = Genuine(np.arange(4), ["crop"] * 4, np.array([math.inf, 9.0, 1.0, -math.inf]))
    impostors = Impostors(first[order], second[order], scores[order], 400, len(first))
    return Similarities(genuine, impostors, {}, np.arange(400))


def test_a_probability_is_asked_at_which_different_pictures_match_at_the_rate(policy: Policy) -> None:
    found = calibrate(policy, {"fake": odds(-9), VERIFIED: odds(-9)}, Wanted(rate=1e-4)).rules[0]
    assert (found.name, found.before) == ("verify", 0.9)
    assert found.after is not None
    # The true one: -9 + 2 * 3.719, the normal distribution's upper ten-thousandth; the floor is even odds.
    assert found.low <= probability(-9 + 2 * 3.719) <= found.high
    assert found.after == 0.5


def test_the_cautious_end_is_taken_and_rounded_up_to_what_a_policy_may_say(policy: Policy) -> None:
    found = calibrate(policy, {"fake": odds(-3), VERIFIED: odds(-3)}, Wanted(rate=1e-4)).rules[0]
    assert found.after is not None
    assert found.point < found.high <= found.after <= found.high + 1e-4
    changed, _ = changes(policy, replace(calibrate(policy, {"fake": odds(-3), VERIFIED: odds(-3)}, Wanted(rate=1e-4))))
    assert changed[PLACE] == found.after


def test_different_pictures_that_verification_is_sure_of_refuse_the_rate(policy: Policy) -> None:
    found = calibrate(policy, {"fake": odds(6), VERIFIED: odds(6)}, Wanted(rate=1e-4)).rules[0]
    assert found.after is None
    assert "different pictures come as close as copies" in found.refused


def test_a_rate_at_which_more_pairs_may_match_than_are_proposed_asks_for_even_odds(policy: Policy) -> None:
    few = odds(-3)
    found = calibrate(policy, {"fake": few, VERIFIED: few}, Wanted(rate=0.1)).rules[0]
    assert (found.after, found.refused) == (0.5, "")


def test_what_is_not_proposed_is_missed_and_a_twin_is_no_impostor() -> None:
    one_pair = Impostors(np.array([0]), np.array([0]), np.array([0.5]), 3, 2)
    base = Similarities(odds(0).genuine, one_pair, {(1, 2): "a reviewer"}, np.array([1, 2, 5]))
    told = similarities({(1, 2): 9.0, (2, 5): 1.0, (1, 9): 3.0}, [(1, 9), (2, 8)], base)
    assert told.genuine.scores.tolist() == [3.0, -math.inf]
    assert told.impostors.scores.tolist() == [1.0]
    assert (told.impostors.first.tolist(), told.impostors.second.tolist()) == ([1], [2])


def test_a_variant_is_an_impostor_to_verification_though_a_similarity_is_not_asked_of_it() -> None:
    one_pair = Impostors(np.array([0]), np.array([2]), np.array([0.5]), 3, 2)
    base = Similarities(odds(0).genuine, one_pair, {}, np.array([1, 2, 5]), {(1, 2): "sku 17 in colour blue and red"})
    told = similarities({(1, 2): 1.0}, [], base)
    assert (told.impostors.scores.tolist(), told.impostors.pairs, told.variants) == ([1.0], 3, {})


def test_odds_and_probability_undo_each_other() -> None:
    assert [round(probability(log_odds(one)), 9) for one in (0.01, 0.5, 0.9, 0.9999)] == [0.01, 0.5, 0.9, 0.9999]


@pytest.fixture
def tiles(run: Run, photographs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Thirty-six tiles of six photographs, and one of them again, cut narrower and saved anew; three edits are made."""
    monkeypatch.setattr(sources, "BATTERY", [EDITS[name] for name in ("crop-70", "caption", "greyscale")])
    Path("policy.yaml").write_text(VERIFYING)
    Path("in").mkdir()
    for source in sorted(photographs.iterdir()):
        with Image.open(source) as opened:
            picture = opened.convert("RGB").resize((900, 600))
        for place in range(6):
            left, top = place % 3 * 300, place // 3 * 300
            picture.crop((left, top, left + 300, top + 300)).save(f"in/{source.stem}-{place}.png")
    with Image.open("in/chelsea-1.png") as opened:
        opened.crop((20, 20, 280, 290)).save("in/narrower.jpg", quality=80)
    return Path("in")


def test_a_near_duplicate_is_left_out_by_verification_and_named_and_the_probability_is_written(
    run: Run, tiles: Path
) -> None:
    ran = run("calibrate", tiles, "--rate", "0.05", "--copies", "1", "--write", "--json", "out.json")
    told = json.loads(Path("out.json").read_text())
    assert [one["rule"] for one in told["rules"]] == ["verify", "copies", "banned"], ran.err
    (left,) = told["left_out"]
    assert {Path(one).name for one in left["pictures"]} == {"chelsea-1.png", "narrower.jpg"}
    assert left["because"].startswith("verified at ")
    assert "Left out as copies already" in ran.out
    after = told["rules"][0]["after"]
    assert f"verify: {{probability: {after:g}}}  # compares" in Path("policy.yaml").read_text()
