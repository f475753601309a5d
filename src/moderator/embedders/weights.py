"""The weights of a sentence-transformers model: where this machine has them, and how they come from the hub.

They are found without the network and without importing torch, so that a scan of known pictures never loads it.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

from moderator.embedders.silence import silence
from moderator.errors import ModelError
from moderator.wording import first_line

ORGANISATION = "sentence-transformers"
"""Where a bare model name lives on the hub, as in sentence-transformers itself."""
_SUFFIXES = frozenset({".safetensors", ".bin", ".pt", ".onnx"})


class Weights:
    """The weights that a model's name or folder and a revision of it mean."""

    def __init__(self, model: str, revision: str | None) -> None:
        self._model = model
        self._wanted = revision

    @property
    def repository(self) -> str:
        """The hub's name of the model."""
        return self._model if "/" in self._model else f"{ORGANISATION}/{self._model}"

    @cached_property
    def folder(self) -> Path:
        """Where the model's files are, found without the network. Raises: ModelError when they are not there."""
        local = Path(self._model)
        if (local / "modules.json").is_file() or (local / "config.json").is_file():
            return local
        from huggingface_hub import constants, snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        try:
            found = Path(snapshot_download(self.repository, revision=self._wanted, local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError, OSError) as error:
            raise self._missing(Path(constants.HF_HUB_CACHE)) from error
        if not any(path.suffix in _SUFFIXES for path in found.rglob("*")):
            raise self._missing(Path(constants.HF_HUB_CACHE))
        return found

    def _missing(self, cache: Path) -> ModelError:
        revision = f" at revision {self._wanted}" if self._wanted else ""
        return ModelError(
            f"the weights of the model `{self._model}`{revision} are not on this machine (looked in {cache})",
            hint="run `moderator models pull` where the hub can be reached; or do without: take out the rules that use "
            "it, or --policy offline",
        )

    @cached_property
    def _from_hub(self) -> bool:
        return self.folder.parent.name == "snapshots"

    @property
    def name(self) -> str:
        return self.repository if self._from_hub else self.folder.name

    @cached_property
    def revision(self) -> str:
        """The hub's commit, or a digest of a folder's files: other weights under one name are another model."""
        return (self.folder.name if self._from_hub else _digest(self.folder))[:16]

    def refuse_pickles(self) -> None:
        """Raises ModelError where a module's weights are a pickle and nothing else: unpickling may run code."""
        for pickled in sorted(self.folder.rglob("pytorch_model*.bin")):
            if not any(pickled.parent.glob("*.safetensors")):
                raise ModelError(
                    f"the weights {pickled} are a pickle, which is not read, and no safetensors file is beside it",
                    hint="pin a revision that has model.safetensors, or convert the weights where you trust them",
                )

    def pull(self) -> Path:
        """Downloads them, unless they are a folder of this machine, and returns where they are. Raises: ModelError."""
        from huggingface_hub import snapshot_download

        if Path(self._model).is_dir():
            return self.folder
        try:
            with silence():
                return Path(snapshot_download(self.repository, revision=self._wanted))
        except Exception as error:
            raise ModelError(
                f"cannot download `{self.repository}`: {first_line(error)}",
                hint="is the hub reachable from this machine?",
            ) from error


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(folder)).encode())
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
