"""CLIP, or any other sentence-transformers image model, by name, folder and revision.

Weights are found without importing torch, so that a scan of known pictures never loads it. Nothing is
downloaded by a scan: `moderator models pull` does that. Weights are read from safetensors only, never from a
pickle, and a model's own code is not run.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from moderator.contracts import Embedder, Options
from moderator.errors import ModelError
from moderator.models import ModelId, Preprocessing
from moderator.vectors import Matrix, normalise

if TYPE_CHECKING:
    from moderator.policy import EmbedderSpec

ORGANISATION = "sentence-transformers"
"""Where a bare model name lives on the hub, as in sentence-transformers itself."""
_WEIGHTS = frozenset({".safetensors", ".bin", ".pt", ".onnx"})
_RESAMPLE: Mapping[int, Any] = {1: "lanczos", 2: "bilinear", 3: "bicubic"}


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
        if spec.precision == "int8":
            raise ModelError(
                f"{spec.model}: `clip` runs in fp32 or bf16, not int8", hint="use an ONNX file with `type: onnx`"
            )

    @property
    def repository(self) -> str:
        """The hub's name of the model."""
        return self.spec.model if "/" in self.spec.model else f"{ORGANISATION}/{self.spec.model}"

    @cached_property
    def folder(self) -> Path:
        """Where the model's files are, found without the network. Raises: ModelError when they are not there."""
        local = Path(self.spec.model)
        if (local / "modules.json").is_file() or (local / "config.json").is_file():
            return local
        from huggingface_hub import constants, snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        try:
            found = Path(snapshot_download(self.repository, revision=self.spec.revision, local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError, OSError) as error:
            raise self._missing(Path(constants.HF_HUB_CACHE)) from error
        if not any(path.suffix in _WEIGHTS for path in found.rglob("*")):
            raise self._missing(Path(constants.HF_HUB_CACHE))
        return found

    def _missing(self, cache: Path) -> ModelError:
        revision = f" at revision {self.spec.revision}" if self.spec.revision else ""
        return ModelError(
            f"the weights of the model `{self.spec.model}`{revision} are not on this machine (looked in {cache})",
            hint="run `moderator models pull` where the hub can be reached, or scan without it: "
            "`moderator scan --policy offline PICTURES`",
        )

    @cached_property
    def model(self) -> ModelId:
        snapshot = self.folder.parent.name == "snapshots"
        revision = self.folder.name if snapshot else _digest(self.folder)
        name = self.repository if snapshot else self.folder.name
        return ModelId(name, revision[:16], self.spec.precision, self.preprocessing.version, self._dimension)

    @cached_property
    def _transformer(self) -> Path:
        """The folder of the first module, which holds the encoder's configuration."""
        modules = self.folder / "modules.json"
        if not modules.is_file():
            return self.folder
        return self.folder / str(_read_json(modules)[0]["path"])

    @cached_property
    def preprocessing(self) -> Preprocessing:
        for name in ("preprocessor_config.json", "processor_config.json"):
            if (path := self._transformer / name).is_file():
                config = _read_json(path)
                return _declared(config.get("image_processor", config))
        raise ModelError(f"{self._transformer} has no preprocessor_config.json: it is no image model")

    @cached_property
    def _dimension(self) -> int:
        config = _read_json(self._transformer / "config.json")
        dimension = config.get("projection_dim") or config.get("hidden_size")
        return int(dimension) if dimension else int(self._loaded.get_embedding_dimension())

    @cached_property
    def _loaded(self) -> Any:
        self._refuse_pickles()
        with _quiet():
            try:
                import torch
                from sentence_transformers import SentenceTransformer

                loaded = SentenceTransformer(
                    str(self.folder),
                    device=self.options.device,
                    local_files_only=True,
                    trust_remote_code=False,
                    model_kwargs={"use_safetensors": True},
                )
            except Exception as error:
                first = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise ModelError(f"the model in {self.folder} cannot be loaded: {first}") from error
        return loaded.to(torch.bfloat16) if self.spec.precision == "bf16" else loaded

    def _refuse_pickles(self) -> None:
        """Raises ModelError where a module's weights are a pickle and nothing else: unpickling may run code."""
        for pickled in sorted(self.folder.rglob("pytorch_model*.bin")):
            if not any(pickled.parent.glob("*.safetensors")):
                raise ModelError(
                    f"the weights {pickled} are a pickle, which is not read, and no safetensors file is beside it",
                    hint="pin a revision that has model.safetensors, or convert the weights where you trust them",
                )

    def embed(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Matrix:
        from PIL import Image

        return self._encode([Image.fromarray(picture) for picture in pictures])

    def embed_text(self, texts: Sequence[str]) -> Matrix:
        return self._encode(list(texts))

    def _encode(self, inputs: list[Any]) -> Matrix:
        import torch

        with torch.inference_mode(), _quiet():
            vectors = self._loaded.encode(
                inputs, batch_size=self.batch, convert_to_tensor=True, show_progress_bar=False
            )
        return normalise(vectors.float().cpu().numpy())

    def pull(self) -> Path:
        from huggingface_hub import snapshot_download

        if Path(self.spec.model).is_dir():
            return self.folder
        try:
            with _quiet():
                return Path(snapshot_download(self.repository, revision=self.spec.revision))
        except Exception as error:
            reason = str(error).splitlines()[0]
            raise ModelError(
                f"cannot download `{self.repository}`: {reason}", hint="is the hub reachable from this machine?"
            ) from error

    def verify(self) -> str:
        size = self.preprocessing
        dimension = self.embed([np.full((size.height, size.width, 3), 128, dtype=np.uint8)]).shape[1]
        if dimension != self.model.dimension:
            raise ModelError(f"{self.folder} embeds to {dimension} dimensions, its config says {self.model.dimension}")
        return f"{self.model.name} at {self.model.revision} embeds to {dimension} dimensions"


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


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error


def _digest(folder: Path) -> str:
    """Returns a digest of a model folder's files: other weights under one name are another model."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(folder)).encode())
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the libraries' progress bars and notices off the user's screen; errors still raise."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
