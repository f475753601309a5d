"""Finds stored contents whose hashes are near those of some pictures, in the cheapest way that loses none.

Few hashes are read from the store. Of many, a local index (`moderator.search.index`) holds the upright ones of all
contents, whatever their scope, and the store tells which of those that are near are of the scope. Where many are asked
too, pairs are those of the last scan (`moderator.search.kept`), less what is gone, and those of what is new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from moderator.contracts import Fingerprint, HashBlock, Scope, Store
from moderator.policy import SearchSpec
from moderator.search import hashes, index, kept
from moderator.search.exact import Hits, closest, joined
from moderator.search.hashes import HashTable
from moderator.search.kept import Question
from moderator.search.near import INDEXED
from moderator.search.rungs import PDQ_QUALITY
from moderator.vectors import Ids

PDQ = "pdq"
"""What the index calls the hashes."""
Masks = npt.NDArray[np.bool_]
"""Two rows `[2, n]`: which contents of the index are asked, and which are searched."""
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
        self._listed: dict[Scope, Ids] = {}

    def twins(self) -> Mapping[int, int]:
        """Returns the subjects that have the pixels of an earlier one, each with the first that has them."""
        holders = self._by_pixels
        return {content: same[0] for same in holders.values() for content in same[1:]}

    def members(self, scope: Scope) -> list[int]:
        """Returns the contents of a scope."""
        members: list[int] = self._members_of(scope).tolist()
        return members

    def _members_of(self, scope: Scope) -> Ids:
        if scope not in self._listed:
            self._listed[scope] = self._store.members(scope)
        return self._listed[scope]

    def same_pixels(
        self, scope: Scope, among: Sequence[int] | None = None, skipped: Collection[int] = ()
    ) -> Iterator[tuple[int, int]]:
        """Yields the pairs (subject that is not skipped, content of `scope`, one of `among`) with identical pixels."""
        everyone = self._by_pixels
        holders = {pixels: [one for one in same if one not in skipped] for pixels, same in everyone.items()}
        wanted = None if among is None else frozenset(among)
        for other, pixels in self._with_pixels(holders, scope).items():
            if wanted is None or other in wanted:
                yield from ((content, other) for content in holders[pixels] if content != other)

    def _with_pixels(self, pixels: Collection[bytes], scope: Scope) -> Mapping[int, bytes]:
        """Returns the contents of `scope` that have these pixels; where all of its contents are subjects, as when a
        whole folder is scanned, it is known which they are."""
        holders = self._by_pixels
        if scope == "images" and frozenset(self.members(scope)) <= frozenset(self._subjects):
            return {content: one for one in pixels for content in holders[one]}
        return self._store.with_pixels(list(pixels), scope)

    def near(self, scope: Scope, among: Sequence[int] | None, cap: int, skipped: Collection[int] = ()) -> Hits:
        """Returns the pairs (subject, content of `scope`, one of `among`) with a matching hash, as `hashes.near`, of
        those that are not skipped."""
        apart = np.fromiter(skipped, np.int64, len(skipped))
        if (known := self._many) is not None:
            searched = self._members_of(scope) if among is None else np.intersect1d(self._members_of(scope), among)
            both = [np.isin(known.contents, one) for one in (self._subjects, searched)]
            return self._near_many(known, np.stack(both) & ~np.isin(known.contents, apart), f"{scope} {cap}", cap)
        table = self._asked.hashes
        if self._known is None:
            others = hashes.table(self._store.hashes(scope, among), 1)
        else:
            others = self._known[self._members(table, self._known, scope, among)]
        table, others = (one[~np.isin(one.contents, apart)] for one in (table, others))
        return hashes.near(table, others, cap)

    def _near_many(self, known: HashTable, now: Masks, how: str, cap: int) -> Hits:
        """Returns the pairs of rows of the index that are asked with those that are stored, `now[0]` and `now[1]`."""
        question = Question(PDQ, how, len(known), lambda rows: _digest(known, rows))
        found = kept.read(self._store.url, question)
        before, hits = np.zeros_like(now), joined([])
        if found is not None:
            then = np.unpackbits(np.frombuffer(found.among, np.uint8).reshape(2, -1), axis=1, count=found.rows)
            before[:, : found.rows] = then.astype(bool)
            if (now == before).all():
                return found.hits
            lost = (before[1] & ~now[1]).any() and _cut_short(found.hits, cap)
            if lost or (now & ~before).sum() > kept.NEW * now.size:
                before[:] = False
            hits = _left(found.hits, known, now & before)
        news, there = now & ~before, now & before
        for asked, stored in ((news[0], now[1]), (there[0], news[1])):
            if asked.any() and stored.any():
                turned = self._store.hashes("images", np.unique(known.contents[asked]).tolist())
                more = hashes.near(hashes.table(turned, hashes.ORIENTATIONS), known[stored], cap)
                hits = closest(joined([hits, more]), cap)
        kept.write(self._store.url, question, hits, among=np.packbits(now, axis=1).tobytes())
        return hits

    def _members(self, asked: HashTable, known: HashTable, scope: Scope, among: Sequence[int] | None) -> hashes.Mask:
        """Which rows are of the scope; where few are asked, only of those that are near one of them."""
        reached = hashes.reach(asked, known)
        if among is not None:
            reached &= np.isin(known.contents, among)
        only = None if reached.all() else np.unique(known.contents[reached]).tolist()
        return reached & np.isin(known.contents, self._store.members(scope, only))

    @property
    def plain(self) -> int:
        """How many subjects are too plain to have a hash that tells them."""
        if (known := self._many) is None:
            return self._asked.plain
        unlisted = np.setdiff1d(self._subjects, known.contents).tolist()
        return sum(_plain(one) for block in self._store.hashes("images", unlisted) for one in block.fingerprints)

    @cached_property
    def _many(self) -> HashTable | None:
        """The index, where many are asked, so that their hashes need not be read."""
        return self._known if len(self._subjects) > hashes.FEW else None

    @cached_property
    def _by_pixels(self) -> Mapping[bytes, Sequence[int]]:
        """The subjects by their pixels; where they are many, those alone whose pixels another content has."""
        if self._many is None:
            return self._asked.by_pixels
        subjects, holders = frozenset(self._subjects), dict[bytes, list[int]]()
        for content, pixels in sorted(self._store.same_pixels().items()):
            if content in subjects:
                holders.setdefault(pixels, []).append(content)
        return holders

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
                        plain += _plain(fingerprint)
                yield block

        found = hashes.table(met(), hashes.ORIENTATIONS)
        return _Asked(found, holders, plain)

    @cached_property
    def _known(self) -> HashTable | None:
        return known(self._store, self._spec, self._note)


def _plain(fingerprint: Fingerprint) -> bool:
    return bool(fingerprint.pdq) and fingerprint.pdq_quality == 0


def _digest(known: HashTable, rows: int) -> str:
    digest = hashlib.sha256()
    for part in (known.contents[:rows], known.words[..., :rows]):
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _cut_short(hits: Hits, cap: int) -> bool:
    """Whether some picture has more pairs than those that are told: where one of these has gone, another follows."""
    return bool(np.unique(hits.contents, return_counts=True)[1].max(initial=0) >= cap)


def _left(hits: Hits, known: HashTable, there: Masks) -> Hits:
    """Returns the pairs of rows that are asked with rows that are stored."""
    asked, stored = (known.contents[one] for one in there)
    chosen = np.isin(hits.contents, asked) & np.isin(hits.others, stored)
    return Hits(hits.contents[chosen], hits.others[chosen], hits.scores[chosen])


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
