"""Finds stored contents whose hashes are near those of some pictures, in the cheapest way that loses none.

Few hashes are read from the store. Of many, a local index (`moderator.search.index`) holds the upright ones of all
contents, whatever their scope, and the store tells which of those that are near are of the scope.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from moderator.contracts import HashBlock, Scope, Store
from moderator.policy import SearchSpec
from moderator.search import hashes, index, kept
from moderator.search.exact import Hits
from moderator.search.hashes import HashTable
from moderator.search.kept import Question
from moderator.search.near import INDEXED
from moderator.search.rungs import PDQ_QUALITY

PDQ = "pdq"
"""What the index calls the hashes."""
RECORD = np.dtype([("content", "<i8"), ("words", "<u8", (hashes.WORDS,))])


@dataclass(frozen=True, slots=True)
class _Asked:
    """The hashes of the subjects, the subjects by their pixels, and how many are plain."""

    hashes: HashTable
    by_pixels: Mapping[bytes, Sequence[int]]
    plain: int


class Hashed:
    """Answers for some pictures of one store.

    Args:
        subjects: their contents.
        note: told why an index was built anew or could not be kept.
    """

    def __init__(self, store: Store, subjects: Sequence[int], spec: SearchSpec, note: index.Note) -> None:
        self._store = store
        self._subjects = subjects
        self._spec = spec
        self._note = note

    def twins(self) -> Mapping[int, int]:
        """Returns the subjects that have the pixels of an earlier one, each with the first that has them."""
        holders = self._asked.by_pixels
        return {content: same[0] for same in holders.values() for content in same[1:]}

    def members(self, scope: Scope) -> list[int]:
        """Returns the contents of a scope."""
        members: list[int] = self._store.members(scope).tolist()
        return members

    def same_pixels(
        self, scope: Scope, among: Sequence[int] | None = None, skipped: Collection[int] = ()
    ) -> Iterator[tuple[int, int]]:
        """Yields the pairs (subject that is not skipped, content of `scope`, one of `among`) with identical pixels."""
        everyone = self._asked.by_pixels
        holders = {pixels: [one for one in same if one not in skipped] for pixels, same in everyone.items()}
        wanted = None if among is None else frozenset(among)
        for other, pixels in self._with_pixels(holders, scope).items():
            if wanted is None or other in wanted:
                yield from ((content, other) for content in holders[pixels] if content != other)

    def _with_pixels(self, pixels: Collection[bytes], scope: Scope) -> Mapping[int, bytes]:
        """Returns the contents of `scope` that have these pixels; where all of its contents are subjects, as when a
        whole folder is scanned, it is known which they are."""
        holders = self._asked.by_pixels
        if scope == "images" and frozenset(self.members(scope)) <= frozenset(self._subjects):
            return {content: one for one in pixels for content in holders[one]}
        return self._store.with_pixels(list(pixels), scope)

    def near(self, scope: Scope, among: Sequence[int] | None, cap: int, skipped: Collection[int] = ()) -> Hits:
        """Returns the pairs (subject, content of `scope`, one of `among`) with a matching hash, as `hashes.near`, of
        those that are not skipped."""
        asked = self._asked.hashes
        if self._known is None:
            stored = hashes.table(self._store.hashes(scope, among), 1)
        else:
            stored = self._known[self._members(asked, self._known, scope, among)]
        if skipped:
            apart = np.fromiter(skipped, np.int64, len(skipped))
            asked, stored = (one[~np.isin(one.contents, apart)] for one in (asked, stored))
        if self._known is None or len(asked) <= hashes.FEW:
            return hashes.near(asked, stored, cap)
        question = Question(PDQ, f"{scope} {cap}", _digest(asked, stored))
        if (found := kept.read(self._store.url, question)) is not None:
            return found[0]
        hits = hashes.near(asked, stored, cap)
        kept.write(self._store.url, question, hits)
        return hits

    def _members(self, asked: HashTable, known: HashTable, scope: Scope, among: Sequence[int] | None) -> hashes.Mask:
        """Which rows are of the scope; where few are asked, only of those that are near one of them."""
        reached = hashes.reach(asked, known) if len(asked) <= hashes.FEW else np.ones(len(known), dtype=bool)
        if among is not None:
            reached &= np.isin(known.contents, among)
        only = None if reached.all() else np.unique(known.contents[reached]).tolist()
        return reached & np.isin(known.contents, self._store.members(scope, only))

    @property
    def plain(self) -> int:
        """How many subjects are too plain to have a hash that tells them."""
        return self._asked.plain

    @cached_property
    def _asked(self) -> _Asked:
        holders: dict[bytes, list[int]] = {}
        plain = 0

        def met() -> Iterator[HashBlock]:
            nonlocal plain
            for block in self._store.hashes("images", self._subjects):
                for content, fingerprint in zip(block.contents.tolist(), block.fingerprints, strict=True):
                    if fingerprint.pixels:
                        holders.setdefault(fingerprint.pixels, []).append(content)
                        plain += bool(fingerprint.pdq) and fingerprint.pdq_quality == 0
                yield block

        found = hashes.table(met(), hashes.ORIENTATIONS)
        return _Asked(found, holders, plain)

    @cached_property
    def _known(self) -> HashTable | None:
        return known(self._store, self._spec, self._note)


def _digest(*tables: HashTable) -> str:
    digest = hashlib.sha256()
    for one in tables:
        for part in (one.contents, one.words):
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def known(store: Store, spec: SearchSpec, note: index.Note) -> HashTable | None:
    """Returns the upright hash of every content that is compared, from the index; None where they are few, or none is
    kept."""
    generation = store.hash_generation()
    if not spec.index or generation is None or generation.sequence < INDEXED:
        return None

    def added(after: int, upto: int) -> Iterator[index.Rows]:
        for block in store.hashes_added(after, upto):
            compared = block.qualities >= PDQ_QUALITY
            rows = np.empty(int(compared.sum()), RECORD)
            rows["content"] = block.contents[compared]
            rows["words"] = np.ascontiguousarray(block.hashes[compared]).view("<u8")
            yield rows

    found = index.mirrored(store.url, index.Source(PDQ, RECORD, store.hash_generation, added), note)
    if found is None:
        return None
    rows, _ = found
    words = np.ascontiguousarray(rows["words"].T, dtype=np.uint64)
    return HashTable(rows["content"].copy(), words[None])
