"""What detectors ask of a store: which pictures are copies, merely alike, or prohibited, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from moderator import candidates
from moderator.contracts import Embedder, Entry, Found, Store, Vectors
from moderator.ladder import StoredSearch
from moderator.models import Kind, Match, ModelId, Preprocessing
from moderator.policy import EmbedderSpec, Policy, ReferenceSet, Rule
from moderator.stores.sql import SqlStore
from moderator.vectors import Matrix
from tests.handmade import INTAKE, at, cosine_of, entry, fingerprint, flipped, found, turned, vectors

COPY_MODEL = ModelId("copies", "r1", "fp32", "by-hand-1", 2)
MEANING_MODEL = ModelId("meaning", "r1", "fp32", "by-hand-1", 2)
HASH = bytes(range(32))
FAR = bytes(32)


class ByHand(Embedder):
    """An embedder whose vectors were written to the store by hand."""

    name = "by-hand"

    def __init__(self, spec: EmbedderSpec) -> None:
        super().__init__(spec)
        self.finds_copies = spec.model == "copies"

    @property
    def model(self) -> ModelId:
        return COPY_MODEL if self.finds_copies else MEANING_MODEL

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(32, 32)

    def embed(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Matrix:
        raise NotImplementedError("nothing is embedded here")


def rule(detector: str, embedder: str, threshold: float) -> Rule:
    return Rule(
        id=f"{detector}-{embedder}-{threshold}", detector=detector, embedder=embedder, threshold=threshold
    )


def policy(*rules: Rule, **sets: ReferenceSet) -> Policy:
    embedders = {name: EmbedderSpec(type="by-hand", model=name) for name in ("copies", "meaning")}
    return Policy(
        version=1, embedders=embedders, rules=rules or (rule("none", "meaning", 1.0),), reference_sets=sets
    )


def copying(*degrees: float) -> Vectors:
    """Vectors of the copy-detection model in these directions."""
    return vectors(at(*degrees), COPY_MODEL)


def meaning(*degrees: float) -> Vectors:
    """Vectors of the model of meaning in these directions."""
    return vectors(at(*degrees), MEANING_MODEL)


def hashed(path: str, pdq: bytes, *made: Vectors, quality: int = 100) -> Entry:
    return Entry(found(path), fingerprint(path, pdq=pdq, quality=quality), made)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with SqlStore.open(f"sqlite:///{tmp_path}/moderator.db") as opened:
        yield opened


class Shop:
    """A store with what was scanned before, what is scanned now, and what is prohibited."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.policy = policy()
        self._scanned: list[tuple[Found, int]] = []
        self._names: dict[int, str] = {}

    def before(self, *entries: Entry) -> None:
        """Stores pictures of an earlier scan."""
        self._write(entries)

    def scan(self, *entries: Entry) -> StoredSearch:
        """Stores the pictures of this scan and returns the search that its detectors are given."""
        contents = self._write(entries)
        self._scanned += [(one.found, content) for one, content in zip(entries, contents, strict=True)]
        embedders = {name: ByHand(spec) for name, spec in self.policy.embedders.items()}
        return StoredSearch(self.store, self.policy, embedders, self._scanned)

    def prohibit(self, set_name: str, *entries: Entry, label: str = "") -> None:
        contents = self.store.write(entries, INTAKE, "reference")
        self._remember(entries, contents)
        self.store.add_references(set_name, [(content, label, "by hand") for content in contents], "tester")

    def told(self, matches: Sequence[Match]) -> list[tuple[str, str]]:
        """The pairs by the names under which their contents were first stored."""
        return [(self._names[match.content], self._names[match.other]) for match in matches]

    def _write(self, entries: Sequence[Entry]) -> Sequence[int]:
        contents = self.store.write(entries, INTAKE, "picture")
        self._remember(entries, contents)
        return contents

    def _remember(self, entries: Sequence[Entry], contents: Sequence[int]) -> None:
        for one, content in zip(entries, contents, strict=True):
            self._names.setdefault(content, one.found.path)


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store)


def copies(search: StoredSearch, embedder: str, degrees: float) -> list[Match]:
    return list(search.copies(embedder, cosine_of(degrees)))


def alike(search: StoredSearch, degrees: float, top: int = 10) -> list[Match]:
    return list(search.alike("meaning", cosine_of(degrees), top, lambda first, second: cosine_of(degrees)))


def prohibited(search: StoredSearch, degrees: float, *sets: str) -> list[Match]:
    return [match for match, _ in search.prohibited("copies", cosine_of(degrees), sets)]


def signals(match: Match) -> list[str]:
    return [rung.signal for rung in match.evidence]


# Copies


def test_two_pictures_within_the_threshold_are_a_pair_of_copies_told_once(shop: Shop) -> None:
    search = shop.scan(entry("a", copying(0)), entry("b", copying(9)), entry("c", copying(60)))
    assert shop.told(copies(search, "copies", 10)) == [("a", "b")]


def test_the_score_of_a_pair_is_the_cosine_similarity_of_its_closest_views(shop: Shop) -> None:
    search = shop.scan(entry("a", copying(0, 100)), entry("b", copying(50, 108)))
    (match,) = copies(search, "copies", 10)
    assert match.score == pytest.approx(cosine_of(8), abs=1e-6)


@pytest.mark.parametrize("threshold", [0.1, 0.6, 0.7, 0.83, 0.9, 0.97, 1.0])
def test_a_pair_that_stands_at_the_threshold_is_a_match(shop: Shop, threshold: float) -> None:
    row = np.array([[threshold, (1 - threshold**2) ** 0.5]], dtype=np.float32)
    search = shop.scan(entry("a", copying(0)), entry("b", vectors(row, COPY_MODEL)))
    assert shop.told(list(search.copies("copies", threshold))) == [("a", "b")]


def test_a_pair_below_the_threshold_is_no_match(shop: Shop) -> None:
    search = shop.scan(entry("a", copying(0)), entry("b", copying(10)))
    assert copies(search, "copies", 9.9) == []


def test_a_copy_of_a_picture_from_an_earlier_scan_is_found_from_this_ones_side(shop: Shop) -> None:
    shop.before(entry("old", copying(0)))
    search = shop.scan(entry("new", copying(5)))
    assert shop.told(copies(search, "copies", 10)) == [("new", "old")]


def test_two_pictures_of_an_earlier_scan_are_not_told_again(shop: Shop) -> None:
    shop.before(entry("old", copying(0)), entry("old too", copying(1)))
    search = shop.scan(entry("new", copying(90)))
    assert copies(search, "copies", 10) == []


def test_pictures_of_one_content_are_no_pair_but_images_of_it(shop: Shop) -> None:
    search = shop.scan(entry("a", copying(0), of="apple"), entry("b", of="apple"))
    assert copies(search, "copies", 10) == []
    (content,) = search.subjects
    assert [image.path for image in search.images(content)] == ["a", "b"]


def test_identical_pixels_are_a_copy_however_far_apart_the_vectors_are(shop: Shop) -> None:
    one, two = (Entry(found(name), fingerprint(name, pixels="same")) for name in "ab")
    search = shop.scan(replace(one, vectors=(copying(0),)), replace(two, vectors=(copying(90),)))
    (match,) = copies(search, "copies", 10)
    assert (match.strongest.signal, match.kind) == ("pixels", Kind.COPY)
    assert match.score == pytest.approx(0, abs=1e-6)


def test_pictures_without_vectors_are_still_copies_by_their_hashes(shop: Shop) -> None:
    search = shop.scan(hashed("a", turned(HASH)), hashed("b", turned(flipped(HASH, 20))))
    (match,) = copies(search, "copies", 10)
    assert (match.strongest.signal, match.kind) == ("pdq", Kind.COPY)
    assert match.evidence[-1].score is None


@pytest.mark.parametrize(("bits", "pairs"), [(31, 1), (32, 0)])
def test_a_perceptual_hash_matches_up_to_31_bits(shop: Shop, bits: int, pairs: int) -> None:
    search = shop.scan(hashed("a", turned(HASH)), hashed("b", turned(flipped(HASH, bits))))
    assert len(copies(search, "copies", 10)) == pairs


def test_a_turned_copy_is_found_by_its_hash_whichever_of_the_two_is_scanned(shop: Shop) -> None:
    upright, sideways = hashed("upright", turned(HASH, FAR)), hashed("sideways", turned(FAR, HASH))
    shop.before(upright)
    assert shop.told(copies(shop.scan(sideways), "copies", 10)) == [("sideways", "upright")]


def test_flat_pictures_are_never_copies_by_their_hash(shop: Shop) -> None:
    search = shop.scan(hashed("a", turned(HASH), quality=49), hashed("b", turned(HASH), quality=49))
    assert copies(search, "copies", 10) == []


# The ladder of evidence


def test_evidence_stands_in_the_order_of_the_ladder(shop: Shop) -> None:
    shop.policy = policy(rule("duplicates", "meaning", 0.97), rule("duplicates", "copies", 0.9))
    search = shop.scan(entry("a", copying(0), meaning(0)), entry("b", copying(60), meaning(20)))
    (match,) = alike(search, 30)
    assert signals(match) == ["bytes", "pixels", "pdq", "copies", "meaning", "meaning"]
    assert [rung.kind for rung in match.evidence[2:]] == [
        Kind.COPY, Kind.EDITED_COPY, Kind.LOOKALIKE, Kind.LOOKALIKE,
    ]  # fmt: skip


def test_a_match_is_named_by_its_strongest_rung_that_holds(shop: Shop) -> None:
    search = shop.scan(hashed("a", turned(HASH), copying(0)), hashed("b", turned(HASH), copying(0)))
    (match,) = copies(search, "copies", 10)
    assert [(rung.signal, rung.holds) for rung in match.evidence] == [
        ("bytes", False), ("pixels", False), ("pdq", True), ("copies", True),
    ]  # fmt: skip
    assert match.strongest.signal == "pdq"


def test_a_copy_detection_model_says_edited_copy_and_a_model_of_meaning_lookalike(shop: Shop) -> None:
    search = shop.scan(entry("a", copying(0), meaning(0)), entry("b", copying(5), meaning(5)))
    assert [match.kind for match in copies(search, "copies", 10)] == [Kind.EDITED_COPY]
    assert [match.kind for match in copies(search, "meaning", 10)] == [Kind.LOOKALIKE]


def test_what_the_copy_detection_model_finds_names_a_copy_that_a_rule_of_meaning_met(shop: Shop) -> None:
    shop.policy = policy(
        rule("duplicates", "meaning", cosine_of(10)), rule("duplicates", "copies", cosine_of(10))
    )
    search = shop.scan(entry("a", copying(0), meaning(0)), entry("b", copying(5), meaning(5)))
    (match,) = copies(search, "meaning", 10)
    assert (match.strongest.signal, match.kind) == ("copies", Kind.EDITED_COPY)


def test_a_model_of_meaning_never_names_what_the_copy_detection_model_found(shop: Shop) -> None:
    shop.policy = policy(
        rule("duplicates", "meaning", cosine_of(10)), rule("duplicates", "copies", cosine_of(10))
    )
    search = shop.scan(entry("a", copying(0), meaning(0)), entry("b", copying(5), meaning(5)))
    (match,) = copies(search, "copies", 10)
    assert (match.strongest.signal, match.kind) == ("copies", Kind.EDITED_COPY)


def test_every_rung_carries_its_own_score_and_threshold(shop: Shop) -> None:
    shop.policy = policy(rule("duplicates", "copies", 0.9))
    search = shop.scan(entry("a", copying(0), meaning(0)), entry("b", copying(90), meaning(10)))
    (match,) = alike(search, 20)
    copy_rung, meaning_rung = match.evidence[3:]
    assert [copy_rung.score, meaning_rung.score] == pytest.approx([0, cosine_of(10)], abs=1e-6)
    assert [copy_rung.threshold, meaning_rung.threshold] == [0.9, cosine_of(20)]


# Alike


def test_similar_pictures_that_are_no_copies_are_alike(shop: Shop) -> None:
    shop.policy = policy(rule("duplicates", "meaning", cosine_of(10)))
    search = shop.scan(entry("a", meaning(0)), entry("b", meaning(15)), entry("c", meaning(60)))
    assert shop.told(alike(search, 20)) == [("a", "b")]


@pytest.mark.parametrize("embedder", ["copies", "meaning"])
def test_what_a_duplicates_rule_calls_a_copy_is_never_merely_alike(shop: Shop, embedder: str) -> None:
    shop.policy = policy(rule("duplicates", embedder, cosine_of(10)))
    search = shop.scan(entry("a", copying(0), meaning(0)), entry("b", copying(5), meaning(5)))
    assert len(copies(search, embedder, 10)) == 1
    assert alike(search, 20) == []


def test_a_copy_by_hash_is_never_merely_alike(shop: Shop) -> None:
    same_pixels = [
        Entry(found("a"), fingerprint("a", pixels="x"), (meaning(0),)),
        Entry(found("b"), fingerprint("b", pixels="x"), (meaning(9),)),
    ]
    same_picture = [
        hashed("c", turned(HASH), meaning(90)),
        hashed("d", turned(flipped(HASH, 9)), meaning(99)),
    ]
    search = shop.scan(*same_pixels, *same_picture)
    assert len(copies(search, "meaning", 1)) == 2
    assert alike(search, 20) == []


def test_the_closest_are_told_first(shop: Shop) -> None:
    search = shop.scan(entry("a", meaning(0)), entry("b", meaning(20)), entry("c", meaning(5)))
    assert shop.told(alike(search, 30)) == [("a", "c"), ("b", "c"), ("a", "b")]


def test_a_picture_has_no_more_than_the_closest_asked_for(shop: Shop) -> None:
    shop.before(*[entry(f"old {degrees}", meaning(degrees)) for degrees in (1, 2, 3, 4)])
    search = shop.scan(entry("new", meaning(0)))
    assert shop.told(alike(search, 30, top=2)) == [("new", "old 1"), ("new", "old 2")]


def test_pictures_of_one_item_are_left_out_and_not_counted(shop: Shop) -> None:
    shop.before(*[entry(f"old {degrees}", meaning(degrees)) for degrees in (1, 2, 3)])
    search = shop.scan(entry("new", meaning(0)))
    near = (
        search.images(search.subjects[0])[0].content,
        shop.store.known(["old 1"], "picture")["old 1"].content,
    )
    told = search.alike(
        "meaning", cosine_of(30), 1, lambda first, second: None if {first, second} == set(near) else cosine_of(30)
    )
    assert shop.told(list(told)) == [("new", "old 2")]


@pytest.mark.parametrize("stored", [True, False])
def test_a_favourite_of_many_hides_none_of_their_matches(shop: Shop, stored: bool) -> None:
    favourite, *others = (
        entry("favourite", meaning(0)),
        entry("left", meaning(-20)),
        entry("right", meaning(20)),
    )
    if stored:
        shop.before(favourite)
    search = shop.scan(*others, *([] if stored else [favourite]))
    told = {frozenset(pair) for pair in shop.told(alike(search, 25, top=1))}
    assert told == {frozenset({"left", "favourite"}), frozenset({"right", "favourite"})}


# Prohibited


def test_a_picture_close_to_a_reference_is_prohibited_with_its_entry(shop: Shop) -> None:
    shop.policy = policy(weapons=ReferenceSet(label="weapons of war", severity="critical"))
    shop.prohibit("weapons", entry("knife", copying(0)), label="case 12")
    search = shop.scan(entry("a", copying(5)), entry("b", copying(90)))
    ((match, references),) = search.prohibited("copies", cosine_of(10), [])
    assert shop.told([match]) == [("a", "knife")]
    assert [(one.set, one.label, one.set_label, one.severity) for one in references] == [
        ("weapons", "case 12", "weapons of war", "critical")
    ]


def test_a_reference_in_two_sets_is_one_match_with_two_entries(shop: Shop) -> None:
    knife = entry("knife", copying(0))
    shop.prohibit("weapons", knife)
    shop.prohibit("kitchen", knife)
    ((_, references),) = shop.scan(entry("a", copying(5))).prohibited("copies", cosine_of(10), [])
    assert sorted(one.set for one in references) == ["kitchen", "weapons"]


def test_only_the_sets_that_are_named_are_matched(shop: Shop) -> None:
    shop.prohibit("weapons", entry("knife", copying(0)))
    shop.prohibit("logos", entry("logo", copying(1)))
    assert shop.told(prohibited(shop.scan(entry("a", copying(0))), 10, "logos")) == [("a", "logo")]


def test_a_picture_with_the_bytes_of_a_reference_is_prohibited_even_without_a_vector(shop: Shop) -> None:
    shop.prohibit("weapons", entry("banned/knife", of="knife"))
    (match,) = prohibited(shop.scan(entry("a", of="knife")), 10)
    assert match.content == match.other
    assert (match.strongest.signal, match.kind) == ("bytes", Kind.COPY)


def test_a_reference_without_a_vector_still_matches_by_its_hash(shop: Shop) -> None:
    shop.prohibit("weapons", hashed("knife", turned(HASH)))
    (match,) = prohibited(shop.scan(hashed("a", turned(flipped(HASH, 5)), copying(0))), 10)
    assert match.strongest.signal == "pdq"


def test_a_hash_of_a_set_that_is_not_named_matches_nothing(shop: Shop) -> None:
    shop.prohibit("weapons", hashed("knife", turned(HASH)))
    shop.prohibit("logos", hashed("logo", turned(FAR)))
    assert prohibited(shop.scan(hashed("a", turned(HASH))), 10, "logos") == []


def test_a_turned_copy_of_a_reference_matches_by_its_hash(shop: Shop) -> None:
    shop.prohibit("weapons", hashed("knife", turned(HASH, FAR)))
    assert len(prohibited(shop.scan(hashed("a", turned(FAR, HASH))), 10)) == 1


def test_a_stored_picture_of_an_earlier_scan_is_not_judged_again(shop: Shop) -> None:
    shop.before(entry("old", copying(0)))
    shop.prohibit("weapons", entry("knife", copying(0)))
    assert prohibited(shop.scan(entry("new", copying(90))), 10) == []


def test_sets_that_hold_nothing_are_noted(shop: Shop) -> None:
    search = shop.scan(entry("a", copying(0)))
    assert prohibited(search, 10, "weapons") == []
    assert len(search.notes) == 1
    assert "no references in the set weapons" in search.notes[0]


def test_a_set_that_holds_nothing_is_noted_though_another_one_is_filled(shop: Shop) -> None:
    shop.prohibit("weapons", entry("knife", copying(90)))
    search = shop.scan(entry("a", copying(0)))
    assert prohibited(search, 10, "weapons", "logos") == []
    assert [note.partition(":")[0] for note in search.notes] == ["no references in the set logos"]


def test_references_are_never_shown_as_pictures_nor_as_copies(shop: Shop) -> None:
    shop.prohibit("weapons", entry("knife", copying(1), meaning(1)), entry("banned/apple", of="apple"))
    search = shop.scan(entry("a", copying(0), meaning(0), of="apple"))
    assert (copies(search, "copies", 10), alike(search, 10)) == ([], [])
    assert [image.path for image in search.images(search.subjects[0])] == ["a"]


# Similarity


def test_the_similarity_of_each_two_contents_is_that_of_their_closest_views(shop: Shop) -> None:
    search = shop.scan(entry("a", copying(0)), entry("b", copying(30, 200)), entry("c", copying(90, 190)))
    expected = [[0, 30, 90], [30, 0, 10], [90, 10, 0]]
    assert search.similarity("copies", search.subjects) == pytest.approx(
        np.cos(np.radians(expected)), abs=1e-6
    )


def test_the_similarity_comes_in_the_order_that_was_asked_for(shop: Shop) -> None:
    search = shop.scan(*[entry(name, copying(degrees)) for name, degrees in (("a", 0), ("b", 20), ("c", 50))])
    first, second, third = search.subjects
    assert search.similarity("copies", [third, first, second])[0] == pytest.approx(
        np.cos(np.radians([0, 50, 30])), abs=1e-6
    )


def test_copies_by_hash_have_similarity_one_whatever_their_vectors_say(shop: Shop) -> None:
    search = shop.scan(
        hashed("a", turned(HASH), copying(0)), hashed("b", turned(HASH), copying(60)), entry("c", copying(0))
    )
    first, second, third = search.subjects
    assert search.similarity("copies", [first, second, third])[0].tolist() == pytest.approx([1, 1, 1])
    assert search.similarity("copies", [second, third])[0, 1] == pytest.approx(0.5, abs=1e-6)


def test_a_content_without_a_vector_is_similar_to_itself_alone(shop: Shop) -> None:
    search = shop.scan(entry("a", copying(0)), entry("b"))
    assert search.similarity("copies", search.subjects).tolist() == [[1, 0], [0, 1]]


# Limits, names


@pytest.fixture
def cap(monkeypatch: pytest.MonkeyPatch) -> int:
    """Keeps three matches of a picture instead of a thousand."""
    monkeypatch.setattr(candidates, "CAP", 3)
    return 3


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> int:
    """Takes more than three matches for a crowd, instead of fifty, and tells the two closest."""
    monkeypatch.setattr(candidates, "CROWD", 3)
    monkeypatch.setattr(candidates, "FEW", 2)
    return 3


def test_a_picture_that_is_in_no_crowd_is_told_with_all_its_copies_and_without_a_note(shop: Shop, crowd: int) -> None:
    shop.before(*[entry(f"old {number}", copying(number)) for number in range(1, crowd + 1)])
    search = shop.scan(entry("new", copying(0)))
    assert (len(copies(search, "copies", 10)), search.notes) == (crowd, [])


def test_a_picture_in_a_crowd_is_told_with_its_closest_copies_and_a_note_says_so(shop: Shop, crowd: int) -> None:
    shop.before(*[entry(f"old {number}", copying(number)) for number in range(1, crowd + 2)])
    search = shop.scan(entry("new", copying(0)))
    assert shop.told(copies(search, "copies", 10)) == [("new", "old 1"), ("new", "old 2")]
    assert search.notes == [
        "1 picture in crowds, near to more than 3 others each: of the matches of each the 2 closest are told, "
        "and the one with a picture in the middle of the crowd"
    ]


def test_the_pictures_of_a_crowd_are_told_with_its_middle_too(shop: Shop, crowd: int) -> None:
    names = [f"{number}" for number in range(9)]
    search = shop.scan(*[entry(name, copying(float(name))) for name in names])
    told = {frozenset(pair) for pair in shop.told(copies(search, "copies", 10))}
    assert told >= {frozenset(("0", name)) for name in names[1:]}
    assert len(told) < 9 * 8 / 2


def test_what_is_in_a_crowd_by_hash_is_noted_too(shop: Shop, crowd: int) -> None:
    shop.before(*[hashed(f"old {number}", turned(flipped(HASH, number))) for number in range(1, crowd + 2)])
    search = shop.scan(hashed("new", turned(HASH)))
    assert len(copies(search, "copies", 10)) == 2
    assert len(search.notes) == 1


def test_a_picture_with_more_references_than_the_cap_keeps_the_closest_and_a_note_says_so(shop: Shop, cap: int) -> None:
    shop.prohibit("weapons", *[entry(f"knife {number}", copying(number)) for number in range(cap + 1)])
    search = shop.scan(entry("new", copying(0)))
    assert [match.score for match in prohibited(search, 10)] == pytest.approx([1.0, cosine_of(1), cosine_of(2)])
    (note,) = search.notes
    assert note.startswith(f"1 picture with more than 3 matches at {cosine_of(10):g} by copies: ")
    assert note.endswith("the closest 3 of each are reported; raise the threshold")


def test_more_references_by_hash_than_the_cap_are_noted_too(shop: Shop, cap: int) -> None:
    shop.prohibit("weapons", *[hashed(f"k {number}", turned(flipped(HASH, number))) for number in range(1, cap + 2)])
    search = shop.scan(hashed("new", turned(HASH)))
    assert len(prohibited(search, 10)) == cap
    (note,) = search.notes
    assert note.startswith("1 picture with more than 3 matches by perceptual hash")


def test_a_note_is_told_once(shop: Shop) -> None:
    search = shop.scan(entry("a", copying(0)))
    search.note("look here")
    search.note("look here")
    assert search.notes == ["look here"]


def test_pictures_of_this_scan_come_first_and_by_the_names_they_were_found_by(shop: Shop) -> None:
    shop.before(entry("/a/old.png", of="apple"))
    new = Entry(Found("z/new.png", "/z/new.png", 100, 1, {}), fingerprint("apple"))
    search = shop.scan(new)
    assert [(image.path, image.scanned) for image in search.images(search.subjects[0])] == [
        ("z/new.png", True), ("/a/old.png", False),
    ]  # fmt: skip


def test_a_picture_whose_name_is_no_utf8_is_known_as_one_of_this_scan(shop: Shop) -> None:
    search = shop.scan(Entry(Found("caf\\xe9.png", "/z/caf\udce9.png", 100, 1, {}), fingerprint("apple")))
    assert [(image.path, image.scanned) for image in search.images(search.subjects[0])] == [
        ("caf\\xe9.png", True)
    ]


def test_the_subjects_are_the_contents_of_this_scan_each_once_in_order(shop: Shop) -> None:
    shop.before(entry("old", copying(0)))
    search = shop.scan(entry("b"), entry("a"), entry("copy of b", of="b"))
    assert [search.images(content)[0].path for content in search.subjects] == ["b", "a"]
