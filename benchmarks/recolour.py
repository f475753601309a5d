"""Recolours the thing in the middle of a picture: a variant, which no detector may take for a copy."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

LEAST, MOST = 0.08, 0.75
"""Share of the picture that the thing must cover."""
APART = 22.0
"""Least distance of the new colour from the old one, in the a and b of 8-bit CIELAB."""


def recoloured(picture: Image.Image, random: np.random.Generator) -> Image.Image | None:
    """Returns the picture with what differs from its border in another colour; None where nothing stands out."""
    lab = cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGB2LAB).astype(np.float32)
    thing = _thing(lab, random)
    if not LEAST < thing.mean() < MOST:
        return None
    mean = lab[thing].mean(axis=0)
    target = _colour(mean, random)
    soft = cv2.GaussianBlur(thing.astype(np.float32), (0, 0), 1.5)[..., None]
    changed = (lab - mean) * (random.uniform(0.8, 1.1), 0.5, 0.5) + target
    mixed = (lab * (1 - soft) + changed * soft).clip(0, 255).astype(np.uint8)
    return Image.fromarray(cv2.cvtColor(mixed, cv2.COLOR_LAB2RGB))


def _thing(lab: npt.NDArray[np.float32], random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Returns the largest patch that differs from the border's three main colours."""
    height, width = lab.shape[:2]
    edge = max(2, min(height, width) // 20)
    border = np.concatenate([part.reshape(-1, 3) for part in (lab[:edge], lab[-edge:], lab[:, :edge], lab[:, -edge:])])
    cv2.setRNGSeed(1)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    _, _, centres = cv2.kmeans(border[::7].copy(), 3, None, criteria, 2, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    away = np.min([np.linalg.norm(lab - centre, axis=2) for centre in centres], axis=0)
    mask = (cv2.GaussianBlur(away, (0, 0), min(height, width) / 100) > random.uniform(14, 24)).astype(np.uint8)
    size = max(3, width // 40) | 1
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    count, labels, found, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return np.zeros(mask.shape, dtype=bool)
    thing: npt.NDArray[np.bool_] = labels == 1 + found[1:, cv2.CC_STAT_AREA].argmax()
    return thing


def _colour(mean: npt.NDArray[np.float32], random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Returns a colour clearly apart from `mean`, often of the same lightness."""
    while True:
        target = np.array([random.uniform(40, 215), random.uniform(88, 178), random.uniform(80, 190)])
        if np.linalg.norm((target - mean)[1:]) > APART:
            if random.random() < 0.4:
                target[0] = mean[0] + random.uniform(-15, 15)
            return target
