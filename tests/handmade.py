"""Contents, files and vectors made by hand: what a store or a search should say can be seen by eye."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np

from moderator.contracts import Entry, Fingerprint, Found, Vectors
from moderator.models import ModelId
from moderator.vectors import Matrix

INTAKE = "intake-1"
FLAT = ModelId("flat", "r1", "fp32", "by-hand-1", 2)
"""A model of two dimensions: a vector is a direction on a sheet of paper."""


def at(*degrees: float) -> Matrix:
    """Unit vectors in these directions; the similarity of two is the cosine of the angle between them."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def cosine_of(degrees: float) -> float:
    return math.cos(math.radians(degrees))


def digest(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()


def fingerprint(name: str, *, pixels: str | None = None, pdq: bytes = b"", quality: int = 100) -> Fingerprint:
    """A judged picture: two of one `name` have the same bytes, two of one `pixels` the same pixels."""
    return Fingerprint(
        sha256=digest(name),
        size=len(name),
        format="PNG",
        width=40,
        height=30,
        frames=1,
        pixels=digest(f"pixels of {pixels or name}"),
        pdq=pdq,
        pdq_quality=quality if pdq else 0,
    )


def rejected(name: str) -> Fingerprint:
    return Fingerprint(
        digest(name), len(name), "PNG", 0, 0, 0, state="rejected", code="undecodable", reason="torn"
    )


def turned(*hashes: bytes) -> bytes:
    """Eight PDQ hashes, one an orientation: those given, then ones that are far from everything."""
    far = [hashlib.sha256(b"".join(hashes) + bytes([index])).digest() for index in range(8 - len(hashes))]
    return b"".join([*hashes, *far])


def flipped(hashed: bytes, bits: int) -> bytes:
    """A hash in which `bits` bits differ."""
    return (int.from_bytes(hashed) ^ ((1 << bits) - 1)).to_bytes(len(hashed))


def found(path: str, **metadata: str) -> Found:
    return Found(path, path, size=100, mtime_ns=1_700_000_000_000_000_000, metadata=metadata)


def vectors(matrix: Matrix, model: ModelId = FLAT, views: Sequence[str] | None = None) -> Vectors:
    names = ["whole", *(f"frame {index}" for index in range(1, len(matrix)))]
    return Vectors(model, tuple(views or names), matrix)


def entry(path: str, *matrices: Matrix | Vectors, of: str = "", **metadata: str) -> Entry:
    """A picture at `path` that holds the content `of` (its own where left out), with its vectors."""
    made = tuple(one if isinstance(one, Vectors) else vectors(one) for one in matrices)
    return Entry(found(path, **metadata), fingerprint(of or path), made)
