"""Local features are made once for a content, however few pixels are held in memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from moderator import local
from moderator.ingest import Ingest
from moderator.intake.walk import walk
from moderator.local import LocalFeatures
from moderator.policy import Limits
from moderator.search.verify import features
from moderator.search.verify.features import Features, Pixels
from moderator.stores.sql import SqlStore


@pytest.fixture
def stored(tmp_path: Path, photographs: Path) -> Iterator[tuple[SqlStore, list[int]]]:
    """A store with three photographs, known by no model."""
    for path in sorted(photographs.iterdir())[:3]:
        shutil.copy(path, tmp_path)
    with SqlStore.open(f"sqlite:///{tmp_path}/moderator.db") as store:
        outcome = Ingest(store, [], Limits()).run(walk([str(tmp_path)], exclude=["*.db*"]), "picture")
        yield store, [content for _, content in outcome.judged]


def test_features_are_made_once_and_pixels_read_again_where_few_are_held(
    stored: tuple[SqlStore, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, contents = stored
    made: list[Pixels] = []
    extract = features.extract

    def counted(pixels: Pixels) -> Features:
        made.append(pixels)
        return extract(pixels)

    monkeypatch.setattr(features, "extract", counted)
    monkeypatch.setattr(local, "HELD", 1)
    with LocalFeatures(store, Limits(), thumbnails=False) as known:
        first = {content: known.of([content])[content]["whole"] for content in contents}
        again = {content: known.of([content])[content]["whole"] for content in contents}
    assert len(made) == len(contents) == 3
    for content in contents:
        assert np.array_equal(again[content].points, first[content].points)
        assert np.array_equal(again[content].descriptors, first[content].descriptors)
        before, after = first[content].pixels, again[content].pixels
        assert before is not None
        assert after is not None
        assert np.array_equal(after, before)
    assert again[contents[0]] is not first[contents[0]]
