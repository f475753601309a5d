"""The rungs of the evidence ladder, strongest first: each tries two fingerprints and says how close they are.

identical bytes → identical pixels → same picture (PDQ, eight orientations) → cosine of an embedding
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from moderator import parts
from moderator.contracts import Fingerprint, VectorBlock, Vectors
from moderator.models import Evidence, Kind, ModelId
from moderator.search import exact
from moderator.vectors import Matrix

PDQ_BITS = 256
PDQ_DISTANCE = 31
"""Most differing bits of a match (ThreatExchange, pdq/README: 31 is the recommended confident match)."""
PDQ_QUALITY = 50
"""Least quality that is compared: flatter pictures collide (same source: drop quality 49 and below)."""
PDQ_THRESHOLD = 1.0 - 2.0 * PDQ_DISTANCE / PDQ_BITS
"""The same as a cosine of two hashes read as ±1: .7578."""
ORIENTATIONS = ("", ", turned 90°", ", turned 180°", ", turned 270°", *[", flipped"] * 4)
"""Words for the eight orientations, in the order of the stored hashes."""
PART = "a part of one"
"""What a rung says of a pair whose closest views are a part of one and the whole of the other."""
_INVERSE = [0, 3, 2, 1, 4, 5, 6, 7]
"""Which orientation undoes each: a quarter turn the other way, and a flip itself."""


def hash_rungs(a: Fingerprint, b: Fingerprint) -> tuple[Evidence, ...]:
    """Returns the three rungs that need no model."""
    return bytes_rung(a, b), pixels_rung(a, b), pdq_rung(a, b)


def bytes_rung(a: Fingerprint, b: Fingerprint) -> Evidence:
    """Identical files, by SHA-256."""
    same = a.sha256 == b.sha256
    return Evidence("bytes", Kind.COPY, 1.0 if same else 0.0, 1.0, "identical bytes" if same else "bytes differ")


def pixels_rung(a: Fingerprint, b: Fingerprint) -> Evidence:
    """Identical upright pixels, by SHA-256: the same picture saved anew without loss, or with other metadata."""
    if not a.pixels or not b.pixels:
        return Evidence("pixels", Kind.COPY, None, 1.0, "not known by its pixels")
    same = a.pixels == b.pixels
    return Evidence("pixels", Kind.COPY, 1.0 if same else 0.0, 1.0, "identical pixels" if same else "pixels differ")


def pdq_rung(a: Fingerprint, b: Fingerprint) -> Evidence:
    """The same picture by perceptual hash, in the closest of eight orientations; the same from either side."""
    if not a.pdq or not b.pdq:
        return Evidence("pdq", Kind.COPY, None, PDQ_THRESHOLD, "not known by its perceptual hash")
    if min(a.pdq_quality, b.pdq_quality) < PDQ_QUALITY:
        return Evidence("pdq", Kind.COPY, None, PDQ_THRESHOLD, "too flat or too regular to be told apart by its hash")
    ours = np.frombuffer(a.pdq, dtype=np.uint8).reshape(8, 32)
    theirs = np.frombuffer(b.pdq, dtype=np.uint8).reshape(8, 32)
    # The hash of a turned picture is worked out, not measured, so the two sides may tell some bits apart.
    there = np.bitwise_count(ours ^ theirs[0]).sum(axis=1)
    back = np.bitwise_count(theirs ^ ours[0]).sum(axis=1)
    distances = np.minimum(there, back[_INVERSE])
    best = int(distances.argmin())
    note = f"{distances[best]} of {PDQ_BITS} bits differ{ORIENTATIONS[best]}"
    return Evidence("pdq", Kind.COPY, 1.0 - 2.0 * int(distances[best]) / PDQ_BITS, PDQ_THRESHOLD, note)


def cosine_rung(asked: Evidence, ours: Vectors, theirs: Vectors) -> Evidence:
    """Tries a model's rung on two contents: the cosine of their closest views, and the region where one is a part."""
    # Parts count where a copy is asked for: a lookalike is one as a whole.
    score, views = closest_views(ours, theirs, whole=asked.kind is Kind.LOOKALIKE)
    if 0 < asked.threshold - score <= exact.ROUNDING:
        score = asked.threshold
    region = parts.region_of(views)
    return replace(asked, score=score, region=region, note=PART if region else asked.note)


def by_content(blocks: Iterable[VectorBlock], model: ModelId) -> Iterator[tuple[int, Vectors]]:
    """Yields each content of blocks, which are of `model`, with its vectors."""
    for block in blocks:
        for content in np.unique(block.contents).tolist():
            rows = np.flatnonzero(block.contents == content)
            yield content, Vectors(model, tuple(block.views[row] for row in rows.tolist()), block.matrix[rows])


def closest_views(ours: Vectors, theirs: Vectors, *, whole: bool = False) -> tuple[float, tuple[str, str]]:
    """Returns the cosine of the closest two views of two contents, and which they are; `whole` looks at no parts."""
    products = parts.closeness(ours.matrix @ theirs.matrix.T, ours.views, theirs.views, whole=whole)
    row, column = np.unravel_index(int(products.argmax()), products.shape)
    return float(np.clip(products[row, column], -1.0, 1.0)), (ours.views[int(row)], theirs.views[int(column)])


def pdq_rows(fingerprint: Fingerprint, orientations: int) -> Matrix:
    """Returns hashes as float32 unit vectors `[orientations, 256]` (bits as ±1/16), so that a matrix product counts
    equal bits; no row for a picture that is flat or has no hash."""
    if not fingerprint.pdq or fingerprint.pdq_quality < PDQ_QUALITY:
        return np.empty((0, PDQ_BITS), dtype=np.float32)
    packed = np.frombuffer(fingerprint.pdq, dtype=np.uint8).reshape(8, 32)[:orientations]
    bits: Matrix = np.unpackbits(packed, axis=1).astype(np.float32)
    return (bits * np.float32(2) - np.float32(1)) / np.float32(16)


def same_picture(fingerprints: Sequence[Fingerprint]) -> npt.NDArray[np.bool_]:
    """Returns bool `[n, n]`: which pairs a hash rung (pixels or PDQ) calls copies."""
    pixels = np.array([one.pixels.hex() or f"unknown {index}" for index, one in enumerate(fingerprints)])
    same: npt.NDArray[np.bool_] = pixels[:, None] == pixels[None, :]
    turned = [pdq_rows(one, 8) for one in fingerprints]
    hashed = [index for index, rows in enumerate(turned) if len(rows)]
    if hashed:
        upright = np.stack([turned[index][0] for index in hashed])
        cosines = np.stack([(turned[index] @ upright.T).max(axis=0) for index in hashed])
        close = cosines >= PDQ_THRESHOLD - 1e-6
        same[np.ix_(hashed, hashed)] |= close | close.T
    return same
