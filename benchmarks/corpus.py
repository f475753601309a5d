"""Vectors to search among: isotropic, the hardest for any index, one in ten of them a copy at cosine .9 to 1."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from moderator.contracts import Entry, Fingerprint, Found, Role, Store, VectorBlock, Vectors
from moderator.models import ModelId
from moderator.vectors import Matrix, normalise

DIMENSION, BLOCK, COPIES = 512, 10_000, 1_000
"""Vectors of a block, and how many of them are copies of others in it."""
MODEL = ModelId("made", "1", "fp32", "none", DIMENSION)
WRITTEN = 2_000
"""Contents written in one transaction."""


def blocks(count: int, seed: int = 5) -> Iterator[Matrix]:
    """Yields float32 `[10,000, 512]` until there are `count` rows; the last `COPIES` of each block are the copies."""
    random = np.random.default_rng(seed)
    for start in range(0, count, BLOCK):
        originals = normalise(random.standard_normal((BLOCK - COPIES, DIMENSION), dtype=np.float32))
        copied = originals[random.choice(len(originals), COPIES, replace=False)]
        away = random.standard_normal(copied.shape, dtype=np.float32)
        away = normalise(away - np.einsum("ij,ij->i", away, copied)[:, None] * copied)
        cosine = random.uniform(0.9, 1.0, (COPIES, 1))
        copies = normalise(cosine * copied + np.sqrt(1 - cosine**2) * away)
        yield np.concatenate([originals, copies])[: count - start]


def matrix(count: int, seed: int = 5) -> Matrix:
    """Returns the whole of `blocks`."""
    return np.concatenate(list(blocks(count, seed)))


def flat(file: Path) -> Any:
    """Returns faiss's exact index of the vectors in a file, filled block by block."""
    import faiss

    rows: Matrix = np.load(file, mmap_mode="r")
    index = faiss.IndexFlatIP(rows.shape[1])
    for start in range(0, len(rows), BLOCK):
        index.add(np.array(rows[start : start + BLOCK]))
    return index


def streamed(rows: Matrix, size: int = 8_192) -> list[VectorBlock]:
    """Cuts a matrix as a store streams it."""
    ids = np.arange(len(rows))
    return [
        VectorBlock(ids[at : at + size], [""] * len(rows[at : at + size]), rows[at : at + size])
        for at in range(0, len(rows), size)
    ]


def fill(store: Store, count: int, role: Role, seed: int = 5) -> list[int]:
    """Writes contents with these vectors and random hashes, as an ingest would, and returns their ids; references are
    entries of the set `banned`."""
    contents: list[int] = []
    for number, block in enumerate(blocks(count, seed)):
        contents += write(store, f"{number}", block, role)
    return contents


def write(store: Store, name: str, rows: Matrix, role: Role) -> list[int]:
    """Writes contents of a `name` with these vectors, and returns their ids."""
    random = np.random.default_rng(list(name.encode()))
    contents: list[int] = []
    for start in range(0, len(rows), WRITTEN):
        some = enumerate(rows[start : start + WRITTEN], start)
        made = [_entry(f"{name}-{place}", normalise(row)[0], random.bytes(256)) for place, row in some]
        written = store.write(made, "benchmark", role)
        if role == "reference":
            store.add_references("banned", [(content, "", "benchmark") for content in written], "benchmark")
        contents += written
    return contents


def _entry(name: str, row: Matrix, pdq: bytes) -> Entry:
    digest = hashlib.sha256(name.encode()).digest()
    found = Found(f"{name}.jpg", f"/made/{name}.jpg", 1000, 0, {})
    fingerprint = Fingerprint(digest, 1000, "JPEG", 640, 640, 1, digest, pdq, 100)
    return Entry(found, fingerprint, (Vectors(MODEL, ("whole",), row[None]),))
