"""Runs what `moderator models optimize` wrote: a CLIP's image and text towers in int8, on onnxruntime, without torch.

A folder holds `image.onnx` (input `pixels`, uint8 `[n, height, width, 3]`), `text.onnx` (inputs `input_ids` and
`attention_mask`, int64 `[1, length]`), `tokenizer.json`, and `manifest.json`, which says what they were made from, how
faithful they are, and the SHA-256 of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from moderator import machine
from moderator.embedders.session import OnnxSession
from moderator.errors import ModelError
from moderator.models import ModelId, Preprocessing
from moderator.vectors import Matrix, normalise
from moderator.wording import first_line

MANIFEST = "manifest.json"
IMAGE, TEXT, TOKENIZER = "image.onnx", "text.onnx", "tokenizer.json"
OUTPUT = "vector"
"""The output of both towers."""
_AGAIN = "run `moderator models optimize` again on this machine"


class Fidelity(BaseModel):
    """How close the int8 vectors are to the fp32 ones, on `pictures` pictures.

    `least` and `percentile` (the 1st) are cosines to the fp32 vector of the same picture; `neighbours` is the mean
    share of a picture's nearest others that are the same in both; `text` is the least cosine over a few sentences.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pictures: int
    least: float
    percentile: float
    neighbours: float
    text: float


class Manifest(BaseModel):
    """What a folder of towers was made from and by what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    revision: str
    """The revision of the weights they were made from."""
    dimension: int
    preprocessing: Preprocessing
    reduced: bool
    """Whether weights have 7 bits, for processors that would overflow."""
    longest: int
    """Tokens of the longest text; longer ones are cut."""
    together: int = 1
    """Pictures that one call may take, each embedded by itself; forms made before that was possible take one."""
    fidelity: Fidelity | None = None
    """None only while they are being proved."""
    files: Mapping[str, str]
    made_with: Mapping[str, str]


class Towers:
    """The two towers in one folder. Each is loaded at first use."""

    def __init__(self, folder: Path, manifest: Manifest | None = None) -> None:
        self.folder = folder
        if manifest is not None:
            self.manifest = manifest

    @cached_property
    def manifest(self) -> Manifest:
        """What the folder says of itself. Raises: ModelError, it is torn or was made for another processor."""
        path = self.folder / MANIFEST
        try:
            manifest = Manifest.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise ModelError(f"{path} cannot be read: {first_line(error)}", hint=_AGAIN) from error
        if not manifest.reduced and not machine.adds_int8_safely():
            raise ModelError(f"the int8 model in {self.folder} would overflow on this processor", hint=_AGAIN)
        return manifest

    @cached_property
    def model(self) -> ModelId:
        made = self.manifest
        return ModelId(made.name, made.files[IMAGE][:16], "int8", made.preprocessing.version, made.dimension)

    @property
    def told(self) -> str:
        """How faithful they are, in one line."""
        if (fidelity := self.manifest.fidelity) is None:
            return "not proved"
        return (
            f"cosine to fp32 on {fidelity.pictures} pictures: least {fidelity.least:.5f}, 1st percentile "
            f"{fidelity.percentile:.5f}; {fidelity.neighbours:.1%} of neighbours kept; texts {fidelity.text:.5f}"
        )

    def embed(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Matrix:
        share = -(-len(pictures) // machine.cores())  # of each call, so that all processors are done at one time
        size = max(1, min(share, self.manifest.together))
        starts = range(0, len(pictures), size)
        return normalise(self._image.run([{"pixels": np.stack(pictures[at : at + size])} for at in starts], OUTPUT))

    def embed_text(self, texts: Sequence[str]) -> Matrix:
        encoded = self._tokenizer.encode_batch(list(texts))
        return normalise(self._text.run([_tokens(one) for one in encoded], OUTPUT))

    def release(self) -> None:
        """Lets go of the weights until the next picture or text."""
        for name in ("_image", "_text"):
            if (session := self.__dict__.get(name)) is not None:
                session.release()

    @cached_property
    def _image(self) -> OnnxSession:
        return self._checked(IMAGE)

    @cached_property
    def _text(self) -> OnnxSession:
        return self._checked(TEXT)

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_file(str(self.folder / TOKENIZER))
        except Exception as error:
            raise ModelError(f"{self.folder / TOKENIZER} cannot be read: {error}", hint=_AGAIN) from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.manifest.longest)
        return tokenizer

    def _checked(self, name: str) -> OnnxSession:
        """Raises ModelError for a file that is not the one that was proved."""
        session = OnnxSession(self.folder / name)
        if session.digest != self.manifest.files.get(name):
            raise ModelError(f"{session.file} is not the file that was proved: its digest differs", hint=_AGAIN)
        return session


def _tokens(encoded: Any) -> Mapping[str, npt.NDArray[np.int64]]:
    ids = np.array([encoded.ids], dtype=np.int64)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}
