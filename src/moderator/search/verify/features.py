"""Local features of one picture: what verification needs of it, and all that is stored of a reference.

Keypoints and descriptors are SIFT (Lowe, IJCV 2004) as OpenCV computes it, in RootSIFT form (Arandjelović and
Zisserman, CVPR 2012): unit vectors whose dot product compares histograms.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from moderator.errors import EnvironmentFault, VectorError
from moderator.models import Preprocessing

SIDE = 480
"""Pictures are shrunk to this many pixels on the longer side; none is enlarged."""
KEYPOINTS = 600
"""Most keypoints of one picture."""
FOUND = 1500
"""Most that are chosen from, those of the highest contrast."""
CELLS = 6
"""The clearest keypoint of each of CELLS x CELLS parts of the picture is chosen, then the next of each, and so on: else
a text laid over a picture would take them all. (Of 48 pictures with a text over them, 62% had fewer than ten keypoints
that agree with the original, and so chosen none.)"""
CONTRASTS = (0.024, 0.01)
"""Least contrasts of keypoints: the second where the first finds fewer than `FEW`. (OpenCV rounds half of it, over the
layers of an octave, to a level: below .0236 to none, so that every extremum is refined, which takes as long again.)"""
FEW = 200
"""Keypoints that are enough without the second."""
NAME = f"sift-{SIDE}-{KEYPOINTS}-3"
"""Names how features were made; those made another way are made anew."""
PREPARED = Preprocessing(SIDE, SIDE, "contain")
"""How a decoding worker prepares a picture for `extract`."""
GRID = 8
"""Coarse tones are means over GRID x GRID blocks: too few to see a picture in."""
KEPT = 4
"""Smaller sizes of one picture that are kept in memory."""
SMALL = 32
"""Side of the picture by which whole pictures are compared, in pixels."""
THUMBNAIL = 160
"""Longer side, in pixels, of a thumbnail that a policy may allow to be kept."""

_SCALE = 400.0
"""RootSIFT elements are stored as bytes, times this: the largest that occur are near .6."""
_HEADER = struct.Struct("<HHHHH")

Pixels = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]
Descriptors = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Features:
    """What verification knows of one picture.

    Attributes:
        width, height: of the working picture, in pixels; points and regions are in its coordinates.
        points: float32 `[n, 2]`, x and y of each keypoint.
        descriptors: uint8 `[n, 128]`, RootSIFT times 400.
        tones: uint8 `[8, 8, 3]`, mean RGB of coarse blocks.
        pixels: uint8 RGB `[height, width, 3]`; None where only what is stored is known.
        thumbnail: whether the pixels are those of an enlarged thumbnail.
    """

    width: int
    height: int
    points: Points
    descriptors: Descriptors
    tones: npt.NDArray[np.uint8]
    pixels: Pixels | None = None
    thumbnail: bool = False

    @cached_property
    def small(self) -> npt.NDArray[np.float64] | None:
        """The picture as `SMALL` x `SMALL` grey levels, of mean 0 and deviation 1; None without pixels."""
        if self.pixels is None:
            return None
        grey = self.grey(SMALL)
        normal: npt.NDArray[np.float64] = (grey - grey.mean()) / max(float(grey.std()), 1.0)
        return normal

    @cached_property
    def grey(self) -> Callable[[int], Pixels]:
        """Returns the picture, which must have its pixels, as `side` x `side` grey levels, whatever its shape."""
        cv2, pixels = opencv(), self.pixels
        return cache(
            lambda side: cv2.resize(
                cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA
            )
        )

    @cached_property
    def shrunk(self) -> Callable[[tuple[int, int]], Pixels]:
        """Returns the pixels at a smaller size (width, height); the latest are kept, as many pairs ask for the same."""
        cv2, pixels = opencv(), self.pixels
        return lru_cache(KEPT)(lambda size: cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))

    def pack(self, *, thumbnail: bool = False) -> bytes:
        """Returns what is stored: everything but the pixels, some 80 kB; with `thumbnail` a small picture too."""
        small = _shrunk(self.pixels) if thumbnail and self.pixels is not None else np.empty((0, 0, 3), np.uint8)
        return b"".join(
            (
                _HEADER.pack(self.width, self.height, len(self.points), *small.shape[:2]),
                np.rint(self.points * 16).astype("<u2").tobytes(),
                self.descriptors.tobytes(),
                self.tones.tobytes(),
                small.tobytes(),
            )
        )

    def with_pixels(self, pixels: Pixels | None) -> Features:
        """Returns the same with pixels, or without."""
        return replace(self, pixels=pixels, thumbnail=False)


def unpack(packed: bytes) -> Features:
    """Returns what `Features.pack` wrote; a thumbnail is enlarged to the size it was made from.

    Raises:
        VectorError: it is cut short or too long.
    """
    body = np.frombuffer(packed, dtype=np.uint8)
    try:
        width, height, count, rows, columns = _HEADER.unpack_from(packed)
        ends = np.cumsum([_HEADER.size, count * 4, count * 128, GRID * GRID * 3, rows * columns * 3])
        if len(packed) != ends[-1]:
            raise VectorError(f"stored local features have {len(packed)} bytes instead of {ends[-1]}")
    except struct.error as error:
        raise VectorError(f"stored local features are cut short at {len(packed)} bytes") from error
    points, descriptors, tones, small = (body[start:end] for start, end in pairwise(ends))
    return Features(
        width,
        height,
        np.frombuffer(points.tobytes(), dtype="<u2").reshape(-1, 2).astype(np.float32) / np.float32(16),
        descriptors.reshape(-1, 128),
        tones.reshape(GRID, GRID, 3),
        _enlarged(small.reshape(rows, columns, 3), width, height) if rows and columns else None,
        thumbnail=bool(rows and columns),
    )


def _shrunk(pixels: Pixels) -> Pixels:
    factor = min(1.0, THUMBNAIL / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    small: Pixels = opencv().resize(pixels, size, interpolation=opencv().INTER_AREA)
    return small


def _enlarged(small: Pixels, width: int, height: int) -> Pixels:
    large: Pixels = opencv().resize(small, (width, height), interpolation=opencv().INTER_CUBIC)
    return large


def extract(pixels: Pixels) -> Features:
    """Returns the local features of a picture prepared as `PREPARED`, uint8 RGB `[height, width, 3]`.

    Raises:
        EnvironmentFault: OpenCV is not installed.
    """
    cv2 = opencv()
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    found, raw = _detected(grey)
    height, width = grey.shape
    tones = cv2.resize(pixels, (GRID, GRID), interpolation=cv2.INTER_AREA)
    if raw is None or not found:
        nothing = np.empty((0, 2), np.float32)
        return Features(width, height, nothing, np.empty((0, 128), np.uint8), tones, pixels)
    chosen = _spread(found, width, height)
    points = np.maximum(np.array([found[place].pt for place in chosen]), 0).astype(np.float32)
    raw = raw[chosen]
    rooted = np.sqrt(raw / np.maximum(raw.sum(axis=1, keepdims=True), 1e-6))
    return Features(width, height, points, np.rint(rooted * _SCALE).clip(0, 255).astype(np.uint8), tones, pixels)


def mirrored(descriptors: Descriptors) -> Descriptors:
    """Returns the descriptors that the mirrored picture has, without looking at it.

    A descriptor is 4 x 4 cells of 8 directions, turned to the keypoint's own direction; a mirror exchanges the cells
    across that direction and turns the directions round. (Of 588 keypoints found in a mirrored picture too, elements
    worked out in this way were off by .07 of 255 on average.)
    """
    cells = descriptors.reshape(-1, 4, 4, 8)[:, ::-1]
    return np.ascontiguousarray(cells[..., [0, 7, 6, 5, 4, 3, 2, 1]]).reshape(-1, 128)


def opencv() -> Any:
    """Returns the module cv2. Raises: EnvironmentFault where it is not installed."""
    try:
        import cv2
    except ImportError as error:
        raise EnvironmentFault(
            "verification needs OpenCV, which is not installed",
            hint="pip install opencv-python-headless, or set `verify: false` in the policy",
        ) from error
    return cv2


def _detected(grey: Pixels) -> tuple[Any, Any]:
    """Returns the keypoints of the highest contrast, at most some `FOUND`, and their SIFT descriptors."""
    for contrast in CONTRASTS:
        found, raw = _sift(contrast).detectAndCompute(grey, None)
        if len(found) >= FEW:
            break
    return found, raw


def _spread(found: Any, width: int, height: int) -> npt.NDArray[np.int64]:
    """Returns the places of the keypoints that are kept; see `CELLS`."""
    response = np.array([one.response for one in found])
    at = (np.array([one.pt for one in found]) * CELLS / (width, height)).astype(int).clip(0, CELLS - 1)
    cell = at[:, 1] * CELLS + at[:, 0]
    order = np.lexsort((-response, cell))
    turn = np.empty(len(order), dtype=np.int64)
    starts = np.searchsorted(cell[order], cell[order])
    turn[order] = np.arange(len(order)) - starts
    return np.lexsort((-response, turn))[:KEYPOINTS]


@cache
def _sift(contrast: float) -> Any:
    return opencv().SIFT_create(
        nfeatures=FOUND, contrastThreshold=contrast, edgeThreshold=12, enable_precise_upscale=True
    )
