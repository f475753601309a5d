"""Embedding vectors: normalised, packed and compared, with the dimension always checked.

A stored vector is L2-normalised little-endian float32, so that cosine similarity is a dot product.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from moderator.errors import VectorError

Matrix = npt.NDArray[np.float32]
"""float32 `[n, dimension]`, one L2-normalised vector a row."""

Ids = npt.NDArray[np.int64]
"""int64 `[n]`, the store's content ids."""

STORED = np.dtype("<f4")


def normalise(vectors: npt.ArrayLike) -> Matrix:
    """Returns the rows of `vectors` scaled to length 1, as float32 `[n, dimension]`.

    The length is taken in float64, so that a CLIP vector of length 10 keeps cosine 1 with itself.

    Raises:
        VectorError: a row holds NaN or infinity, or has length zero; such a row has no direction.
    """
    matrix = np.atleast_2d(np.asarray(vectors, dtype=np.float64))
    if matrix.ndim != 2:
        raise VectorError(f"expected vectors as [n, dimension], got shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise VectorError("the embedder returned NaN or infinity; the vector is refused")
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    if (lengths == 0).any():
        raise VectorError("the embedder returned a zero vector; it has no direction and is refused")
    scaled: Matrix = (matrix / lengths).astype(np.float32)
    return scaled


def pack(vector: npt.NDArray[np.float32]) -> bytes:
    """Returns one vector `[dimension]` as little-endian float32 bytes."""
    if vector.ndim != 1:
        raise VectorError(f"one vector is packed at a time, got shape {vector.shape}")
    return vector.astype(STORED).tobytes()


def unpack(packed: bytes, dimension: int) -> npt.NDArray[np.float32]:
    """Returns the float32 vector `[dimension]` held in `packed`.

    Raises:
        VectorError: `packed` is not `dimension` float32 numbers; it is never cut or padded.
    """
    if len(packed) != dimension * STORED.itemsize:
        raise VectorError(f"a stored vector has {len(packed)} bytes; {dimension} float32 need {dimension * 4}")
    return np.frombuffer(packed, dtype=STORED).astype(np.float32)


def unpack_rows(packed: Sequence[bytes], dimension: int) -> Matrix:
    """Returns packed vectors as float32 `[n, dimension]`; the same is refused as by `unpack`."""
    if any(len(one) != dimension * STORED.itemsize for one in packed):
        return np.stack([unpack(one, dimension) for one in packed])
    return np.frombuffer(b"".join(packed), dtype=STORED).reshape(-1, dimension).astype(np.float32, copy=False)


def cosine(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    """Returns the cosine similarity of two vectors, in [-1, 1]; higher is closer.

    Raises:
        VectorError: the dimensions differ, or a vector is zero or not finite.
    """
    if a.shape != b.shape:
        raise VectorError(f"vectors of different dimensions cannot be compared: {a.shape} and {b.shape}")
    first, second = normalise(a)[0].astype(np.float64), normalise(b)[0].astype(np.float64)
    return float(np.clip(first @ second, -1.0, 1.0))
