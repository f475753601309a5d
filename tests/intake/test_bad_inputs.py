"""661 hostile, broken, odd or merely unusual files: every one is accounted for, and none kills a decoder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from moderator.errors import UnreadableImage
from moderator.intake.pool import DecoderPool
from moderator.intake.walk import walk
from moderator.models import Preprocessing, Unjudged
from moderator.policy import Limits

CODES = {
    "empty",
    "file_too_large",
    "not_an_image",
    "out_of_memory",
    "too_many_pixels",
    "undecodable",
    "unrecognised",
    "unsupported_format",
}


@pytest.fixture(scope="module")
def outcomes(shared_data: Path) -> dict[str, str]:
    """The outcome of every file, by path: `judged`, or the code with which it was refused."""
    items = list(walk([str(shared_data / "bad-inputs")]))
    files = [item[0] for item in items if not isinstance(item, Unjudged)]
    assert len(files) == len(items)
    told: list[tuple[str, str]] = []
    with DecoderPool(Limits(), [Preprocessing(64, 64)], workers=2) as pool:
        for one, outcome in pool.decode(files):
            code = outcome.code if isinstance(outcome, UnreadableImage) else outcome.fingerprint.code
            told.append((one.path, code or "judged"))
    assert len(told) == len(files)
    return dict(told)


def test_every_file_has_exactly_one_outcome(outcomes: dict[str, str], shared_data: Path) -> None:
    assert set(outcomes) == {str(path) for path in (shared_data / "bad-inputs").iterdir()}


def test_every_outcome_is_judged_or_a_known_reason(outcomes: dict[str, str]) -> None:
    assert set(outcomes.values()) <= CODES | {"judged"}, Counter(outcomes.values())


def test_merely_unusual_pictures_are_judged(outcomes: dict[str, str], shared_data: Path) -> None:
    listed = (shared_data / "bad-inputs" / "manifest.csv").read_text().splitlines()
    turned = [line.split(",")[0] for line in listed if "recurser/exif-orientation-examples" in line]
    assert {outcomes[str(shared_data / "bad-inputs" / name)] for name in turned if name.endswith(".jpg")} == {"judged"}
