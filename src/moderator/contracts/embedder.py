"""`Embedder`: turns prepared pictures, and where it can texts, into vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from moderator.contracts.detector import Options
from moderator.errors import ArgumentError, ModelError
from moderator.models import ModelId, Preprocessing

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from moderator.policy import EmbedderSpec
    from moderator.vectors import Matrix


class Embedder(ABC):
    """Turns prepared pictures into vectors. Making one is cheap; `embed` loads the weights at first use."""

    name: ClassVar[str]
    """What a policy's `type` calls it."""
    summary: ClassVar[str] = ""
    options_model: ClassVar[type[BaseModel]] = Options
    batch: int = 32
    """How many pictures `embed` takes at once."""
    finds_copies: bool = False
    """True for a copy-detection model (SSCD), False for one of meaning (CLIP)."""
    reads_text: bool = False
    """Whether `embed_text` answers."""

    def __init__(self, spec: EmbedderSpec) -> None:
        self.spec = spec
        self.options: Any = self.options_model.model_validate(dict(spec.options))

    @property
    @abstractmethod
    def model(self) -> ModelId:
        """The model id, known without loading weights. Raises: ModelError when the weights cannot be had."""

    @property
    @abstractmethod
    def preprocessing(self) -> Preprocessing:
        """How pictures are brought to the model's size before `embed`."""

    @abstractmethod
    def embed(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Matrix:
        """Returns L2-normalised float32 `[n, dimension]` for RGB pictures, uint8 `[height, width, 3]`.

        Raises:
            ModelError: the weights cannot be had.
            VectorError: the model returned NaN, infinity or a zero vector.
        """

    def embed_text(self, texts: Sequence[str]) -> Matrix:
        """Returns L2-normalised float32 `[n, dimension]` for texts. Raises: ArgumentError without a text tower."""
        raise ArgumentError(
            f"the model {self.spec.model} embeds pictures only, so it cannot search for {texts[0]!r}",
            hint="search by text needs a CLIP embedder",
        )

    def release(self) -> None:
        """Lets go of the weights while nothing is embedded; `embed` loads them again. Nothing by itself."""
        return

    def pull(self) -> Path:
        """Downloads the weights where that is needed, and returns where they are. Raises: ModelError."""
        raise ModelError(f"{self.spec.model} is not downloaded by moderator")

    def verify(self) -> str:
        """Checks the weights and returns one line on what was checked. Raises: ModelError."""
        return str(self.model)
