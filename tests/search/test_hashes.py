"""Hashes compared bit by bit find what counting every bit of every orientation finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderator.contracts import Fingerprint, HashBlock
from moderator.search import hashes
from moderator.search.rungs import PDQ_DISTANCE
from tests.handmade import fingerprint, flipped, turned

HASH = bytes(range(32))


def blocks(prints: Sequence[Fingerprint], first: int = 0) -> list[HashBlock]:
    return [HashBlock(np.arange(first, first + len(prints)), prints)]


def found(asked: Sequence[Fingerprint], stored: Sequence[Fingerprint], cap: int = 1000) -> dict[tuple[int, int], float]:
    hits = hashes.near(hashes.table(blocks(asked), 8), hashes.table(blocks(stored, 100), 1), cap)
    pairs = zip(hits.contents.tolist(), hits.others.tolist(), hits.scores.tolist(), strict=True)
    return {(first, second): round((1 - score) * 128) for first, second, score in pairs}


def distance(asked: Fingerprint, stored: Fingerprint) -> int:
    upright = int.from_bytes(stored.pdq[:32])
    return min(
        (int.from_bytes(asked.pdq[start : start + 32]) ^ upright).bit_count() for start in range(0, 256, 32)
    )


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), min_size=1, max_size=30), st.integers(1, 40))
@settings(max_examples=50)
@pytest.mark.parametrize("few", [0, 1000])
def test_every_pair_within_the_distance_is_found_with_its_distance(
    few: int, made: list[tuple[int, int]], cut: int
) -> None:
    bases = [bytes([value]) * 32 for value in (0x00, 0xFF, 0x0F, 0x35)]
    prints = [
        fingerprint(f"{place}", pdq=turned(flipped(bases[base], bits))) for place, (base, bits) in enumerate(made)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashes, "ROWS", cut)
        patch.setattr(hashes, "ABREAST", cut)
        patch.setattr(hashes, "FEW", few)
        told = found(prints, prints)
    expected = {
        (first, second + 100): distance(one, other)
        for first, one in enumerate(prints)
        for second, other in enumerate(prints)
        if distance(one, other) <= PDQ_DISTANCE
    }
    assert told == expected


def test_a_hash_and_its_opposite_are_as_far_apart_as_can_be() -> None:
    opposite = bytes(255 - value for value in HASH)
    everywhere = fingerprint("a", pdq=HASH * 8)
    assert found([everywhere], [fingerprint("b", pdq=turned(opposite))]) == {}


def test_a_turned_picture_is_found_by_its_own_orientation() -> None:
    asked = fingerprint("a", pdq=turned(bytes(32), HASH))
    assert found([asked], [fingerprint("b", pdq=turned(HASH))]) == {(0, 100): 0}


def test_flat_pictures_and_those_without_a_hash_are_not_compared() -> None:
    prints = [fingerprint("flat", pdq=turned(HASH), quality=10), fingerprint("none")]
    assert found(prints, prints) == {}


def test_a_cap_keeps_the_closest() -> None:
    stored = [fingerprint(f"{bits}", pdq=turned(flipped(HASH, bits))) for bits in (9, 3, 20, 0)]
    assert found([fingerprint("a", pdq=turned(HASH))], stored, cap=2) == {(0, 103): 0, (0, 101): 3}
