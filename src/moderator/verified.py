"""Verifications kept in the store, so that two pictures that have not changed are verified once and for all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from importlib.resources import files
from typing import Any

from moderator.contracts import Store
from moderator.models import Region
from moderator.search.verify import Verification
from moderator.search.verify.features import NAME

VERSION = 15
"""Raised when geometry or photometry change what they tell, so that kept verifications are not used again."""

Pair = tuple[int, int]
ViewPair = tuple[str, str]
"""The view of each of two contents that is closest to the other."""
Book = dict[str, Any]
"""Verifications of one content, by the key of the pair."""
HELD = 1000
"""Contents whose books are held in memory from one question to the next."""


class KeptVerifications:
    """Reads and keeps verifications by the bytes of both pictures.

    A pair stands with one of its contents, under a digest of both: when the other one is a reference that is removed,
    nothing tells any more which it was. It is the one with the fewer pairs, so that no book grows with a crowd.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._books: dict[int, Book] = {}
        self._digests: dict[int, bytes] = {}

    @cached_property
    def _name(self) -> str:
        model = files("moderator.search.verify").joinpath("probability.json").read_bytes()
        return f"verified {VERSION} {NAME} {hashlib.sha256(model).hexdigest()[:8]}"

    def of(self, pairs: Mapping[Pair, ViewPair]) -> dict[Pair, Verification | None]:
        """Returns what was kept of these pairs, seen in these views."""
        self._load(pairs)
        found: dict[Pair, Verification | None] = {}
        for pair, views in pairs.items():
            key = self._key(pair, views)
            if kept := next((self._books[one][key] for one in pair if key in self._books[one]), None):
                found[pair] = _read(kept)
        return found

    def keep(self, told: Mapping[Pair, Verification], views: Mapping[Pair, ViewPair]) -> None:
        """Keeps verifications of pairs that `of` was asked for before."""
        written = set()
        for pair, one in told.items():
            thinner = min(pair, key=lambda content: len(self._books[content]))
            self._books[thinner][self._key(pair, views[pair])] = asdict(one)
            written.add(thinner)
        books = {one: json.dumps(self._books[one], separators=(",", ":")).encode() for one in written}
        if books:
            self._store.write_features(self._name, books)

    def _load(self, pairs: Mapping[Pair, ViewPair]) -> None:
        if len(self._books) > HELD:
            self._books.clear()
            self._digests.clear()
        missing = [one for one in dict.fromkeys(one for pair in pairs for one in pair) if one not in self._books]
        stored = self._store.features(self._name, missing)
        self._books.update({one: json.loads(stored.get(one, b"{}")) for one in missing})
        for block in self._store.hashes("all", missing):
            sums = [fingerprint.sha256 for fingerprint in block.fingerprints]
            self._digests.update(zip(block.contents.tolist(), sums, strict=True))

    def _key(self, pair: Pair, views: Sequence[str]) -> str:
        both = b"".join(self._digests[one] for one in pair) + "\0".join(views).encode()
        return hashlib.sha256(both).hexdigest()[:32]


def _read(kept: Any) -> Verification:
    region = kept["region"]
    if region is not None:
        corners = {side: tuple((x, y) for x, y in region[side]) for side in ("image", "match")}
        region = Region(**{**region, **corners})
    return Verification(kept["copy"], kept["variant"], region, kept["note"], kept["misfit"])
