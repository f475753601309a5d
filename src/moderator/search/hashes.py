"""Perceptual hashes compared bit by bit: the eight orientations of some pictures against every stored upright one."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moderator.contracts import Fingerprint, HashBlock
from moderator.search import bands
from moderator.search.bands import Words
from moderator.search.codes import each
from moderator.search.exact import HELD, Hits, closest, joined
from moderator.search.rungs import PDQ_BITS, PDQ_DISTANCE, PDQ_QUALITY
from moderator.vectors import Ids

ORIENTATIONS, WORDS = 8, PDQ_BITS // 64
ROWS = 65_536
"""Stored hashes compared at once, 2 MiB: they stay in the cache for all pictures that are asked."""
FEW = 256
"""Up to so many pictures are compared with each stored one: sorting those takes as long."""
ABREAST = 128
"""Pictures that are looked for at once, among those that are sorted."""


Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class HashTable:
    """PDQ hashes of contents that have one and are not flat: int64 ids `[n]` and uint64 `[orientations, 4, n]`."""

    contents: Ids
    words: Words

    def __len__(self) -> int:
        return len(self.contents)

    def __getitem__(self, rows: Mask) -> HashTable:
        return HashTable(self.contents[rows], np.ascontiguousarray(self.words[:, :, rows]))


def table(blocks: Iterable[HashBlock], orientations: int) -> HashTable:
    """Gathers the first `orientations` hashes of each content; the first alone is the upright one."""
    contents: list[int] = []
    packed: list[bytes] = []
    for block in blocks:
        for content, fingerprint in zip(block.contents.tolist(), block.fingerprints, strict=True):
            if _compared(fingerprint):
                contents.append(content)
                packed.append(fingerprint.pdq[: 32 * orientations])
    words = np.frombuffer(b"".join(packed), dtype="<u8").reshape(-1, orientations, WORDS)
    return HashTable(np.array(contents, dtype=np.int64), np.ascontiguousarray(words.transpose(1, 2, 0)))


def _compared(fingerprint: Fingerprint) -> bool:
    return bool(fingerprint.pdq) and fingerprint.pdq_quality >= PDQ_QUALITY


def near(asked: HashTable, stored: HashTable, cap: int) -> Hits:
    """Returns every pair (asked, stored) that differs in at most `PDQ_DISTANCE` bits in some orientation, with at most
    `cap` of the closest for each that is asked; its score is 1 - 2d/256."""
    found = _Found(cap)
    if len(stored) <= FEW < len(asked):
        each(lambda row: _each_turned(asked, stored, row, found), range(len(stored)))
    elif len(asked) <= FEW:
        each(lambda start: _each_two(asked, stored, start, found), range(0, len(stored), ROWS))
    else:
        for band in bands.cut(len(stored), PDQ_DISTANCE):
            rows = bands.Table(stored.words[0], band)
            each(lambda start, rows=rows: _by_band(asked, stored, start, rows, found), range(0, len(asked), ABREAST))  # type: ignore[misc]
    return found.hits()


def reach(asked: HashTable, stored: HashTable) -> Mask:
    """Returns which stored ones, bool `[n]`, are in a pair of `near`."""
    reached = np.zeros(len(stored), dtype=bool)

    def block(start: int) -> None:
        for row in range(len(asked)):
            places, _ = _one(asked.words[:, :, row], stored.words[0, :, start : start + ROWS])
            reached[start + places] = True

    each(block, range(0, len(stored), ROWS))
    return reached


class _Found:
    """Hits gathered from several threads, of which the `cap` closest of each picture are kept."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._lock = threading.Lock()
        self._parts: list[Hits] = []
        self._held = 0

    def add(self, hits: Hits) -> None:
        if not len(hits.contents):
            return
        with self._lock:
            self._parts.append(hits)
            self._held += len(hits.contents)
            if self._held > HELD:
                self._parts = [closest(joined(self._parts), self._cap)]
                self._held = 0

    def hits(self) -> Hits:
        return closest(joined(self._parts), self._cap)


def _hits(contents: Ids, others: Ids, bits: Ids) -> Hits:
    return Hits(contents, others, (1.0 - 2.0 * bits / PDQ_BITS).astype(np.float32))


def _by_band(asked: HashTable, stored: HashTable, start: int, rows: bands.Table, found: _Found) -> None:
    """Looks for some pictures, from one on, among rows that are sorted."""
    contents = asked.contents[start : start + ABREAST]
    turned = asked.words[:, :, start : start + ABREAST].transpose(1, 0, 2).reshape(WORDS, -1)
    for places, others, bits in rows.near(turned, PDQ_DISTANCE):
        found.add(_hits(contents[places % len(contents)], stored.contents[others], bits))


def _each_two(asked: HashTable, stored: HashTable, start: int, found: _Found) -> None:
    """Compares all pictures with some stored ones, from one on."""
    ids = stored.contents[start : start + ROWS]
    words = stored.words[0, :, start : start + ROWS]
    for row, content in enumerate(asked.contents.tolist()):
        places, bits = _one(asked.words[:, :, row], words)
        found.add(_hits(np.full(len(places), content, dtype=np.int64), ids[places], bits))


def _each_turned(asked: HashTable, stored: HashTable, row: int, found: _Found) -> None:
    """Compares all pictures with one stored one."""
    for words in asked.words:
        places, bits = _one(stored.words[:, :, row], words)
        found.add(_hits(asked.contents[places], np.full(len(places), stored.contents[row]), bits))


def _one(turned: Words, words: Words) -> tuple[Ids, Ids]:
    """The places of words `[4, n]` near one picture, of words `[orientations, 4]`, and in how many bits they differ."""
    fewest = np.full(words.shape[1], 255, dtype=np.uint8)
    apart, count = np.empty_like(words[0]), np.empty_like(fewest)
    for hashed in turned:
        differing = np.bitwise_count(np.bitwise_xor(words[0], hashed[0], out=apart))
        for stored, own in zip(words[1:], hashed[1:], strict=True):
            if differing.min() > PDQ_DISTANCE:
                break  # more words only add to it
            np.bitwise_count(np.bitwise_xor(stored, own, out=apart), out=count)
            differing += count
        np.minimum(fewest, differing, out=fewest)
    places = np.flatnonzero(fewest <= PDQ_DISTANCE)
    # A byte counts 256 differing bits as none, so those that are close are counted once more.
    bits = np.bitwise_count(words[None, :, places] ^ turned[:, :, None]).sum(axis=1, dtype=np.int64).min(axis=0)
    close = bits <= PDQ_DISTANCE
    return places[close], bits[close]
