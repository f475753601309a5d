"""Perceptual hashes compared bit by bit: the eight orientations of some pictures against every stored upright one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moderator.contracts import Fingerprint, HashBlock
from moderator.search.codes import each
from moderator.search.exact import Hits, closest, joined
from moderator.search.rungs import PDQ_BITS, PDQ_DISTANCE, PDQ_QUALITY
from moderator.vectors import Ids

ORIENTATIONS, WORDS = 8, PDQ_BITS // 64
ROWS = 65_536
"""Stored hashes compared at once, 2 MiB: they stay in the cache for all pictures that are asked."""

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class HashTable:
    """PDQ hashes of contents that have one and are not flat: int64 ids `[n]` and uint64 `[orientations, 4, n]`."""

    contents: Ids
    words: Words


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
    found: list[Hits] = []

    def block(start: int) -> None:
        words = stored.words[0, :, start : start + ROWS]
        ids = stored.contents[start : start + ROWS]
        hits = [_hits(int(content), asked.words[:, :, row], ids, words) for row, content in enumerate(asked.contents)]
        if some := [one for one in hits if len(one.contents)]:
            found.append(closest(joined(some), cap))

    each(block, range(0, len(stored.contents), ROWS))
    return closest(joined(found), cap)


def _hits(content: int, turned: Words, ids: Ids, words: Words) -> Hits:
    """The pairs of one picture, of words `[8, 4]`, with stored words `[4, n]`."""
    if not len(ids):
        return Hits(ids, ids, np.empty(0, dtype=np.float32))
    fewest = np.full(len(ids), 255, dtype=np.uint8)
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
    places, bits = places[bits <= PDQ_DISTANCE], bits[bits <= PDQ_DISTANCE]
    scores = (1.0 - 2.0 * bits / PDQ_BITS).astype(np.float32)
    return Hits(np.full(len(places), content, dtype=np.int64), ids[places], scores)
