"""Each view of a picture has candidates of its own: what one tile of a collage is close to hides nothing of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moderator import candidates
from moderator.contracts import Store
from moderator.ladder import StoredSearch
from moderator.policy import Limits, Verify
from moderator.stores.sql import SqlStore
from moderator.verification import Done, Told, Verifier
from tests.handmade import INTAKE, at, cosine_of, entry, vectors
from tests.test_ladder import COPY_MODEL, ByHand, policy

LABELS = ("part 0.0000 0.0000 0.5000 1.0000", "part 0.5000 0.0000 1.0000 1.0000")
Banned = Mapping[str, float]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with SqlStore.open(f"sqlite:///{tmp_path}/moderator.db") as opened:
        yield opened


class Recorded(Verifier):
    """Verifies nothing, and keeps what it was asked."""

    asked: frozenset[tuple[int, int]] = frozenset()

    def verify(self, pairs: Mapping[tuple[int, int], tuple[str, str]], done: Done) -> Told:
        self.asked |= pairs.keys()
        return dict.fromkeys(pairs)


def compared(store: Store, banned: Banned, degrees: tuple[float, ...], count: int = 1) -> set[str]:
    """Returns which banned pictures a picture of one whole and two parts, in these directions, is verified against."""
    kept = store.write([entry(name, vectors(at(one), COPY_MODEL)) for name, one in banned.items()], INTAKE, "reference")
    store.add_references("banned", [(content, "", "by hand") for content in kept], "tester")
    chosen = policy()
    embedders = {name: ByHand(spec) for name, spec in chosen.embedders.items()}
    views = ["whole", *LABELS][: len(degrees)]
    collage = entry("collage", vectors(at(*degrees), COPY_MODEL, views))
    contents = store.write([collage], INTAKE, "picture")
    recorded = Recorded(store, Limits(), Verify(candidates=count, least=cosine_of(40)))
    with recorded:
        search = StoredSearch(store, chosen, embedders, [(collage.found, contents[0])], verifier=recorded)
        list(search.prohibited("copies", cosine_of(10), ["banned"]))
    names = dict(zip(kept, banned, strict=True))
    return {names[other] for _, other in recorded.asked if other in names}


def test_each_part_of_a_picture_is_compared_with_what_is_closest_to_it(store: Store) -> None:
    banned = {"left": 112.0, "left, further": 114.0, "right": 212.0, "right, further": 216.0, "neither": 300.0}
    assert compared(store, banned, (0.0, 100.0, 200.0)) == {"left", "right"}


def test_a_part_that_matches_a_crowd_hides_nothing_that_another_part_matches(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "CAP", 3)
    crowd = {f"{number}": 100 + number / 10 for number in range(8)}
    assert "right" in compared(store, {**crowd, "right": 205.0}, (0.0, 100.0, 200.0))


def test_a_part_in_a_crowd_of_pictures_hides_no_copy_that_another_part_is(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "CROWD", 3)
    monkeypatch.setattr(candidates, "FEW", 2)
    others = [entry(f"{number}", vectors(at(100 + number / 10), COPY_MODEL)) for number in range(8)]
    right = entry("right", vectors(at(205.0), COPY_MODEL))
    collage = entry("collage", vectors(at(0.0, 100.0, 200.0), COPY_MODEL, ["whole", *LABELS]))
    *_, second, whole = store.write([*others, right, collage], INTAKE, "picture")
    embedders = {name: ByHand(spec) for name, spec in policy().embedders.items()}
    search = StoredSearch(store, policy(), embedders, [(collage.found, whole)])
    told = {frozenset((one.content, one.other)) for one in search.copies("copies", cosine_of(10))}
    assert frozenset((second, whole)) in told
    assert len(told) == 3


def test_a_part_is_not_compared_with_what_is_too_far_from_it(store: Store) -> None:
    assert compared(store, {"left": 145.0}, (0.0, 100.0)) == set()


@given(st.lists(st.integers(0, 359), min_size=1, max_size=12, unique=True), st.integers(1, 4))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_part_has_more_candidates_than_are_asked_for(
    tmp_path_factory: pytest.TempPathFactory, places: list[int], count: int
) -> None:
    with SqlStore.open(f"sqlite:///{tmp_path_factory.mktemp('store')}/moderator.db") as store:
        banned = {f"at {place}": place + 0.5 for place in places}
        degrees = (0.0, 120.0, 240.0)
        apart = {name: [abs((one - of + 180) % 360 - 180) for of in degrees] for name, one in banned.items()}
        sure = {name for name, near in apart.items() if min(near) < 9.9}
        assert len(compared(store, banned, degrees, count) - sure) <= 3 * count
