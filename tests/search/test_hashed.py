"""However many hashes a store has, the same pairs are found: by reading them all, and by the local index."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from moderator.contracts import Entry, HashBlock, Role, Scope, Store
from moderator.policy import SearchSpec
from moderator.search import hashed, hashes, index, kept
from moderator.search.exact import Hits
from moderator.search.hashed import Hashed
from moderator.search.hashes import HashTable
from moderator.stores.sql import SqlStore
from tests.handmade import INTAKE, fingerprint, flipped, found, turned

COUNT = 60
Pairs = list[tuple[int, int, float]]


def add(store: Store, name: str, role: Role, base: int, bits: int, *, quality: int = 100) -> int:
    upright = flipped(np.random.default_rng(base).bytes(32), bits)
    made = fingerprint(name, pixels=f"{base} {bits}", pdq=turned(upright), quality=quality)
    (content,) = store.write([Entry(found(f"/{role}/{name}.png"), made)], INTAKE, role)
    if role == "reference":
        store.add_references("banned", [(content, "", "by hand")], "tester")
    return int(content)


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Families of pictures and references whose hashes differ in few bits, and some that are flat."""
    with SqlStore.open(f"sqlite:///{tmp_path_factory.mktemp('hashed')}/moderator.db") as opened:
        for number in range(COUNT):
            role: Role = "reference" if number % 4 == 3 else "picture"
            add(opened, f"{number}", role, number // 10, number % 10 * 4, quality=10 if number % 11 == 0 else 100)
        yield opened


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the store count as a large one."""
    monkeypatch.setattr(hashed, "INDEXED", 1)


def pairs(store: Store, subjects: list[int], scope: str, among: list[int] | None = None, cap: int = 1000) -> Pairs:
    hits = Hashed(store, subjects, SearchSpec(), pytest.fail).near(scope, among, cap)  # type: ignore[arg-type]
    return list(zip(hits.contents.tolist(), hits.others.tolist(), hits.scores.tolist(), strict=True))


@pytest.mark.parametrize("scope", ["images", "references", "all"])
@pytest.mark.parametrize("among", [None, list(range(5, 40))])
@pytest.mark.parametrize("cap", [3, 1000])
@pytest.mark.parametrize("few", [0, 1000])
def test_the_same_pairs_are_found_with_the_index_and_without(
    store: Store, monkeypatch: pytest.MonkeyPatch, scope: str, among: list[int] | None, cap: int, few: int
) -> None:
    subjects = store.members("images").tolist()
    plain = pairs(store, subjects, scope, among, cap)
    monkeypatch.setattr(hashed, "INDEXED", 1)
    monkeypatch.setattr(hashes, "FEW", few)
    assert pairs(store, subjects, scope, among, cap) == plain
    assert len(plain) > 20


def test_pairs_of_what_has_not_changed_are_looked_for_once(
    store: Store, many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "FEW", 0)
    subjects = store.members("images").tolist()
    before = pairs(store, subjects, "images")
    with monkeypatch.context() as patch:
        patch.setattr(hashes, "near", lambda *_: pytest.fail("they were looked for again"))
        assert pairs(store, subjects, "images") == before != []
    later = add(store, "later still", "picture", 0, 6)
    assert later in {other for _, other, _ in pairs(store, store.members("images").tolist(), "images")}


@pytest.mark.parametrize("cap", [2, 1000])
def test_of_pictures_that_come_and_go_the_pairs_are_those_of_all_that_are_there(
    store: Store, many: None, monkeypatch: pytest.MonkeyPatch, cap: int
) -> None:
    monkeypatch.setattr(hashes, "FEW", 2)
    monkeypatch.setattr(kept, "NEW", 1)
    random = np.random.default_rng(0)
    for turn in range(12):
        add(store, f"new {turn}", "picture", int(random.integers(6)), int(random.integers(40)))
        if turn % 3 == 1:
            store.forget([f"/picture/new {int(random.integers(turn))}.png", f"/picture/{turn}.png"])
        subjects = store.members("images").tolist()[turn % 2 :]
        for scope in ("images", "references"):
            with monkeypatch.context() as patch:
                patch.setattr(hashed, "INDEXED", 1_000_000)
                plain = pairs(store, subjects, scope, cap=cap)
            assert pairs(store, subjects, scope, cap=cap) == plain != []


def test_pairs_of_a_content_that_has_another_hash_now_are_found(
    store: Store, many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "FEW", 2)
    monkeypatch.setattr(kept, "NEW", 0.1)
    subjects = store.members("images").tolist()
    pairs(store, subjects, "images")
    changed = add(store, "1", "picture", 5, 7, quality=90)
    assert changed in subjects
    with monkeypatch.context() as patch:
        patch.setattr(hashed, "INDEXED", 1_000_000)
        plain = pairs(store, subjects, "images")
    assert set(plain) <= set(pairs(store, subjects, "images"))


def test_of_one_new_picture_alone_it_is_asked_what_is_near(
    store: Store, many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "FEW", 2)
    monkeypatch.setattr(kept, "NEW", 0.1)
    pairs(store, store.members("images").tolist(), "images")
    later = add(store, "later", "picture", 0, 6)
    asked: list[tuple[int, int]] = []
    near = hashes.near

    def counted(table: HashTable, stored: HashTable, cap: int) -> Hits:
        asked.append((len(table), len(stored)))
        return near(table, stored, cap)

    monkeypatch.setattr(hashes, "near", counted)
    found = pairs(store, store.members("images").tolist(), "images")
    (new, everything), (others, stored) = asked
    assert (new, stored, everything) == (1, 1, others + 1)
    assert len({first for first, other, _ in found if other == later}) > 1
    assert len({other for first, other, _ in found if first == later}) > 1


def test_what_is_added_and_removed_is_found_and_gone(store: Store, many: None) -> None:
    subject = store.members("images").tolist()[1]
    before = pairs(store, [subject], "all")
    later = add(store, "later", "picture", 0, 6)
    assert {other for _, other, _ in pairs(store, [subject], "all")} == {other for _, other, _ in before} | {later}
    store.remove_references("banned", [])
    notes: list[str] = []
    left = Hashed(store, [subject], SearchSpec(), notes.append).near("all", None, 1000)
    assert set(left.others.tolist()) == set(store.members("images").tolist()) & {o for _, o, _ in before} | {later}
    assert ["removed or replaced" in note for note in notes] == [True]


def test_hashes_are_read_from_the_store_only_where_they_are_near(
    store: Store, many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = store.members("images").tolist()[1]
    pairs(store, [subject], "images")
    read: list[list[int] | None] = []
    everything = store.hashes

    def hashes_of(scope: Scope, only: list[int] | None = None) -> Iterator[HashBlock]:
        read.append(only)
        return everything(scope, only)

    monkeypatch.setattr(store, "hashes", hashes_of)
    assert pairs(store, [subject], "images")
    assert read == [[subject]]


def test_a_policy_can_do_without_an_index(store: Store, many: None) -> None:
    assert len(Hashed(store, [2], SearchSpec(index=False), pytest.fail).near("images", None, 1000).contents)
    assert not index.folder_of(store.url).exists()


def test_identical_pixels_are_found_within_the_scope(store: Store) -> None:
    twin, reference = add(store, "twin", "picture", 0, 4), add(store, "again", "reference", 0, 4)
    asked = Hashed(store, [twin], SearchSpec(), pytest.fail)
    assert list(asked.same_pixels("images")) == [(twin, 2)]
    assert list(asked.same_pixels("references")) == [(twin, reference)]
    assert list(asked.same_pixels("images", [reference])) == []


def test_identical_pixels_are_found_where_every_picture_is_asked(store: Store) -> None:
    twin = add(store, "twin", "picture", 0, 4)
    asked = Hashed(store, store.members("images").tolist(), SearchSpec(), pytest.fail)
    assert sorted(asked.same_pixels("images")) == [(2, twin), (twin, 2)]
