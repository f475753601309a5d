"""Pictures as verification knows them."""

from __future__ import annotations

import numpy as np
from PIL import Image

from moderator.intake.decode import prepare
from moderator.search.verify import features
from moderator.search.verify.features import Features


def local(picture: Image.Image) -> Features:
    return features.extract(np.array(prepare(picture.convert("RGB"), features.PREPARED)))
