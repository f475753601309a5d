"""Our PDQ gives the bits of the reference's own code (pdqhash), but where rounding decides them: in plain or tiny
pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pdqhash
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from moderator.intake.pdq import REDUCED, pdq
from moderator.search.rungs import PDQ_QUALITY
from tests.conftest import PHOTOGRAPHS


def reference(picture: Image.Image) -> tuple[bytes, int]:
    """The hashes and quality by pdqhash."""
    factor = min(picture.size) // REDUCED
    small = picture.reduce(factor) if factor > 1 else picture
    hashes, quality = pdqhash.compute_dihedral(np.asarray(small))
    return b"".join(np.packbits(one).tobytes() for one in hashes), int(quality)


def differing(ours: bytes, theirs: bytes) -> int:
    """The most bits that differ in any of the eight orientations."""
    bits = [np.unpackbits(np.frombuffer(one, dtype=np.uint8)).reshape(8, 256) for one in (ours, theirs)]
    return int((bits[0] != bits[1]).sum(axis=1).max())


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photograph_has_the_bits_and_the_quality_of_the_reference(photographs: Path, name: str) -> None:
    with Image.open(photographs / name) as opened:
        picture = opened.convert("RGB")
    (ours, quality), (theirs, expected) = pdq(picture), reference(picture)
    # A term that stands at the median may fall to either side by rounding.
    assert differing(ours, theirs) <= 2
    assert abs(quality - expected) <= 1


@settings(max_examples=40)
@given(st.integers(32, 700), st.integers(32, 700), st.integers(0, 2**32 - 1))
def test_a_picture_of_32_pixels_and_more_has_the_bits_of_the_reference(width: int, height: int, seed: int) -> None:
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    assert differing(pdq(picture)[0], reference(picture)[0]) <= 4


def test_a_picture_of_plain_quarters_is_not_told_by_bits_that_rounding_decides() -> None:
    picture = Image.new("RGB", (64, 64), "white")
    picture.paste("black", (0, 0, 32, 32))
    assert reference(picture)[1] >= PDQ_QUALITY
    assert pdq(picture)[1] == 0


@pytest.mark.parametrize("size", [(4, 100), (100, 4), (1, 1)])
def test_a_picture_too_small_to_hash_has_none(size: tuple[int, int]) -> None:
    assert pdq(Image.new("RGB", size)) == (b"", 0)
