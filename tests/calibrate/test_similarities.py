"""What a calibration takes two pictures to be like is what a scan takes them to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from moderator.calibrate.similarities import of_pairs
from moderator.parts import label_of
from moderator.policy import EmbedderSpec
from moderator.stores.sql import SqlStore
from tests.handmade import INTAKE, at, cosine_of, entry, vectors
from tests.test_ladder import ByHand


def test_two_pictures_that_merely_share_a_part_are_as_alike_as_a_scan_says(tmp_path: Path) -> None:
    embedder = ByHand(EmbedderSpec(type="by-hand", model="copies"))
    views = ("whole", label_of((0.0, 0.0, 0.5, 0.5)))
    pictures = [
        entry(f"/{name}.png", vectors(at(whole, 90), embedder.model, views)) for name, whole in (("a", 0), ("b", 170))
    ]
    with SqlStore.open(f"sqlite:///{tmp_path}/store.db") as store:
        pair = tuple(store.write(pictures, INTAKE, "picture"))
        (score,) = of_pairs(store, embedder, [(pair[0], pair[1])])
    assert score == pytest.approx(cosine_of(80))  # the part of one and the whole of the other
