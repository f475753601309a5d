"""All pairs by perceptual hash in eight orientations, by bands of bits and each two. `python -m benchmarks.hashes`

The hashes are random, one in ten a copy of another with up to 31 bits changed; `--long` goes to a million.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from benchmarks.table import Row, publish, timed
from moderator.search import hashes
from moderator.search.exact import Hits
from moderator.search.hashes import ORIENTATIONS, WORDS, HashTable
from moderator.search.rungs import PDQ_BITS, PDQ_DISTANCE

SIZES, LONG_SIZES = (10_000, 40_000), (10_000, 100_000, 1_000_000)
CAP = 1_002
ASKED = 200
"""Pictures that are compared with each stored one, to be scaled to all of them."""


def made(count: int) -> HashTable:
    """Returns hashes of contents 1, 2, 3, …, in eight orientations that have nothing to do with one another."""
    random = np.random.default_rng(11)
    words = random.integers(0, 2**64, (ORIENTATIONS, WORDS, count), dtype=np.uint64)
    copies = count // 10
    flips = np.zeros((copies, PDQ_BITS), dtype=np.uint8)
    for row, bits in zip(flips, random.integers(0, PDQ_DISTANCE + 1, copies), strict=True):
        row[random.choice(PDQ_BITS, bits, replace=False)] = 1
    changed = np.packbits(flips, axis=1).view(np.uint64).T
    words[0, :, :copies] = words[0, :, copies : 2 * copies] ^ changed
    return HashTable(np.arange(1, count + 1), words)


def found(name: str, asked: HashTable, stored: HashTable, runs: int) -> tuple[Row, Hits]:
    """Times one search, and returns what it found; of few pictures each two are compared."""
    told: list[Hits] = []
    row = timed(name, len(asked), "pictures", lambda: told.append(hashes.near(asked, stored, CAP)), runs)
    return row, told[0]


def main(long: bool = "--long" in sys.argv) -> None:
    """Measures both at each size; they must find the same."""
    rows: list[Row] = []
    for count in LONG_SIZES if long else SIZES:
        asked = made(count)
        stored = HashTable(asked.contents, asked.words[:1])
        few = HashTable(asked.contents[:ASKED], np.ascontiguousarray(asked.words[:, :, :ASKED]))
        runs = 3 if count <= 10_000 else 1
        by_bands, told = found("by bands", asked, stored, runs)
        each_two, right = found(f"each two, {ASKED} pictures scaled to all", few, stored, runs)
        if not np.array_equal(right.others, told.others[told.contents <= ASKED]):
            raise RuntimeError("the two ways found different pairs")
        whole = count / ASKED
        seconds, fastest, slowest = (one * whole for one in (each_two.seconds, each_two.fastest, each_two.slowest))
        rows += [by_bands, replace(each_two, seconds=seconds, fastest=fastest, slowest=slowest, work=count)]
    publish("hashes-long" if long else "hashes", rows, f"at most {PDQ_DISTANCE} of {PDQ_BITS} bits, eight orientations")


if __name__ == "__main__":
    main()
