"""Recolours a thing in a picture, or a part of it: a variant, which no detector may take for a copy."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from moderator.search.verify.photometry import largest

LEAST, MOST = 0.08, 0.75
"""Share of the picture that the thing must cover."""
PARTS, SMALLEST, SOLID = 4, 0.04, 0.6
"""Colours of a thing, one of which may be a part, as a shirt on a person; the least share of the picture that a part
covers, and of its convex hull: what is ragged is no part but texture."""
APART = 22.0
"""Least distance of the new colour from the old one, in the a and b of 8-bit CIELAB."""
LIGHTER = 45.0
"""The same of lightness, where that alone changes: black for grey. Only of a part: of a whole thing it is an edit."""
SEEN = 35.0
"""Least mean distance of the new red, green and blue from the old: of two that are dark, no one sees which is which."""

Mask = npt.NDArray[np.bool_]
Lab = npt.NDArray[np.float32]


def recoloured(picture: Image.Image, random: np.random.Generator) -> Image.Image | None:
    """Returns the picture with what differs from its border, or a part of that, in another colour; None where nothing
    stands out."""
    lab = cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGB2LAB).astype(np.float32)
    thing = _thing(lab, random)
    if not LEAST < thing.mean() < MOST:
        return None
    part = _part(lab, thing, random) if random.random() < 0.6 else None
    if part is not None:
        thing = part
    mean = lab[thing].mean(axis=0)
    target = _colour(mean, random, lighter=part is not None)
    soft = cv2.GaussianBlur(thing.astype(np.float32), (0, 0), 1.5)[..., None]
    changed = (lab - mean) * (random.uniform(0.8, 1.1), 0.5, 0.5) + target
    mixed = (lab * (1 - soft) + changed * soft).clip(0, 255).astype(np.uint8)
    after = cv2.cvtColor(mixed, cv2.COLOR_LAB2RGB)
    away = np.linalg.norm(after[thing].astype(np.float32) - np.asarray(picture)[thing], axis=1)
    return Image.fromarray(after) if away.mean() > SEEN else None


def _thing(lab: Lab, random: np.random.Generator) -> Mask:
    """Returns the largest patch that differs from the border's three main colours."""
    height, width = lab.shape[:2]
    edge = max(2, min(height, width) // 20)
    border = np.concatenate([part.reshape(-1, 3) for part in (lab[:edge], lab[-edge:], lab[:, :edge], lab[:, -edge:])])
    away = np.min([np.linalg.norm(lab - centre, axis=2) for centre in _main(border, 3)], axis=0)
    return _closed(cv2.GaussianBlur(away, (0, 0), min(height, width) / 100) > random.uniform(14, 24))


def _part(lab: Lab, thing: Mask, random: np.random.Generator) -> Mask | None:
    """Returns the largest patch of one of the thing's main colours; None where that is small or ragged."""
    centres = _main(lab[thing], PARTS)
    nearest = np.argmin([np.linalg.norm(lab - centre, axis=2) for centre in centres], axis=0)
    part = _closed(thing & (nearest == random.integers(PARTS)))
    if part.mean() < SMALLEST:
        return None
    hull = cv2.convexHull(np.argwhere(part).astype(np.int32))
    return part if part.sum() > SOLID * cv2.contourArea(hull) else None


def _main(colours: Lab, count: int) -> npt.NDArray[np.float32]:
    """Returns the main colours of some pixels."""
    cv2.setRNGSeed(1)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    sample = colours[::7].copy()
    _, _, centres = cv2.kmeans(sample, count, None, criteria, 2, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    return np.asarray(centres, dtype=np.float32)


def _closed(mask: Mask) -> Mask:
    """Returns the largest connected patch, small gaps closed."""
    size = max(3, mask.shape[1] // 40) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return largest(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel).astype(np.bool_))


def _colour(
    mean: npt.NDArray[np.float32], random: np.random.Generator, *, lighter: bool
) -> npt.NDArray[np.float64]:
    """Returns a colour clearly apart from `mean`, often of the same lightness, or, if `lighter`, of another lightness
    alone."""
    if lighter and random.random() < 0.25:
        levels = random.uniform(25, 235, 20)
        return np.array([levels[np.argmax(np.abs(levels - mean[0]) > LIGHTER)], *mean[1:]])
    while True:
        target = np.array([random.uniform(40, 215), random.uniform(88, 178), random.uniform(80, 190)])
        if np.linalg.norm((target - mean)[1:]) > APART:
            if random.random() < 0.4:
                target[0] = mean[0] + random.uniform(-15, 15)
            return target
