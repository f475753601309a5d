"""What a model's image processor declares: the size of its input, and how bytes become its numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moderator.errors import ModelError
from moderator.models import Preprocessing

_RESAMPLE: Mapping[int, Any] = {1: "lanczos", 2: "bilinear", 3: "bicubic"}
_FILES = ("preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True, slots=True)
class Processor:
    """An image processor: bytes at the model's size, times `factor`, less `mean`, over `deviation`, by channel."""

    geometry: Preprocessing
    factor: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]


def read_processor(folder: Path) -> Processor:
    """Reads the image processor's configuration in a model's folder. Raises: ModelError, it has none."""
    path = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if path is None:
        raise ModelError(f"{folder} has no {_FILES[0]}: it is no image model")
    config = read_json(path)
    config = config.get("image_processor", config)
    factor = config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1.0
    normalises = config.get("do_normalize", True)
    mean = config.get("image_mean", (0.0,) * 3) if normalises else (0.0,) * 3
    deviation = config.get("image_std", (1.0,) * 3) if normalises else (1.0,) * 3
    return Processor(_declared(config), factor, tuple(mean), tuple(deviation))


def _declared(config: Mapping[str, Any]) -> Preprocessing:
    """Returns the geometry that an image processor's configuration declares; one not understood is left to the
    processor itself, on a picture of at most 1,024 pixels a side."""
    size, crop = config.get("size", {}), config.get("crop_size", {})
    short = size.get("shortest_edge") if isinstance(size, dict) else size
    side = crop.get("height") if isinstance(crop, dict) else crop
    resample = _RESAMPLE.get(config.get("resample", 3))
    if config.get("do_center_crop", True) and short and side == short and resample:
        return Preprocessing(int(side), int(side), "crop", resample)
    if isinstance(size, dict) and size.get("height") and not config.get("do_center_crop") and resample:
        return Preprocessing(int(size["width"]), int(size["height"]), "squash", resample)
    return Preprocessing(1024, 1024, "contain", "bicubic")


def read_json(path: Path) -> Any:
    """Reads a model's JSON file. Raises: ModelError with its path."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
