"""Reference sets: pictures to match against, added by command or mirrored from a folder of the policy."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moderator.contracts import Embedder, Store
from moderator.errors import ArgumentError, InputError
from moderator.ingest import Ingest, Ingested
from moderator.intake.walk import walk
from moderator.paths import found_at
from moderator.policy import Policy, ReferenceSet
from moderator.search import index
from moderator.verification import verifying

BY_COMMAND = "added by command"
FROM_FOLDER = "folder of the policy"


@dataclass(frozen=True, slots=True)
class Added:
    """What `add` did: entries that are new, those the set had already, and what could not be read."""

    new: int
    known: int
    ingested: Ingested


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rule asks of references: its embedder and its sets (none: all)."""

    embedder: Embedder
    sets: Sequence[str]


def add(
    store: Store, policy: Policy, ingest: Ingest, set_name: str, sources: Sequence[str], *, named: bool = False
) -> Added:
    """Adds pictures to a stored set. With `named`, an entry's label is its file name; else it has none.

    Raises:
        ArgumentError: a source is not there, none of them has a picture, or the policy mirrors this set from a folder.
    """
    declared = policy.reference_sets.get(set_name)
    if declared is not None and declared.folder is not None:
        raise ArgumentError(
            f"the set `{set_name}` mirrors the folder {declared.folder}",
            hint="put the pictures there, or name another set",
        )
    ingested = ingest.run(walk(sources, exclude=policy.exclude), "reference")
    if not (ingested.judged or ingested.rejected):
        raise ArgumentError("no picture is in what was named: nothing was added")
    entries = [(content, Path(found.name).name if named else "", BY_COMMAND) for found, content in ingested.judged]
    new = store.add_references(set_name, entries, getpass.getuser())
    with verifying(store, policy) as verifier:
        if verifier is not None:
            # Now, because the files need not stay where they are.
            verifier.features.keep([content for content, _, _ in entries])
    return Added(new, len({content for content, _, _ in entries}) - new, ingested)


def mirror(store: Store, policy: Policy, ingest: Ingest, wanted: Sequence[str]) -> dict[str, Ingested]:
    """Makes each of the `wanted` sets that has a folder hold exactly that folder's pictures.

    Raises:
        InputError: a folder is not there: a scan without it would miss what it should find.
    """
    outcomes = {}
    for name, declared in policy.reference_sets.items():
        if name in wanted and declared.folder is not None:
            outcomes[name] = _mirror_one(store, policy, ingest, name, declared)
    return outcomes


def _mirror_one(store: Store, policy: Policy, ingest: Ingest, name: str, declared: ReferenceSet) -> Ingested:
    folder = declared.folder
    if folder is None or not folder.is_dir():
        raise InputError(
            f"the reference set `{name}` has no folder at {folder}",
            hint="make it, or mend reference_sets in the policy",
        )
    ingested = ingest.run(walk([str(folder)], exclude=policy.exclude), "reference")
    contents = {content for _, content in ingested.judged}
    stored = store.references([name])
    if stale := [entry.entry for entry in stored if entry.content not in contents]:
        remove(store, name, stale)
    if contents - {entry.content for entry in stored}:
        store.add_references(name, [(content, "", FROM_FOLDER) for content in sorted(contents)], getpass.getuser())
    return ingested


def remove(store: Store, set_name: str, entries: Sequence[int]) -> int:
    """Removes entries (none named: the whole set) with every byte that only they needed, in the store and in its local
    index, and returns how many. Raises: StoreError; nothing is removed from the store before it is from the index."""
    index.erase(store.url)
    removed = store.remove_references(set_name, entries)
    index.erase(store.url)  # another program may have built it meanwhile
    return removed


def complete(store: Store, policy: Policy, ingest: Ingest, asked: Sequence[Asked]) -> int:
    """Embeds references that lack a vector of a rule's model, where their files are still there, and returns how
    many still lack one: no rule can match those by its model."""
    lacking = _lacking(store, asked)
    stored = store.images(sorted(lacking), "reference")
    files = (found_at(image.path) for images in stored.values() for image in images)
    if present := [file for file in files if file is not None and Path(file).is_file()]:
        ingest.run(walk(present, exclude=policy.exclude), "reference")
        lacking = _lacking(store, asked)
    return len(lacking)


def _lacking(store: Store, asked: Sequence[Asked]) -> set[int]:
    lacking: set[int] = set()
    for one in asked:
        lacking.update(store.unembedded(one.embedder.model, one.sets))
    return lacking
