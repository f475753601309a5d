"""Bit planes: cosine similarity in plain SQL by counting bits, with a bound on its error that loses nothing.

A vector is rotated by a fixed orthogonal matrix, which spreads a few huge dimensions (CLIP has some) over all, and
each coordinate y is coded as an integer c of a few bits, y ≈ low + step * c. The dot product of two such vectors is
low * A + step * (B * Σ c + G * Σ c k) with numbers A, B, G of the query alone, and Σ c k is Σ 2^(i+j) * (the bits that
plane i of the codes and plane j of the query share). RaBitQ (Gao and Long, SIGMOD 2024) is where the idea comes from.

Planes i and j with one i + j weigh the same, so the planes are stored side by side as one string, and the query is
asked as one string for each sum: nine BIT_COUNTs for 4 and 6 bits, not twenty-four.

The bound is the triangle inequality of angles. With `slack` the angle between a vector and its decoded codes, both
sides together move the angle between two vectors by at most the sum of their slacks, whatever the vectors are.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from moderator.vectors import Matrix

STORED_BITS = 4
QUERY_BITS = 6
ROUNDS = 3
"""Of signs and Hadamard transforms; three serve as a random rotation (Yu et al., Orthogonal Random Features, 2016)."""
STEPS = {STORED_BITS: 0.3352, QUERY_BITS: 0.1041}
"""The best step of 16 and 64 equal levels for normal values, in their standard deviation (Max, Quantizing for Minimum
Distortion, 1960, table II). Coordinates after a rotation are about normal; where they are not, the slack is larger."""
MARGIN = 1e-6
"""Radians added to each slack, far above what float64 loses by rounding (1e-15 in a cosine)."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Codes:
    """Quantised vectors, one a row; decoded and rotated back they have length 1.

    Attributes:
        planes: uint8 `[n, bits * width / 8]`, the planes side by side, the one of the lowest bit first.
        low, step: float64 `[n]`: coordinate = low + step * code.
        total: int64 `[n]`, the sum of a row's codes.
        slack: float64 `[n]`, radians: at most so far is the decoded vector from the true one.
    """

    planes: npt.NDArray[np.uint8]
    low: Floats
    step: Floats
    total: npt.NDArray[np.int64]
    slack: Floats


@dataclass(frozen=True, slots=True)
class Question:
    """A query as numbers and strings of bits for one SQL expression.

    Attributes:
        base: times `low`, the part of the dot product without codes.
        per_code: times `step` and the sum of codes.
        weights: times `step` and the count of bits that `masks` share with the planes.
        slack: radians, as of `Codes`.
    """

    base: float
    per_code: float
    weights: tuple[float, ...]
    masks: tuple[bytes, ...]
    slack: float


@lru_cache(maxsize=8)
def rotation(seed: bytes, dimension: int) -> Floats:
    """Returns an orthogonal matrix, float64 `[width, dimension]`, with `width` the next multiple of 8.

    It is the same on every machine and with every numpy: signs come from SHAKE-256 of the seed, and only additions and
    one division are done with them. Each round flips signs and mixes the first 2^k coordinates, then the last.
    """
    width = -(-dimension // 8) * 8
    block = 1 << (width.bit_length() - 1)
    starts = (0,) if block == width else (0, width - block)
    stream = np.frombuffer(hashlib.shake_256(seed).digest(ROUNDS * len(starts) * width // 8), dtype=np.uint8)
    signs = 1.0 - 2.0 * np.unpackbits(stream).reshape(-1, width, 1)
    matrix = np.eye(width, dimension)
    for turn in range(ROUNDS * len(starts)):
        matrix *= signs[turn]
        start = starts[turn % len(starts)]
        matrix[start : start + block] = _hadamard(matrix[start : start + block]) / math.sqrt(block)
    matrix.setflags(write=False)
    return matrix


def _hadamard(rows: Floats) -> Floats:
    """The Walsh-Hadamard transform of each column; the number of rows is a power of two."""
    half = 1
    while half < len(rows):
        pairs = rows.reshape(-1, 2, half, rows.shape[1])
        rows = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1).reshape(rows.shape)
        half *= 2
    return rows


def encode(matrix: Matrix, seed: bytes) -> Codes:
    """Codes vectors `[n, dimension]`, of any length but zero, to be stored beside them."""
    codes, low, step, slack = _quantise(matrix, seed, STORED_BITS)
    planes = _planes(codes, STORED_BITS).reshape(len(matrix), -1)
    return Codes(planes, low, step, codes.sum(axis=1, dtype=np.int64), slack)


def question(vector: npt.NDArray[np.float32], seed: bytes) -> Question:
    """Codes one vector `[dimension]` to be asked for."""
    codes, (low,), (step,), (slack,) = _quantise(vector[None], seed, QUERY_BITS)
    planes = _planes(codes, QUERY_BITS)[0]
    nothing = np.zeros_like(planes[0])
    sums = range(STORED_BITS + QUERY_BITS - 1)
    masks = [
        b"".join(
            (planes[total - plane] if 0 <= total - plane < QUERY_BITS else nothing).tobytes()
            for plane in range(STORED_BITS)
        )
        for total in sums
    ]
    base = codes.shape[1] * low + step * codes.sum(dtype=np.int64)
    weights = tuple(float(step * 2**total) for total in sums)
    return Question(float(base), float(low), weights, tuple(masks), float(slack))


def _quantise(matrix: Matrix, seed: bytes, bits: int) -> tuple[npt.NDArray[np.uint8], Floats, Floats, Floats]:
    """Returns codes `[n, width]`, low, step and slack `[n]`.

    After rounding, low and step are those of the line low + step * code that fits the row best (least squares).
    """
    turned = matrix.astype(np.float64) @ rotation(seed, matrix.shape[1]).T
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    mean = turned.mean(axis=1, keepdims=True)
    deviation = turned.std(axis=1, keepdims=True)
    scale = np.divide(1 / STEPS[bits], deviation, out=np.zeros_like(deviation), where=deviation > 0)
    most = 2**bits - 1
    codes = np.rint((turned - mean) * scale + most / 2).clip(0, most)
    middle = codes.mean(axis=1, keepdims=True)
    spread = codes - middle
    square = np.einsum("ij,ij->i", spread, spread)
    step = np.divide(np.einsum("ij,ij->i", spread, turned), square, out=np.zeros_like(square), where=square > 0)
    low = mean[:, 0] - step * middle[:, 0]
    decoded = low[:, None] + step[:, None] * codes
    length = np.linalg.norm(decoded, axis=1)
    apart = np.linalg.norm(turned - decoded / length[:, None], axis=1)
    slack = 2 * np.arcsin(np.minimum(apart / 2, 1.0)) + MARGIN
    return codes.astype(np.uint8), low / length, step / length, slack


def _planes(codes: npt.NDArray[np.uint8], bits: int) -> npt.NDArray[np.uint8]:
    """Returns the bits of codes `[n, width]` as uint8 `[n, bits, width / 8]`."""
    return np.stack([np.packbits(codes >> bit & 1, axis=1) for bit in range(bits)], axis=1)
