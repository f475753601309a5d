"""CLIP, or any other sentence-transformers image model, by name, folder and revision.

Nothing is downloaded by a scan: `moderator models pull` does that. Weights are read from safetensors only, never from a
pickle, and a model's own code is not run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import platformdirs
from pydantic import Field

from moderator import machine
from moderator.contracts import Embedder, Options
from moderator.embedders.processor import Processor, read_json, read_processor
from moderator.embedders.silence import silence
from moderator.embedders.towers import MANIFEST, Towers
from moderator.embedders.weights import Weights
from moderator.errors import ModelError
from moderator.models import ModelId, Preprocessing
from moderator.vectors import Matrix, normalise
from moderator.wording import first_line

if TYPE_CHECKING:
    from moderator.policy import EmbedderSpec


class ClipOptions(Options):
    """Options of `type: clip`."""

    device: str | None = None
    """`cpu`, `cuda`, `mps`; the best there is where it is left out."""
    batch: int = Field(32, ge=1, le=1024)
    """Pictures in one forward pass."""


class ClipEmbedder(Embedder):
    """Embeds pictures and text with a sentence-transformers model."""

    name = "clip"
    summary = "CLIP, or any sentence-transformers image model; embeds text too"
    options_model = ClipOptions

    def __init__(self, spec: EmbedderSpec) -> None:
        super().__init__(spec)
        self.batch = self.options.batch
        self.reads_text = True
        self.weights = Weights(spec.model, spec.revision)

    @cached_property
    def model(self) -> ModelId:
        return self._towers.model if self.spec.precision == "int8" else self._source

    @cached_property
    def _source(self) -> ModelId:
        name, revision = self.weights.name, self.weights.revision
        return ModelId(name, revision, self.spec.precision, self.processor.geometry.version, self._dimension)

    @cached_property
    def _transformer(self) -> Path:
        """The folder of the first module, which holds the encoder's configuration."""
        folder = self.weights.folder
        modules = folder / "modules.json"
        return folder / str(read_json(modules)[0]["path"]) if modules.is_file() else folder

    # What `moderator models optimize` makes

    @property
    def optimised_folder(self) -> Path:
        """Where this model's int8 towers are, or would be written. Raises: ModelError, several could be meant."""
        if (Path(self.spec.model) / MANIFEST).is_file():
            return Path(self.spec.model)
        cache = platformdirs.user_cache_path("moderator") / "optimized"
        try:
            source = self._source
        except ModelError:  # the original is not needed any more
            named = f"{_slug(self.weights.repository)}-{(self.spec.revision or '*')[:16]}-int8"
            found = [path.parent for path in sorted(cache.glob(f"{named}/{MANIFEST}"))]
            if len(found) == 1:
                return found[0]
            raise
        return cache / f"{_slug(source.name)}-{source.revision}-int8"

    @cached_property
    def _towers(self) -> Towers:
        try:
            folder = self.optimised_folder
        except ModelError as error:
            raise ModelError(f"{error}, nor is its int8 form", hint=error.hint) from error
        if not (folder / MANIFEST).is_file():
            raise ModelError(
                f"the model `{self.spec.model}` has no int8 form on this machine (looked in {folder})",
                hint="run `moderator models optimize NAME` with its name in the policy, or use precision fp32",
            )
        return Towers(folder)

    def optimise(self, pictures: Sequence[npt.NDArray[np.uint8]], folder: Path | None = None) -> Towers:
        """Writes the int8 towers of this model, proved on `pictures` (prepared as for `embed`).

        Args:
            folder: where to; where the policy's `precision: int8` finds them if it is left out.

        Raises:
            ModelError: the model cannot be exported, or loses too much.
        """
        from moderator.embedders.quantise import optimise

        exact = type(self)(self.spec.model_copy(update={"precision": "fp32"}))
        return optimise(exact, pictures, folder or exact.optimised_folder)

    # What the model's own files declare

    @cached_property
    def preprocessing(self) -> Preprocessing:
        return self._towers.manifest.preprocessing if self.spec.precision == "int8" else self.processor.geometry

    @cached_property
    def processor(self) -> Processor:
        """What the model's image processor declares. Raises: ModelError."""
        return read_processor(self._transformer)

    @cached_property
    def _dimension(self) -> int:
        config = read_json(self._transformer / "config.json")
        dimension = config.get("projection_dim") or config.get("hidden_size")
        return int(dimension) if dimension else int(self.loaded.get_embedding_dimension())

    @cached_property
    def loaded(self) -> Any:
        """The SentenceTransformer. Raises: ModelError."""
        self.weights.refuse_pickles()
        with silence():
            try:
                from sentence_transformers import SentenceTransformer

                loaded = SentenceTransformer(
                    str(self.weights.folder),
                    device=self.options.device,
                    local_files_only=True,
                    trust_remote_code=False,
                    model_kwargs={"use_safetensors": True},
                )
            except Exception as error:
                folder = self.weights.folder
                raise ModelError(f"the model in {folder} cannot be loaded: {first_line(error)}") from error
        self._refuse_slow(loaded.device.type)
        return loaded

    def _refuse_slow(self, device: str) -> None:
        """Raises ModelError for arithmetic that this device would only emulate, slower than fp32."""
        if self.spec.precision == "fp16" and device == "cpu":
            raise ModelError(
                f"{self.spec.model}: fp16 is for a graphics card, and there is none here",
                hint="use precision bf16, int8 or fp32",
            )
        if self.spec.precision == "bf16" and device == "cpu" and not machine.computes_bf16():
            raise ModelError(
                f"{self.spec.model}: this processor has no bf16 arithmetic, and would be slower than with fp32",
                hint="use precision int8 or fp32",
            )

    def embed(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Matrix:
        if self.spec.precision == "int8":
            return self._towers.embed(pictures)
        from PIL import Image

        if self.processor.geometry.fit == "contain":
            return self._encode([Image.fromarray(picture) for picture in pictures])
        # The pictures have the model's size: its processor, which takes a third of the time, has nothing left to do.
        import torch

        from moderator.embedders.forward import embed_pixels

        with self._arithmetic():
            pixels = torch.from_numpy(np.stack(pictures)).to(self.loaded.device)
            vectors = embed_pixels(self.loaded, self.processor, pixels)
        return normalise(vectors.float().cpu().numpy())

    def embed_text(self, texts: Sequence[str]) -> Matrix:
        return self._towers.embed_text(texts) if self.spec.precision == "int8" else self._encode(list(texts))

    def release(self) -> None:
        if self.spec.precision == "int8":
            self._towers.release()

    def _encode(self, inputs: list[Any]) -> Matrix:
        with self._arithmetic(), silence():
            vectors = self.loaded.encode(
                inputs, batch_size=self.batch, convert_to_tensor=True, show_progress_bar=False
            )
        return normalise(vectors.float().cpu().numpy())

    @contextlib.contextmanager
    def _arithmetic(self) -> Iterator[None]:
        """Runs the forward pass in the policy's precision; sums and normalisations stay in fp32."""
        import torch

        kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.spec.precision)
        device = self.loaded.device.type
        with torch.inference_mode(), torch.autocast(device, dtype=kind, enabled=kind is not None):
            yield

    def pull(self) -> Path:
        return self.weights.pull()

    def verify(self) -> str:
        told = ""
        if self.spec.precision == "int8":
            self.embed_text(["a cat"])
            told = f"; {self._towers.told}"
        size = self.preprocessing
        dimension = self.embed([np.full((size.height, size.width, 3), 128, dtype=np.uint8)]).shape[1]
        if dimension != self.model.dimension:
            folder, declared = self.weights.folder, self.model.dimension
            raise ModelError(f"{folder} embeds to {dimension} dimensions, its config says {declared}")
        return f"{self.model.name} at {self.model.revision} embeds to {dimension} dimensions{told}"


def _slug(name: str) -> str:
    return name.replace("/", "--")
