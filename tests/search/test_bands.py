"""Bands find every two hashes within a distance: as many as counting every bit of each two."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderator.search import bands
from moderator.search.bands import Band, Table, Words


def words(hashes: list[int]) -> Words:
    packed = b"".join(one.to_bytes(32, "little") for one in hashes)
    return np.ascontiguousarray(np.frombuffer(packed, dtype="<u8").reshape(-1, 4).T)


def found(asked: list[int], stored: list[int], distance: int, rows: int) -> set[tuple[int, int, int]]:
    return {
        (first, second, bits)
        for band in bands.cut(rows, distance)
        for parts in Table(words(stored), band).near(words(asked), distance)
        for first, second, bits in zip(*(part.tolist() for part in parts), strict=True)
    }


BITS = st.sets(st.integers(0, 255), max_size=45).map(lambda bits: sum(1 << bit for bit in bits))
BASE = st.sampled_from([0, (1 << 256) - 1, int.from_bytes(bytes(range(32)))])
HASHES = st.lists(st.builds(lambda base, bits: base ^ bits, BASE, BITS), min_size=1, max_size=12)


@given(HASHES, HASHES, st.integers(0, 40), st.sampled_from([1, 300, 5_000]))
@settings(max_examples=60)
def test_every_two_within_the_distance_are_found_with_it(
    asked: list[int], stored: list[int], distance: int, rows: int
) -> None:
    assert found(asked, stored, distance, rows) == {
        (first, second, (one ^ other).bit_count())
        for first, one in enumerate(asked)
        for second, other in enumerate(stored)
        if (one ^ other).bit_count() <= distance
    }


@pytest.mark.parametrize("rows", [1, 1_000, 100_000, 1_000_000, 10**9])
@pytest.mark.parametrize("distance", [0, 7, 31, 32])
def test_no_way_to_differ_in_that_many_bits_passes_every_band_by(rows: int, distance: int) -> None:
    """One bit more than its radius in each band is the least that would."""
    cut = bands.cut(rows, distance)
    assert sum(band.radius + 1 for band in cut) > distance
    assert [band.start for band in cut] == sorted({band.start for band in cut})


def test_bands_do_not_overlap() -> None:
    ends = 0
    for band in bands.cut(1_000_000, 31):
        assert band.start == ends
        ends += band.width
    assert ends == bands.BITS


def test_few_rows_are_compared_at_once_and_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "COMPARED", 5)
    same = Table(words([7] * 12 + [9] * 3), Band(0, 16, 0))
    parts = list(same.near(words([7, 8, 9]), 0))
    assert len(parts) > 1
    assert sorted((int(a), int(b)) for first, second, _ in parts for a, b in zip(first, second, strict=True)) == [
        *((0, row) for row in range(12)), *((2, row) for row in range(12, 15)),
    ]  # fmt: skip
