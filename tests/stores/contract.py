"""What every store does. The tests of a store inherit `StoreContract` in a module with two fixtures:

- `url`, where a new, empty database is;
- `execute`, which runs one SQL statement on it, past the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from moderator.contracts import Entry, Generation, Known, Scope, Store
from moderator.errors import ArgumentError, StoreError, VectorError
from moderator.models import Decision, Evidence, Finding, Kind, Reference, Report, Unjudged, Verdict
from moderator.policy import SearchSpec
from moderator.search import hashed, index, near
from moderator.search.hashed import Hashed
from moderator.search.near import Asked, Near
from moderator.stores.sql import SqlStore
from tests.handmade import FLAT, INTAKE, at, digest, entry, fingerprint, flipped, found, rejected, turned, vectors

Execute = Callable[[str], None]
RAW_PATH = "/shop/caf\udce9.png"
"""A file name that is no UTF-8, as Python reads it from the disk."""
OTHER = replace(FLAT, name="other", dimension=3)
NEWER = replace(FLAT, revision="r2")


def written(store: Store, *entries: Entry) -> list[int]:
    return list(store.write(entries, INTAKE, "picture"))


def referenced(store: Store, set_name: str, *entries: Entry) -> list[int]:
    """Writes the entries as files of a reference set and returns their contents."""
    contents = list(store.write(entries, INTAKE, "reference"))
    store.add_references(set_name, [(content, "", "by hand") for content in contents], "tester")
    return contents


def read(store: Store, scope: Scope = "all", only: list[int] | None = None) -> dict[int, list[list[float]]]:
    """The stored vectors of `FLAT` by content."""
    rows: dict[int, list[list[float]]] = {}
    for block in store.vectors(FLAT, scope, only):
        for content, row in zip(block.contents.tolist(), block.matrix.tolist(), strict=True):
            rows.setdefault(content, []).append(row)
    return rows


def hashes_of(store: Store, scope: Scope = "all", only: list[int] | None = None) -> list[int]:
    return [content for block in store.hashes(scope, only) for content in block.contents.tolist()]


def generation(store: Store) -> Generation:
    """The generation of `FLAT`, which has vectors."""
    found = store.generation(FLAT)
    assert found is not None
    return found


def added(store: Store, after: int, upto: int) -> list[tuple[int, list[float]]]:
    """Content and numbers of each vector of `FLAT` that was added, in order."""
    return [
        (content, row)
        for block in store.added(FLAT, after, upto)
        for content, row in zip(block.contents.tolist(), block.matrix.tolist(), strict=True)
    ]


def hashing(name: str, quality: int = 100) -> Entry:
    """A picture whose upright hash is the digest of its name."""
    return Entry(found(f"/shop/{name}.png"), fingerprint(name, pdq=turned(digest(name)), quality=quality))


def hash_generation(store: Store) -> Generation:
    told = store.hash_generation()
    assert told is not None
    return told


def uprights(store: Store, after: int, upto: int) -> list[tuple[int, int, bytes]]:
    """Content, quality and upright hash of each that was added, in order."""
    return [
        (content, quality, hashed.tobytes())
        for block in store.hashes_added(after, upto)
        for content, quality, hashed in zip(
            block.contents.tolist(), block.qualities.tolist(), block.hashes, strict=True
        )
    ]


SEARCHED: tuple[Scope, ...] = ("images", "references", "all")


def mirrored(store: Store) -> tuple[list[tuple[int, bytes]], list[str]]:
    """The rows of the local index of `FLAT`, and what was said."""
    notes: list[str] = []
    codes = index.mirror(store, FLAT, notes.append)
    assert codes is not None
    return [(content, row.tobytes()) for content, row in zip(codes.contents.tolist(), codes.matrix, strict=True)], notes


def searched(store: Store, subjects: list[int], scope: Scope, *, kept: bool) -> set[tuple[int, int]]:
    """The pairs of two contents at cosine .98 or with a near hash, with the index and without."""
    spec = SearchSpec(index=kept)
    hits = [*Near(store, spec, pytest.fail).above(FLAT, subjects, Asked(scope), 0.98, 100)]
    hits.append(Hashed(store, subjects, spec, pytest.fail).near(scope, None, 100))
    pairs = [pair for one in hits for pair in zip(one.contents.tolist(), one.others.tolist(), strict=True)]
    return {pair for pair in pairs if pair[0] != pair[1]}


def decision(name: str, expires: str | None = None) -> Decision:
    """A reviewer's word on `name` and one other content."""
    first, second = sorted((digest(name).hex(), digest("other").hex()))
    return Decision(first, second, Verdict.ALLOW, "licensed", "tester", expires)


def report(*findings: Finding) -> Report:
    torn = Unjudged("/shop/torn.png", "undecodable", "torn")
    return Report(
        "policy.yaml", "store", "2025-01-01T00:00:00+00:00", 1.5, judged=2, embedded=2, unchanged=0,
        findings=findings, rejected=(torn,),
    )  # fmt: skip


class StoreContract:
    """The tests. A subclass names the store's class, and two URLs that cannot be opened."""

    store_class: ClassVar[type[Store]]
    nowhere: ClassVar[str]
    """The URL of a store that cannot be opened."""
    malformed: ClassVar[str]
    """One of the store's schemes that can be the URL of no store."""

    @pytest.fixture
    def store(self, url: str) -> Iterator[Store]:
        with self.store_class.open(url) as opened:
            yield opened

    @pytest.fixture
    def indexed(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Makes the store count as a large one, whose index is kept in a folder of the test's."""
        monkeypatch.setattr(near, "INDEXED", 1)
        monkeypatch.setattr(hashed, "INDEXED", 1)
        monkeypatch.setattr(index, "folder_of", lambda _: tmp_path / "index")

    # Its URL

    def test_a_url_is_checked_where_there_is_nothing_to_open(self) -> None:
        assert self.store_class.checked(self.nowhere) == self.nowhere
        with pytest.raises(StoreError):
            self.store_class.open(self.nowhere)

    def test_a_malformed_url_is_refused_in_the_same_words_before_it_is_opened(self) -> None:
        with pytest.raises(ArgumentError) as checked:
            self.store_class.checked(self.malformed)
        with pytest.raises(ArgumentError) as opened:
            self.store_class.open(self.malformed)
        assert (str(checked.value), checked.value.hint) == (str(opened.value), opened.value.hint)

    def test_the_url_is_the_one_that_was_opened_less_its_secrets(self, url: str, store: Store) -> None:
        assert store.url == self.store_class.checked(url) == url

    # What is known of a path

    def test_a_written_path_is_known_by_what_tells_that_it_changed(self, store: Store) -> None:
        (content,) = written(store, entry("/shop/a.png", sku="7"))
        assert store.known(["/shop/a.png"], "picture") == {
            "/shop/a.png": Known(
                content, 100, 1_700_000_000_000_000_000, INTAKE, "judged", "", "", {"sku": "7"}
            )
        }

    def test_a_path_that_was_never_written_is_left_out(self, store: Store) -> None:
        written(store, entry("/shop/a.png"))
        assert list(store.known(["/shop/a.png", "/shop/b.png"], "picture")) == ["/shop/a.png"]

    def test_a_rejected_picture_is_known_with_its_reason(self, store: Store) -> None:
        written(store, Entry(found("/shop/torn.png"), rejected("torn")))
        known = store.known(["/shop/torn.png"], "picture")["/shop/torn.png"]
        assert (known.state, known.code, known.reason) == ("rejected", "undecodable", "torn")

    def test_a_path_is_known_only_in_the_role_in_which_it_was_read(self, store: Store) -> None:
        written(store, entry("/shop/a.png"))
        assert store.known(["/shop/a.png"], "reference") == {}

    def test_one_path_may_have_both_roles(self, store: Store) -> None:
        written(store, entry("/shop/a.png", of="now"))
        referenced(store, "banned", entry("/shop/a.png", of="then"))
        as_picture, as_reference = (
            store.known(["/shop/a.png"], "picture"),
            store.known(["/shop/a.png"], "reference"),
        )
        assert as_picture["/shop/a.png"].content != as_reference["/shop/a.png"].content

    def test_any_number_of_paths_may_be_asked_at_once(self, store: Store) -> None:
        paths = [f"/shop/{number}.png" for number in range(1_234)]
        written(store, *[entry(path, of="one picture") for path in paths])
        assert sorted(store.known(paths, "picture")) == sorted(paths)

    def test_a_path_that_is_no_utf8_is_known_by_its_own_bytes(self, store: Store) -> None:
        (content,) = written(store, entry(RAW_PATH))
        assert store.known([RAW_PATH], "picture")[RAW_PATH].content == content

    def test_a_path_that_only_looks_like_those_bytes_is_another_path(self, store: Store) -> None:
        written(store, entry(RAW_PATH))
        assert store.known(["/shop/caf\\xe9.png"], "picture") == {}

    def test_metadata_that_is_no_utf8_comes_back_as_it_was(self, store: Store) -> None:
        written(store, entry("/shop/a.png", colour="gr\udcfcn"))
        assert store.known(["/shop/a.png"], "picture")["/shop/a.png"].metadata == {"colour": "gr\udcfcn"}

    # What is known of a content

    def test_a_content_is_found_by_its_digest(self, store: Store) -> None:
        (content,) = written(store, entry("/shop/a.png", of="a"))
        assert store.contents([digest("a"), digest("b")], INTAKE) == {digest("a"): content}

    def test_a_content_that_was_read_under_other_limits_is_not_known(self, store: Store) -> None:
        written(store, entry("/shop/a.png", of="a"))
        assert store.contents([digest("a")], "intake-2") == {}

    def test_a_content_is_embedded_once_it_has_a_vector_of_the_model(self, store: Store) -> None:
        first, second = written(store, entry("/shop/a.png", at(0)), entry("/shop/b.png"))
        assert store.embedded(FLAT, [first, second]) == {first}

    def test_a_vector_of_another_revision_is_no_vector_of_the_model(self, store: Store) -> None:
        contents = written(store, entry("/shop/a.png", at(0)))
        assert store.embedded(NEWER, contents) == frozenset()

    # Writing

    def test_each_entry_gets_the_id_of_its_content_in_order(self, store: Store) -> None:
        first, again, other = written(
            store, entry("/shop/a.png", of="a"), entry("/shop/copy.png", of="a"), entry("/shop/b.png", of="b")
        )
        assert first == again != other

    def test_writing_a_batch_again_changes_nothing(self, store: Store) -> None:
        batch = [entry("/shop/a.png", at(0, 30)), entry("/shop/b.png", at(90))]
        before = written(store, *batch), store.status(), read(store)
        assert (written(store, *batch), store.status(), read(store)) == before

    def test_a_path_that_holds_something_new_is_known_by_its_new_content(self, store: Store) -> None:
        written(store, entry("/shop/a.png", of="old"))
        (new,) = written(store, entry("/shop/a.png", of="new"))
        assert store.known(["/shop/a.png"], "picture")["/shop/a.png"].content == new

    def test_vectors_that_are_written_again_replace_those_that_were(self, store: Store) -> None:
        written(store, entry("/shop/a.png", at(0, 30, 60)))
        (content,) = written(store, entry("/shop/a.png", at(90)))
        assert read(store) == {content: at(90).tolist()}

    def test_an_entry_without_vectors_leaves_those_that_were(self, store: Store) -> None:
        written(store, entry("/shop/a.png", at(90)))
        (content,) = written(store, entry("/shop/copy.png", of="/shop/a.png"))
        assert read(store) == {content: at(90).tolist()}

    def test_a_batch_of_which_one_entry_is_refused_leaves_nothing(self, store: Store) -> None:
        short = Entry(found("/shop/b.png"), replace(fingerprint("b"), sha256=b"short"))
        with pytest.raises(StoreError):
            written(store, entry("/shop/a.png", at(0)), short)
        assert store.known(["/shop/a.png"], "picture") == {}

    def test_a_vector_is_bound_to_its_model_even_after_a_batch_that_failed(
        self, url: str, store: Store
    ) -> None:
        short = Entry(found("/shop/b.png"), replace(fingerprint("b"), sha256=b"short"))
        with pytest.raises(StoreError):
            written(store, entry("/shop/a.png", at(0)), short)
        with self.store_class.open(url) as another:
            written(another, entry("/shop/c.png", vectors(at(45), NEWER)))
        (content,) = written(store, entry("/shop/a.png", at(0)))
        assert read(store) == {content: at(0).tolist()}

    def test_a_vector_of_another_dimension_than_its_models_is_refused(self, store: Store) -> None:
        with pytest.raises(VectorError, match="2 dimensions"):
            written(store, entry("/shop/a.png", vectors(np.ones((1, 3), dtype=np.float32))))

    def test_what_was_written_is_there_after_opening_again(self, url: str) -> None:
        with self.store_class.open(url) as store:
            (content,) = written(store, entry("/shop/a.png", at(30)))
        with self.store_class.open(url) as store:
            assert read(store) == {content: at(30).tolist()}

    # Vectors

    def test_vectors_come_back_bit_for_bit_with_their_views(self, store: Store) -> None:
        (content,) = written(
            store, entry("/shop/a.png", vectors(at(10, 20), views=("whole", "whole, on black")))
        )
        (block,) = store.vectors(FLAT, "all")
        assert block.contents.tolist() == [content, content]
        assert dict(zip(block.views, block.matrix.tolist(), strict=True)) == dict(
            zip(("whole", "whole, on black"), at(10, 20).tolist(), strict=True)
        )

    def test_two_models_live_side_by_side_and_never_mix(self, store: Store) -> None:
        three = np.eye(3, dtype=np.float32)[:1]
        (content,) = written(store, entry("/shop/a.png", vectors(at(10)), vectors(three, OTHER)))
        assert read(store) == {content: at(10).tolist()}
        assert [block.matrix.tolist() for block in store.vectors(OTHER, "all")] == [three.tolist()]

    def test_embedding_with_a_new_model_leaves_the_old_ones_vectors(self, store: Store) -> None:
        written(store, entry("/shop/a.png", at(10)))
        (content,) = written(store, entry("/shop/a.png", vectors(at(80), NEWER)))
        assert read(store) == {content: at(10).tolist()}

    def test_a_model_that_embedded_nothing_has_no_vectors(self, store: Store) -> None:
        written(store, entry("/shop/a.png", at(10)))
        assert list(store.vectors(NEWER, "all")) == []

    def test_a_scope_says_whose_vectors_are_read(self, store: Store) -> None:
        (pictured,) = written(store, entry("/shop/a.png", at(10)))
        (banned,) = referenced(store, "banned", entry("/banned/b.png", at(20)))
        assert [set(read(store, scope)) for scope in ("images", "references", "all")] == [
            {pictured}, {banned}, {pictured, banned},
        ]  # fmt: skip

    def test_a_content_may_be_a_picture_and_a_reference(self, store: Store) -> None:
        (content,) = written(store, entry("/shop/a.png", at(10)))
        store.add_references("banned", [(content, "", "by hand")], "tester")
        assert read(store, "images") == read(store, "references") == {content: at(10).tolist()}

    def test_only_some_contents_are_read_when_they_are_named(self, store: Store) -> None:
        first, _, third = written(store, *[entry(f"/shop/{number}.png", at(number)) for number in range(3)])
        assert set(read(store, only=[first, third])) == {first, third}

    def test_naming_no_content_reads_none(self, store: Store) -> None:
        written(store, entry("/shop/a.png", at(10)))
        assert (read(store, only=[]), hashes_of(store, only=[])) == ({}, [])

    def test_any_number_of_contents_may_be_named(self, store: Store) -> None:
        contents = written(store, *[entry(f"/shop/{number}.png", at(number)) for number in range(1_234)])
        assert sorted(read(store, only=contents)) == sorted(contents)

    def test_a_content_that_was_rejected_later_is_compared_no_more(self, store: Store) -> None:
        written(store, entry("/shop/a.png", at(10), of="a"))
        written(store, Entry(found("/shop/a.png"), rejected("a")))
        assert (read(store), hashes_of(store)) == ({}, [])

    # What an index mirrors

    def test_a_model_that_embedded_nothing_has_no_generation(self, store: Store) -> None:
        written(store, entry("/shop/a.png", at(10)))
        assert store.generation(NEWER) is None

    def test_an_index_lacks_exactly_the_vectors_added_since_its_generation(self, store: Store) -> None:
        written(store, entry("/shop/a.png", at(10)), entry("/shop/b.png", at(20)))
        before = generation(store)
        (third, fourth) = written(store, entry("/shop/c.png", at(30, 35)), entry("/shop/d.png", at(40)))
        after = generation(store)
        assert after.lineage == before.lineage
        assert added(store, before.sequence, after.sequence) == [
            (third, at(30)[0].tolist()), (third, at(35)[0].tolist()), (fourth, at(40)[0].tolist()),
        ]  # fmt: skip

    def test_what_is_added_after_the_generation_was_asked_is_left_for_later(self, store: Store) -> None:
        (first,) = written(store, entry("/shop/a.png", at(10)))
        before = generation(store)
        written(store, entry("/shop/b.png", at(20)))
        assert added(store, 0, before.sequence) == [(first, at(10)[0].tolist())]

    def test_writing_the_same_vectors_again_leaves_the_generation(self, store: Store) -> None:
        batch = [entry("/shop/a.png", at(0, 30)), entry("/shop/b.png", at(90))]
        written(store, *batch)
        before = generation(store)
        written(store, *batch)
        assert generation(store) == before

    def test_vectors_of_another_model_leave_the_generation(self, store: Store) -> None:
        written(store, entry("/shop/a.png", at(10)))
        before = generation(store)
        written(store, entry("/shop/b.png", vectors(at(20), NEWER)))
        assert generation(store) == before

    def test_a_replaced_vector_begins_a_new_lineage(self, store: Store) -> None:
        written(store, entry("/shop/a.png", at(10)))
        before = generation(store)
        (content,) = written(store, entry("/shop/a.png", at(20)))
        after = generation(store)
        assert after.lineage != before.lineage
        assert added(store, 0, after.sequence) == [(content, at(20)[0].tolist())]

    def test_a_removed_vector_begins_a_new_lineage(self, store: Store) -> None:
        (kept,) = written(store, entry("/shop/a.png", at(10)))
        referenced(store, "banned", entry("/banned/b.png", at(20)))
        before = generation(store)
        store.remove_references("banned", [])
        after = generation(store)
        assert after.lineage != before.lineage
        assert added(store, 0, after.sequence) == [(kept, at(10)[0].tolist())]

    def test_removing_what_has_no_vectors_leaves_the_generation(self, store: Store) -> None:
        written(store, entry("/shop/a.png", at(10)))
        before = generation(store)
        referenced(store, "banned", entry("/banned/b.png"))
        store.remove_references("banned", [])
        assert generation(store) == before

    def test_an_index_is_built_once_and_appended_to_and_built_anew_after_a_removal(
        self, store: Store, indexed: None
    ) -> None:
        written(store, *[entry(f"/shop/{number}.png", at(number)) for number in range(5)])
        referenced(store, "banned", entry("/banned/b.png", at(90)))
        first, notes = mirrored(store)
        written(store, entry("/shop/late.png", at(50)))
        second, more = mirrored(store)
        assert (second[: len(first)], len(second), notes + more) == (first, 7, [])
        store.remove_references("banned", [])
        third, why = mirrored(store)
        assert (len(third), ["removed or replaced" in note for note in why]) == (6, [True])

    def test_an_index_of_another_store_is_refused(self, store: Store, indexed: None, tmp_path: Path) -> None:
        with SqlStore.open(f"sqlite:///{tmp_path}/other.db") as other:
            written(other, *[entry(f"/shop/{number}.png", at(number)) for number in range(5)])
            mirrored(other)
        written(store, *[entry(f"/shop/{number}.png", at(number)) for number in range(5)])
        _, notes = mirrored(store)
        assert ["built anew" in note for note in notes] == [True]

    def test_a_scan_by_the_index_finds_what_one_without_it_does(self, store: Store, indexed: None) -> None:
        pictures = written(store, *[entry(f"/shop/{number}.png", at(number * 7)) for number in range(30)])
        pictures += written(store, hashing("a"))
        alike = fingerprint("b", pdq=turned(flipped(digest("a"), 9)))
        referenced(store, "banned", entry("/banned/b.png", at(8)), Entry(found("/banned/a.png"), alike))
        told = [searched(store, pictures, scope, kept=False) for scope in SEARCHED]
        assert [searched(store, pictures, scope, kept=True) for scope in SEARCHED] == told
        assert [len(pairs) for pairs in told] == [58, 4, 62]

    def test_the_members_of_a_scope_are_those_whose_vectors_are_read(self, store: Store) -> None:
        (pictured, _) = written(store, entry("/shop/a.png", at(10)), Entry(found("/shop/torn.png"), rejected("torn")))
        (banned,) = referenced(store, "banned", entry("/banned/b.png", at(20)))
        assert [store.members(scope).tolist() for scope in ("images", "references", "all")] == [
            [pictured], [banned], [pictured, banned],
        ]  # fmt: skip

    # Features

    def test_features_come_back_byte_for_byte_by_content(self, store: Store) -> None:
        first, second, third = written(store, *[entry(f"/shop/{name}.png") for name in "abc"])
        made = {first: bytes(range(256)), second: b""}
        store.write_features("corners-1", made)
        assert store.features("corners-1", [first, second, third]) == made

    def test_features_of_another_extractor_are_not_known(self, store: Store) -> None:
        (content,) = written(store, entry("/shop/a.png"))
        store.write_features("corners-1", {content: b"made"})
        assert store.features("corners-2", [content]) == {}

    def test_features_that_are_written_again_replace_those_that_were(self, store: Store) -> None:
        (content,) = written(store, entry("/shop/a.png"))
        store.write_features("corners-1", {content: b"old"})
        store.write_features("corners-1", {content: b"new"})
        assert store.features("corners-1", [content]) == {content: b"new"}

    def test_features_may_be_large(self, store: Store) -> None:
        (content,) = written(store, entry("/shop/a.png"))
        large = bytes(range(256)) * 4096
        store.write_features("corners-1", {content: large})
        assert store.features("corners-1", [content]) == {content: large}

    def test_features_of_a_content_that_is_not_there_are_refused_and_none_of_the_others_kept(
        self, store: Store
    ) -> None:
        (content,) = written(store, entry("/shop/a.png"))
        with pytest.raises(StoreError):
            store.write_features("corners-1", {content: b"made", content + 1000: b"made"})
        assert store.features("corners-1", [content]) == {}

    def test_features_are_removed_with_their_content(self, store: Store) -> None:
        (content,) = referenced(store, "banned", entry("/banned/a.png"))
        store.write_features("corners-1", {content: b"made"})
        store.remove_references("banned", [])
        assert store.features("corners-1", [content]) == {}

    # Hashes

    def test_a_fingerprint_comes_back_whole(self, store: Store) -> None:
        whole = replace(fingerprint("a", pdq=bytes(range(256)), quality=73), format="WEBP", frames=5)
        (content,) = written(store, Entry(found("/shop/a.webp"), whole))
        (block,) = store.hashes("all")
        assert (block.contents.tolist(), list(block.fingerprints)) == ([content], [whole])

    def test_a_scope_says_whose_hashes_are_read(self, store: Store) -> None:
        (pictured,) = written(store, entry("/shop/a.png"))
        (banned,) = referenced(store, "banned", entry("/banned/b.png"))
        assert [hashes_of(store, scope) for scope in ("images", "references")] == [[pictured], [banned]]

    def test_members_may_be_narrowed_to_some_contents(self, store: Store) -> None:
        first, _, third = written(store, *[entry(f"/shop/{name}.png") for name in "abc"])
        (banned,) = referenced(store, "banned", entry("/banned/b.png"))
        assert store.members("images", [third, banned, first]).tolist() == [first, third]

    def test_contents_are_found_by_their_pixels_within_a_scope(self, store: Store) -> None:
        first, same, _ = written(
            store,
            *[Entry(found(f"/{name}.png"), fingerprint(name, pixels=of)) for name, of in ("ax", "bx", "cy")],
        )
        store.write([Entry(found("/r.png"), fingerprint("r", pixels="x"))], INTAKE, "reference")
        pixels = fingerprint("a", pixels="x").pixels
        assert store.with_pixels([pixels, b"none"], "images") == {first: pixels, same: pixels}

    def test_contents_that_share_their_pixels_are_told_with_them_whatever_their_scope(self, store: Store) -> None:
        first, second, _ = written(
            store,
            *[Entry(found(f"/{name}.png"), fingerprint(name, pixels=of)) for name, of in ("ax", "bx", "cy")],
        )
        (third,) = store.write([Entry(found("/r.png"), fingerprint("r", pixels="x"))], INTAKE, "reference")
        pixels = fingerprint("a", pixels="x").pixels
        assert store.same_pixels() == {first: pixels, second: pixels, third: pixels}

    def test_contents_that_several_pictures_hold_are_told_apart_from_those_that_one_does(self, store: Store) -> None:
        several, _, _ = written(store, *[entry(f"/shop/{path}", of=of) for path, of in ("1a", "2b", "3a")])
        store.write([entry("/bad/b", of="b")], INTAKE, "reference")
        assert store.repeated() == [several]

    def test_a_store_without_contents_has_no_generation_of_hashes(self, store: Store) -> None:
        assert store.hash_generation() is None

    def test_an_index_lacks_exactly_the_hashes_added_since_its_generation(self, store: Store) -> None:
        written(store, hashing("a"), entry("/shop/plain.png"))
        before = hash_generation(store)
        second, third = written(store, hashing("b"), hashing("c"))
        after = hash_generation(store)
        assert after.lineage == before.lineage
        assert uprights(store, before.sequence, after.sequence) == [
            (second, 100, digest("b")), (third, 100, digest("c")),
        ]  # fmt: skip

    def test_writing_the_same_contents_again_leaves_the_generation_of_hashes(self, store: Store) -> None:
        written(store, hashing("a"), entry("/shop/plain.png"))
        before = hash_generation(store)
        written(store, hashing("a"), entry("/shop/plain.png"))
        assert hash_generation(store) == before

    def test_a_hash_that_was_made_anew_is_added_again(self, store: Store) -> None:
        written(store, hashing("a"))
        before = hash_generation(store)
        (content,) = written(store, hashing("a", quality=60))
        after = hash_generation(store)
        assert uprights(store, before.sequence, after.sequence) == [(content, 60, digest("a"))]
        assert uprights(store, 0, before.sequence) == []

    def test_a_removed_content_begins_a_new_lineage_of_hashes(self, store: Store) -> None:
        (kept,) = written(store, hashing("a"))
        referenced(store, "banned", hashing("b"))
        before = hash_generation(store)
        store.remove_references("banned", [])
        after = hash_generation(store)
        assert after.lineage != before.lineage
        assert uprights(store, 0, after.sequence) == [(kept, 100, digest("a"))]

    # Pictures by content

    def test_the_pictures_of_a_content_come_in_the_order_of_their_paths(self, store: Store) -> None:
        (content, _, _) = written(store, *[entry(f"/shop/{name}.png", of="a") for name in "bca"])
        assert [image.path for image in store.images([content])[content]] == [
            f"/shop/{name}.png" for name in "abc"
        ]

    def test_a_picture_comes_back_with_its_size_digest_and_metadata(self, store: Store) -> None:
        (content,) = written(store, entry("/shop/a.png", of="apple", sku="7"))
        (image,) = store.images([content])[content]
        assert (image.content, image.sha256, image.width, image.height, image.size) == (
            content, digest("apple").hex(), 40, 30, len("apple"),
        )  # fmt: skip
        assert (image.metadata, image.scanned) == ({"sku": "7"}, False)

    def test_a_file_of_a_reference_set_is_no_picture(self, store: Store) -> None:
        (content,) = referenced(store, "banned", entry("/banned/b.png"))
        assert store.images([content]) == {}
        assert [image.path for image in store.images([content], "reference")[content]] == ["/banned/b.png"]

    def test_a_path_that_is_no_utf8_can_be_printed(self, store: Store) -> None:
        (content,) = written(store, entry(RAW_PATH))
        assert [image.path for image in store.images([content])[content]] == ["/shop/caf\\xe9.png"]

    # Pictures whose files moved or changed

    def test_paths_are_those_below_the_folder_and_no_others(self, store: Store) -> None:
        inside = ["/shop/a.png", "/shop/deep/er/b.png", "/shop/\U0001f600.png"]
        written(
            store, *[entry(path) for path in [*inside, "/shop", "/shop.png", "/shop0/c.png", "/sho/d.png"]]
        )
        assert sorted(store.paths_under("/shop")) == sorted(store.paths_under("/shop/")) == sorted(inside)

    def test_every_picture_is_below_the_root(self, store: Store) -> None:
        written(store, entry("/shop/a.png"), entry("/b.png"))
        assert sorted(store.paths_under("/")) == ["/b.png", "/shop/a.png"]

    def test_files_of_reference_sets_are_not_among_the_paths(self, store: Store) -> None:
        referenced(store, "banned", entry("/shop/banned.png"))
        assert list(store.paths_under("/shop")) == []

    def test_a_forgotten_picture_is_known_no_more(self, store: Store) -> None:
        first, second = written(store, entry("/shop/a.png"), entry(RAW_PATH))
        store.forget(store.paths_under("/shop"))
        assert (store.known(["/shop/a.png", RAW_PATH], "picture"), store.images([first, second])) == ({}, {})

    def test_forgetting_a_picture_keeps_what_a_reference_needs(self, store: Store) -> None:
        (content,) = written(store, entry("/shop/a.png", at(10)))
        store.add_references("banned", [(content, "", "by hand")], "tester")
        store.forget(["/shop/a.png"])
        assert (read(store, "images"), set(read(store, "references"))) == ({}, {content})

    def test_forgetting_leaves_the_same_path_of_a_reference_set(self, store: Store) -> None:
        referenced(store, "banned", entry("/shop/a.png"))
        store.forget(["/shop/a.png"])
        assert list(store.known(["/shop/a.png"], "reference")) == ["/shop/a.png"]

    def test_updated_metadata_replaces_all_of_the_old(self, store: Store) -> None:
        written(store, entry("/shop/a.png", sku="7", colour="red"), entry("/shop/b.png", sku="8"))
        store.update_metadata([found("/shop/a.png", sku="9")])
        known = store.known(["/shop/a.png", "/shop/b.png"], "picture")
        assert [dict(known[path].metadata) for path in ("/shop/a.png", "/shop/b.png")] == [
            {"sku": "9"},
            {"sku": "8"},
        ]

    # Reference sets

    def test_adding_references_tells_how_many_are_new(self, store: Store) -> None:
        first, second = store.write([entry("/banned/a.png"), entry("/banned/b.png")], INTAKE, "reference")
        assert store.add_references("banned", [(first, "", "by hand")], "tester") == 1
        assert (
            store.add_references("banned", [(first, "", "by hand"), (second, "", "by hand")], "tester") == 1
        )

    def test_references_are_those_of_the_sets_that_are_named(self, store: Store) -> None:
        (knife,) = referenced(store, "weapons", entry("/banned/knife.png"))
        (logo,) = referenced(store, "logos", entry("/banned/logo.png"))
        assert [one.content for one in store.references(["logos"])] == [logo]
        assert sorted(one.content for one in store.references()) == sorted([knife, logo])

    def test_references_are_those_of_the_contents_that_are_named(self, store: Store) -> None:
        _, second = referenced(store, "weapons", entry("/banned/a.png"), entry("/banned/b.png"))
        (logo,) = referenced(store, "logos", entry("/banned/logo.png"))
        assert [one.content for one in store.references(contents=[second, logo, 999_999])] == [logo, second]
        assert [one.content for one in store.references(["weapons"], [second, logo])] == [second]
        assert list(store.references(["weapons"], [])) == []

    def test_sets_are_counted_by_the_entries_that_match(self, store: Store, execute: Execute) -> None:
        off, *_ = referenced(store, "weapons", entry("/banned/a.png"), entry("/banned/b.png"), entry("/banned/c.png"))
        (past,) = referenced(store, "logos", entry("/banned/logo.png"))
        execute(f"UPDATE reference_entries SET enabled = 0 WHERE content_id = {off}")
        execute(
            f"UPDATE reference_entries SET expires = '2001-01-01T00:00:00+00:00' WHERE content_id = {past}"
        )
        assert store.reference_counts() == {"weapons": 2}
        assert store.filled_sets() == ["weapons"]

    def test_what_lacks_a_vector_of_a_model_is_told_by_set(self, store: Store) -> None:
        one, _ = referenced(store, "weapons", entry("/banned/a.png"), entry("/banned/b.png", at(0)))
        (logo,) = referenced(store, "logos", entry("/banned/logo.png"))
        assert list(store.unembedded(FLAT)) == sorted([one, logo])
        assert list(store.unembedded(FLAT, ["weapons"])) == [one]
        assert len(store.unembedded(OTHER, ["weapons"])) == 2

    def test_a_picture_is_there_since_the_scan_that_brought_it_with_its_content(self, store: Store, url: str) -> None:
        written(store, entry("/shop/a.png"), entry("/shop/b.png"))
        with self.store_class.open(url) as later:
            names = {"/shop/a.png": "/shop/a.png", "/shop/b.png": "other", "/shop/c.png": "/shop/a.png"}
            contents = written(later, *[entry(path, of=content) for path, content in names.items()])
            since = {one.path: one.since for some in later.images(contents).values() for one in some}
        assert since["/shop/a.png"] < since["/shop/b.png"] == since["/shop/c.png"]

    def test_an_entry_carries_its_set_and_label(self, store: Store) -> None:
        (content,) = store.write([entry("/banned/a.png")], INTAKE, "reference")
        store.add_references("banned", [(content, "case 12", "by hand")], "tester")
        (reference,) = store.references()
        assert reference == Reference("banned", reference.entry, "case 12", content)

    def test_an_entry_that_is_there_takes_a_label_and_keeps_it(self, store: Store) -> None:
        first, second = referenced(store, "banned", entry("/banned/a.png"), entry("/banned/b.png"))
        given = [(first, "case 12", "by hand"), (second, "", "by hand")]
        assert store.add_references("banned", given, "tester") == 0
        store.add_references("banned", [(first, "", "by hand")], "tester")
        assert [one.label for one in store.references()] == ["case 12", ""]

    def test_a_set_that_nobody_made_is_empty(self, store: Store) -> None:
        assert list(store.references(["nobody's"])) == []

    def test_an_entry_that_is_disabled_or_expired_matches_nothing(
        self, store: Store, execute: Execute
    ) -> None:
        off, past, future = referenced(
            store, "banned", *[entry(f"/banned/{name}.png", at(0)) for name in "abc"]
        )
        execute(f"UPDATE reference_entries SET enabled = 0 WHERE content_id = {off}")
        execute(
            f"UPDATE reference_entries SET expires = '2001-01-01T00:00:00+00:00' WHERE content_id = {past}"
        )
        execute(
            f"UPDATE reference_entries SET expires = '9001-01-01T00:00:00+00:00' WHERE content_id = {future}"
        )
        assert [reference.content for reference in store.references()] == [future]

    def test_the_vectors_and_hashes_of_a_disabled_entry_are_not_read(
        self, store: Store, execute: Execute
    ) -> None:
        off, on = referenced(store, "banned", entry("/banned/a.png", at(0)), entry("/banned/b.png", at(1)))
        execute(f"UPDATE reference_entries SET enabled = 0 WHERE content_id = {off}")
        assert (set(read(store, "references")), hashes_of(store, "references")) == ({on}, [on])

    def test_removing_one_entry_leaves_the_others(self, store: Store) -> None:
        _, kept = referenced(store, "banned", entry("/banned/a.png", at(10)), entry("/banned/b.png", at(20)))
        assert store.remove_references("banned", [store.references()[0].entry]) == 1
        assert [reference.content for reference in store.references()] == [kept]
        assert set(read(store)) == {kept}

    def test_removing_a_set_removes_its_vectors_hashes_and_files(self, store: Store) -> None:
        contents = referenced(store, "banned", entry("/banned/a.png", at(10)), entry("/banned/b.png", at(20)))
        assert store.remove_references("banned", []) == 2
        assert (read(store), hashes_of(store), store.images(contents, "reference")) == ({}, [], {})

    def test_removing_a_reference_leaves_a_scanned_picture_of_the_same_content(self, store: Store) -> None:
        (content,) = written(store, entry("/shop/a.png", at(10)))
        store.add_references("banned", [(content, "", "by hand")], "tester")
        store.remove_references("banned", [])
        assert read(store, "images") == {content: at(10).tolist()}

    def test_removing_a_reference_leaves_one_whose_file_is_known_no_more(self, store: Store) -> None:
        (content,) = written(store, entry("/shop/a.png", at(10)))
        store.add_references("banned", [(content, "", "by hand")], "tester")
        store.forget(["/shop/a.png"])
        referenced(store, "other", entry("/other/b.png"))
        store.remove_references("other", [])
        assert read(store, "references") == {content: at(10).tolist()}

    def test_removing_from_one_set_leaves_the_same_content_in_another(self, store: Store) -> None:
        (content,) = referenced(store, "weapons", entry("/banned/a.png", at(10)))
        store.add_references("logos", [(content, "", "by hand")], "tester")
        store.remove_references("weapons", [])
        assert [(one.set, one.content) for one in store.references()] == [("logos", content)]

    def test_an_entry_of_another_set_is_not_removed(self, store: Store) -> None:
        referenced(store, "weapons", entry("/banned/a.png"))
        referenced(store, "logos", entry("/banned/b.png"))
        assert store.remove_references("logos", [store.references(["weapons"])[0].entry]) == 0

    def test_removing_a_set_that_nobody_made_removes_nothing(self, store: Store) -> None:
        referenced(store, "banned", entry("/banned/a.png"))
        assert store.remove_references("nobody's", []) == 0
        assert len(store.references()) == 1

    def test_any_number_of_entries_may_be_removed_at_once(self, store: Store) -> None:
        referenced(store, "banned", entry("/banned/a.png"))
        (present,) = store.references()
        assert store.remove_references("banned", [present.entry, *range(10_000, 50_000)]) == 1

    # Decisions and results

    def test_a_decision_comes_back_until_it_expires(self, store: Store) -> None:
        kept = decision("kept")
        later = decision("future", expires="9001-01-01T00:00:00+00:00")
        for one in (kept, decision("past", expires="2001-01-01T00:00:00+00:00"), later):
            store.decide(one)
        assert set(store.decisions()) == {kept, later}

    def test_a_decision_replaces_one_on_the_same_two_contents_in_either_order(self, store: Store) -> None:
        first = decision("a")
        store.decide(first)
        store.decide(replace(first, verdict=Verdict.BLOCK, reason="stolen"))
        store.decide(
            replace(first, sha256=first.match_sha256, match_sha256=first.sha256, reason="licensed after all")
        )
        assert list(store.decisions()) == [replace(first, reason="licensed after all")]

    def test_identical_bytes_may_be_decided_on(self, store: Store) -> None:
        twice = Decision(digest("a").hex(), digest("a").hex(), Verdict.ALLOW, "one picture, two pages", "tester")
        store.decide(twice)
        assert list(store.decisions()) == [twice]

    def test_a_withdrawn_decision_is_gone(self, store: Store) -> None:
        kept, gone = decision("kept"), decision("gone")
        store.decide(kept)
        store.decide(gone)
        assert store.withdraw(gone.match_sha256, gone.sha256)
        assert list(store.decisions()) == [kept]

    def test_withdrawing_what_nobody_decided_changes_nothing(self, store: Store) -> None:
        one = decision("a")
        assert not store.withdraw(one.sha256, one.match_sha256)

    def test_a_report_is_kept_with_its_findings(self, store: Store) -> None:
        (content,) = written(store, entry("/shop/a.png"))
        (image,) = store.images([content])[content]
        rung = Evidence("flat", Kind.LOOKALIKE, 0.93, 0.9)
        reference = Reference("banned", 1, "", content)
        store.record(
            report(
                Finding("lookalikes", "lookalike", Verdict.REVIEW, image, image, (rung,), "looks alike"),
                Finding("banned", "prohibited", Verdict.BLOCK, image, reference, (rung,), "is banned"),
            )
        )
        store.record(report())
        assert store.status()["scans"] == "2"

    def test_the_status_counts_what_is_stored(self, store: Store) -> None:
        written(store, entry("/shop/a.png", at(10, 20), of="a"), entry("/shop/copy.png", of="a"))
        referenced(store, "banned", entry("/banned/b.png", at(30)))
        status = store.status()
        counted = {
            name: status[name] for name in ("images", "contents", "embeddings", "reference_entries", "scans")
        }
        assert counted == {
            "images": "3", "contents": "2", "embeddings": "3", "reference_entries": "1", "scans": "0",
        }  # fmt: skip

    def test_the_status_names_engine_and_schema(self, store: Store) -> None:
        assert store.status()["engine"]
        assert int(store.status()["schema"]) >= 1
