"""The pictures of a scan: by the name they were found by, and few questions to the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from moderator.contracts import Store
from moderator.gallery import TOGETHER, Gallery
from moderator.models import Image
from moderator.stores.sql import SqlStore
from tests.handmade import INTAKE, at, entry, found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with SqlStore.open(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        yield opened


def test_the_pictures_of_a_scan_are_asked_of_the_store_in_blocks(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"/{number}.png" for number in range(2 * TOGETHER)]
    contents = store.write([entry(name, at(0)) for name in names], INTAKE, "picture")
    asked: list[int] = []
    images = store.images

    def counted(wanted: Sequence[int]) -> Mapping[int, Sequence[Image]]:
        asked.append(len(wanted))
        return images(wanted)

    monkeypatch.setattr(store, "images", counted)
    gallery = Gallery(store, [(found(name), content) for name, content in zip(names, contents, strict=True)])
    shown = [one.path for content in gallery.subjects for one in gallery.images(content)]
    assert (shown, asked) == (names, [TOGETHER, TOGETHER])


def test_a_picture_of_an_earlier_scan_is_asked_for_alone(store: Store) -> None:
    (here, before) = store.write([entry("/here.png", at(0)), entry("/before.png", at(9))], INTAKE, "picture")
    gallery = Gallery(store, [(found("/here.png"), here)])
    assert [(one.path, one.scanned) for one in gallery.images(before)] == [("/before.png", False)]
    assert [(one.path, one.scanned) for one in gallery.images(here)] == [("/here.png", True)]
