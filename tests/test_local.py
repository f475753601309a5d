"""Local features are made once for a content, however few pixels are held in memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_info

from moderator import local
from moderator.ingest import Ingest
from moderator.intake.walk import walk
from moderator.local import LocalFeatures
from moderator.policy import Limits
from moderator.search.verify import features
from moderator.search.verify.features import Features, Pixels
from moderator.stores.sql import SqlStore

WHOLE = ("whole",)


@pytest.fixture
def stored(tmp_path: Path, photographs: Path) -> Iterator[tuple[SqlStore, list[int]]]:
    """A store with three photographs, known by no model."""
    for path in sorted(photographs.iterdir())[:3]:
        shutil.copy(path, tmp_path)
    with SqlStore.open(f"sqlite:///{tmp_path}/moderator.db") as store:
        outcome = Ingest(store, [], Limits()).run(walk([str(tmp_path)], exclude=["*.db*"]), "picture")
        yield store, [content for _, content in outcome.judged]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Pixels]:
    """The pictures of which features are made."""
    made: list[Pixels] = []
    extract = features.extract

    def counted(pixels: Pixels) -> Features:
        made.append(pixels)
        return extract(pixels)

    monkeypatch.setattr(features, "extract", counted)
    return made


def test_features_are_made_once_and_pixels_read_again_where_few_are_held(
    stored: tuple[SqlStore, list[int]], made: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, contents = stored
    monkeypatch.setattr(local, "HELD", 1)
    with LocalFeatures(store, Limits(), thumbnails=False) as known:
        first = {content: known.of({content: WHOLE})[content]["whole"] for content in contents}
        again = {content: known.of({content: WHOLE})[content]["whole"] for content in contents}
    assert len(made) == len(contents) == 3
    for content in contents:
        assert np.array_equal(again[content].points, first[content].points)
        assert np.array_equal(again[content].descriptors, first[content].descriptors)
        before, after = first[content].pixels, again[content].pixels
        assert before is not None
        assert after is not None
        assert np.array_equal(after, before)
    assert again[contents[0]] is not first[contents[0]]


def test_features_that_an_earlier_scan_made_are_not_made_again(
    stored: tuple[SqlStore, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, contents = stored
    with LocalFeatures(store, Limits(), thumbnails=False) as known:
        first = known.of(dict.fromkeys(contents, WHOLE))
    monkeypatch.setattr(features, "extract", lambda _pixels: 1 / 0)
    with LocalFeatures(store, Limits(), thumbnails=False) as known:
        again = known.of(dict.fromkeys(contents, WHOLE))
    for content in contents:
        assert np.array_equal(again[content]["whole"].descriptors, first[content]["whole"].descriptors)
        assert again[content]["whole"].pixels is not None


def test_of_a_picture_no_pixels_are_kept_and_its_features_outlive_its_file(
    stored: tuple[SqlStore, list[int]], tmp_path: Path
) -> None:
    store, contents = stored
    with LocalFeatures(store, Limits(), thumbnails=True) as known:
        known.of(dict.fromkeys(contents, WHOLE))
        for path in tmp_path.glob("*.png"):
            path.unlink()
    with LocalFeatures(store, Limits(), thumbnails=True) as known:
        again = known.of(dict.fromkeys(contents, WHOLE))
    assert [again[content]["whole"].pixels for content in contents] == [None] * 3


def test_a_picture_that_becomes_a_reference_gets_the_thumbnail_that_the_policy_allows(
    stored: tuple[SqlStore, list[int]], tmp_path: Path
) -> None:
    store, (content, *_) = stored
    with LocalFeatures(store, Limits(), thumbnails=True) as known:
        known.of({content: WHOLE})
    Ingest(store, [], Limits()).run(walk([str(tmp_path)], exclude=["*.db*"]), "reference")
    with LocalFeatures(store, Limits(), thumbnails=True) as known:
        known.keep([content])
    (packed,) = store.features(features.NAME, [content]).values()
    assert local.unpack(packed)["whole"].pixels is not None


def test_a_thumbnail_is_taken_where_a_file_has_gone_since_its_features_were_made(
    stored: tuple[SqlStore, list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, contents = stored
    Ingest(store, [], Limits()).run(walk([str(tmp_path)], exclude=["*.db*"]), "reference")
    monkeypatch.setattr(local, "HELD", 1)
    with LocalFeatures(store, Limits(), thumbnails=True) as known:
        for content in contents:
            known.of({content: WHOLE})
        for path in tmp_path.glob("*.png"):
            path.unlink()
        assert known.of({contents[0]: WHOLE})[contents[0]]["whole"].pixels is not None


def test_in_a_large_store_features_of_pictures_are_not_kept(
    stored: tuple[SqlStore, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, contents = stored
    monkeypatch.setattr(local, "KEPT", len(contents) - 1)
    with LocalFeatures(store, Limits(), thumbnails=False) as known:
        assert len(known.of(dict.fromkeys(contents, WHOLE))) == 3
    assert store.features(features.NAME, contents) == {}


def test_each_call_has_one_thread_for_its_products_and_what_comes_after_has_all_of_them(
    stored: tuple[SqlStore, list[int]],
) -> None:
    def threads(_: object = None) -> set[int]:
        return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}

    with LocalFeatures(stored[0], Limits(), thumbnails=False) as known:
        features.opencv()  # loads a library of its own
        before = threads()
        assert list(known.map(threads, range(3))) == [{1}] * 3
        assert threads() == before


def test_pixels_of_a_thumbnail_are_known_for_what_they_are(
    stored: tuple[SqlStore, list[int]], tmp_path: Path
) -> None:
    store, (content, *_) = stored
    Ingest(store, [], Limits()).run(walk([str(tmp_path)], exclude=["*.db*"]), "reference")
    with LocalFeatures(store, Limits(), thumbnails=True) as known:
        known.keep([content])
        assert not known.of({content: WHOLE})[content]["whole"].thumbnail
        for path in tmp_path.glob("*.png"):
            path.unlink()
    with LocalFeatures(store, Limits(), thumbnails=True) as known:
        assert known.of({content: WHOLE})[content]["whole"].thumbnail


def test_of_a_film_only_the_views_that_are_asked_are_made_and_held_and_of_a_reference_all_are_stored(
    tmp_path: Path, photographs: Path, made: list[Pixels]
) -> None:
    with Image.open(sorted(photographs.iterdir())[0]) as opened:
        frames = [opened.convert("RGB").resize((90 + 2 * step, 90)).resize((120, 90)) for step in range(6)]
    frames[0].save(tmp_path / "film.webp", save_all=True, append_images=frames[1:], lossless=True)
    with SqlStore.open(f"sqlite:///{tmp_path}/moderator.db") as store:
        run = Ingest(store, [], Limits()).run
        ((_, content),) = run(walk([str(tmp_path / "film.webp")]), "picture").judged
        with LocalFeatures(store, Limits(), thumbnails=False) as known:
            assert list(known.of({content: ("frame 3",)})[content]) == ["whole", "frame 3"]
            assert list(known.of({content: ("part 0.0000 0.0000 0.5000 0.5000",)})[content]) == ["whole", "frame 3"]
            assert list(known.of({content: ("frame 5",)})[content]) == ["whole", "frame 3", "frame 5"]
        assert len(made) == 3
        assert list(unpacked(store, content)) == ["whole", "frame 3", "frame 5"]
        run(walk([str(tmp_path / "film.webp")]), "reference")
        with LocalFeatures(store, Limits(), thumbnails=False) as known:
            known.keep([content])
        assert len(unpacked(store, content)) == len(made) == 6


def unpacked(store: SqlStore, content: int) -> local.Views:
    (packed,) = store.features(features.NAME, [content]).values()
    return local.unpack(packed)
