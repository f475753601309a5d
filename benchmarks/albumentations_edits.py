"""The edits of Albumentations, each as strong as it is by default; `augment.py` asks for them where that is installed.

Left out are those that make other colours (another hue, a negative), which are variants here, those that leave
next to nothing as it was (channels dropped, tiles shuffled), and those that need more than a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import albumentations as library
import numpy as np
from PIL import Image

NAMES = (
    "AdditiveNoise", "AdvancedBlur", "AutoContrast", "Blur", "CLAHE", "ChromaticAberration", "CoarseDropout",
    "Defocus", "Downscale", "ElasticTransform", "Emboss", "Equalize", "Erasing", "FancyPCA",
    "GaussNoise", "GlassBlur", "GridDistortion", "HorizontalFlip", "ISONoise", "Illumination",
    "ImageCompression", "MedianBlur", "MotionBlur", "MultiplicativeNoise", "OpticalDistortion", "Perspective",
    "PiecewiseAffine", "PixelDropout", "PlanckianJitter", "PlasmaBrightnessContrast", "PlasmaShadow", "Posterize",
    "RGBShift", "RandomBrightnessContrast", "RandomFog", "RandomGamma", "RandomGravel", "RandomRain", "RandomRotate90",
    "RandomShadow", "RandomSnow", "RandomSunFlare", "RandomToneCurve", "RingingOvershoot", "SafeRotate",
    "SaltAndPepper", "Sharpen", "ShiftScaleRotate", "ShotNoise", "Spatter", "Superpixels", "ThinPlateSpline", "ToGray",
    "ToSepia", "Transpose", "UnsharpMask", "VerticalFlip", "ZoomBlur",
)  # fmt: skip


def edit(name: str) -> Callable[[Any, Random, list[Any]], Any]:
    """Returns one of its edits, as a function of a picture, random numbers, and other pictures."""

    def change(picture: Any, random: Random, _: list[Any]) -> Any:
        alone = library.Compose([getattr(library, name)(p=1.0)], seed=random.randrange(1 << 30))
        return Image.fromarray(alone(image=np.asarray(picture))["image"])

    return change


BATTERY: Mapping[str, Callable[[Any, Random, list[Any]], Any]] = {name: edit(name) for name in NAMES}
