"""Reference sets: added by command, completed for another model, and never confused with pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moderator import references
from moderator.contracts import Store
from moderator.errors import ArgumentError
from moderator.ingest import Ingest
from moderator.policy import Policy, ReferenceSet
from moderator.search import index
from tests.scanning import fake_policy, fake_registry, picture


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return fake_policy(tmp_path)


@pytest.fixture
def store(policy: Policy) -> Iterator[Store]:
    with fake_registry().open_store(str(policy.store)) as opened:
        yield opened


def ingest(store: Store, policy: Policy) -> Ingest:
    return Ingest(store, list(fake_registry().make_embedders(policy).values()), policy.limits)


def other_model(policy: Policy) -> Policy:
    spec = policy.embedders["fake"].model_copy(update={"revision": "2"})
    return policy.model_copy(update={"embedders": {"fake": spec}})


def asked(policy: Policy) -> list[references.Asked]:
    return [references.Asked(fake_registry().make_embedders(policy)["fake"], ())]


def test_pictures_added_twice_are_one_entry(store: Store, policy: Policy, tmp_path: Path) -> None:
    one = picture(tmp_path / "one.png")
    first = references.add(store, policy, ingest(store, policy), "banned", [str(one)])
    second = references.add(store, policy, ingest(store, policy), "banned", [str(one)])
    assert (first.new, first.known, second.new, second.known) == (1, 0, 0, 1)


def test_an_entry_has_no_label_unless_names_are_asked_for(store: Store, policy: Policy, tmp_path: Path) -> None:
    references.add(store, policy, ingest(store, policy), "quiet", [str(picture(tmp_path / "one.png"))])
    named = picture(tmp_path / "two.png", ("black",) * 4)
    references.add(store, policy, ingest(store, policy), "loud", [str(named)], named=True)
    assert {entry.set: entry.label for entry in store.references()} == {"quiet": "", "loud": "two.png"}


def test_a_set_that_mirrors_a_folder_cannot_be_added_to(store: Store, policy: Policy, tmp_path: Path) -> None:
    mirrored = policy.model_copy(update={"reference_sets": {"banned": ReferenceSet(folder=tmp_path)}})
    with pytest.raises(ArgumentError, match="mirrors the folder"):
        references.add(store, mirrored, ingest(store, policy), "banned", [str(picture(tmp_path / "one.png"))])


def test_references_are_no_pictures_of_the_store(store: Store, policy: Policy, tmp_path: Path) -> None:
    references.add(store, policy, ingest(store, policy), "banned", [str(picture(tmp_path / "one.png"))])
    (entry,) = store.references(["banned"])
    assert store.images([entry.content]) == {}


def test_what_cannot_be_read_is_told_and_not_added(store: Store, policy: Policy, tmp_path: Path) -> None:
    torn = tmp_path / "torn.png"
    torn.write_bytes(b"\x89PNG\r\n\x1a\n")
    added = references.add(store, policy, ingest(store, policy), "banned", [str(torn)])
    assert (added.new, [one.code for one in added.ingested.rejected]) == (0, ["undecodable"])


def test_references_are_embedded_for_another_model_from_their_files(
    store: Store, policy: Policy, tmp_path: Path
) -> None:
    references.add(store, policy, ingest(store, policy), "banned", [str(picture(tmp_path / "one.png"))])
    changed = other_model(policy)
    assert references.complete(store, changed, ingest(store, changed), asked(changed)) == 0


def test_references_whose_files_are_gone_are_counted_as_lacking(store: Store, policy: Policy, tmp_path: Path) -> None:
    one = picture(tmp_path / "one.png")
    references.add(store, policy, ingest(store, policy), "banned", [str(one)])
    one.unlink()
    changed = other_model(policy)
    assert references.complete(store, changed, ingest(store, changed), asked(changed)) == 1


def test_removing_a_reference_leaves_no_byte_of_it_in_the_local_index(
    store: Store, policy: Policy, tmp_path: Path
) -> None:
    references.add(store, policy, ingest(store, policy), "banned", [str(picture(tmp_path / "one.png"))])
    model = fake_registry().make_embedders(policy)["fake"].model
    made = index.mirror(store, model, pytest.fail)
    assert made is not None
    code = made.matrix[0].tobytes()
    folder = index.folder_of(store.url)
    assert any(code in path.read_bytes() for path in folder.iterdir())
    assert references.remove(store, "banned", []) == 1
    assert not folder.exists()
    again = index.mirror(store, model, pytest.fail)
    assert again is None or len(again) == 0
    assert not any(code in path.read_bytes() for path in folder.iterdir())
