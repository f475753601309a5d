"""Very many pictures of one content, of the same pixels, or near one another: their number counts, not its square."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moderator import candidates
from moderator.candidates import FEW
from moderator.contracts import Entry, Store
from moderator.ladder import StoredSearch
from moderator.models import Finding
from moderator.policy import Limits, Rule, Verify
from moderator.stores.sql import SqlStore
from moderator.verification import Done, Told, Verifier
from moderator_duplicates.detector import Duplicates
from tests.handmade import INTAKE, at, cosine_of, entry, fingerprint, found, turned, vectors
from tests.test_ladder import COPY_MODEL, FAR, HASH, ByHand, policy

CROWD = 20_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with SqlStore.open(f"sqlite:///{tmp_path}/moderator.db") as opened:
        yield opened


def scanned(store: Store, entries: list[Entry], verifier: Verifier | None = None) -> StoredSearch:
    contents = store.write(entries, INTAKE, "picture")
    chosen = policy(Rule(id="copies", detector="duplicates", embedder="copies", threshold=cosine_of(10)))
    embedders = {name: ByHand(spec) for name, spec in chosen.embedders.items()}
    files = [one.found for one in entries]
    return StoredSearch(store, chosen, embedders, list(zip(files, contents, strict=True)), verifier=verifier)


def saved_anew(count: int, degrees: float = 0.0, name: str = "crowd", pdq: bytes = HASH) -> list[Entry]:
    """Different bytes, the same pixels, hash and vector."""
    pictures = (f"{name}-{number:05}.png" for number in range(count))
    same, vector = turned(pdq), vectors(at(degrees), COPY_MODEL)
    return [Entry(found(one), fingerprint(one, pixels=name, pdq=same), (vector,)) for one in pictures]


def duplicates(search: StoredSearch) -> list[Finding]:
    rule = Rule(id="copies", detector="duplicates", embedder="copies", threshold=cosine_of(10))
    return list(Duplicates(rule, "copies").detect(search))


def test_pictures_with_the_same_pixels_are_told_once_each(store: Store) -> None:
    search = scanned(store, [*saved_anew(CROWD), *saved_anew(1, 5.0, "near")])
    findings = duplicates(search)
    assert len(findings) == CROWD
    assert len({str(one.match) for one in findings}) == 1
    assert {one.group.size for one in findings if one.group} == {CROWD + 1}


def test_the_matches_of_pictures_with_the_same_pixels_grow_with_their_number(store: Store) -> None:
    search = scanned(store, [*saved_anew(300), *saved_anew(300, 5.0, "near")])
    assert len(list(search.copies("copies", cosine_of(10)))) == 299 + 299 + 1


def near_one_another(count: int) -> list[Entry]:
    """Copies that differ in their pixels, by a little, and have no hash."""
    degrees = np.random.default_rng(3).uniform(0, 4, count)
    return [entry(f"near-{place:04}.png", vectors(at(one), COPY_MODEL)) for place, one in enumerate(degrees.tolist())]


def test_the_matches_of_pictures_near_one_another_grow_with_their_number(store: Store) -> None:
    search = scanned(store, near_one_another(600))
    assert len(list(search.copies("copies", cosine_of(10)))) < 600 * (FEW + 2)


def test_pictures_near_one_another_are_one_group_and_are_told_once_each(store: Store) -> None:
    findings = duplicates(scanned(store, near_one_another(600)))
    assert len({one.image.path for one in findings}) == len(findings) == 599
    assert {(one.group.size, str(one.match)) for one in findings if one.group} == {(600, "near-0000.png")}


def test_more_pictures_near_one_another_than_are_compared_with_one_are_few_groups(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "CAP", 100)
    findings = duplicates(scanned(store, near_one_another(600)))
    groups = {one.group.id for one in findings if one.group}
    assert len(groups) < 20
    assert len(findings) < 2 * 600
    assert len({one.image.path for one in findings} | {str(one.match) for one in findings}) == 600


def test_copies_near_one_another_are_not_verified_each_with_each_to_find_lookalikes(store: Store) -> None:
    asked: list[tuple[int, int]] = []

    class Counted(Verifier):
        def verify(self, pairs: Mapping[tuple[int, int], tuple[str, str]], done: Done) -> Told:
            asked.extend(pairs)
            return dict.fromkeys(pairs)  # no file is there: the cosine tells

    with Counted(store, Limits(), Verify()) as verifier:
        other = entry("else.png", vectors(at(40), COPY_MODEL))
        search = scanned(store, [*near_one_another(300), other], verifier)
        told = list(search.alike("copies", cosine_of(45), 3, lambda _first, _second: cosine_of(45)))
    assert told
    assert all(search.subjects[-1] in (one.content, one.other) for one in told)
    assert len(asked) < 300 * 3


def test_files_with_the_same_bytes_are_told_once_each(store: Store) -> None:
    entries = [replace(saved_anew(1)[0], found=found(f"{number:05}.png")) for number in range(CROWD)]
    findings = duplicates(scanned(store, entries))
    assert len({one.image.path for one in findings}) == CROWD - 1


def test_what_resembles_a_crowd_is_told_for_all_of_it(store: Store) -> None:
    search = scanned(store, [*saved_anew(60), *saved_anew(1, 40.0, "else", FAR)])
    told = list(search.alike("copies", cosine_of(45), 3, lambda _first, _second: cosine_of(45)))
    assert len({frozenset((one.content, one.other)) for one in told}) == 60


def test_the_closest_of_another_picture_is_not_hidden_by_a_crowd(store: Store) -> None:
    search = scanned(store, [*saved_anew(1500), *saved_anew(1, 3.0, "near"), *saved_anew(1, 9.0, "far")])
    pairs = {(one.content, one.other) for one in search.copies("copies", cosine_of(10))}
    leaders = [one for one in search.subjects if one not in search.twins]
    assert {(a, b) for a in leaders for b in leaders if a < b} <= pairs
