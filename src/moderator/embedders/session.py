"""Runs an ONNX file on onnxruntime: one picture a call, one thread a call, as many calls at once as there are cores.

So a vector never depends on the pictures that happen to be beside it in a batch, which with dynamic quantisation it
would (its scale is the batch's), no thread spins while it waits for others, and decoding finds a free moment. Batches
would be some 15% faster for CLIP in int8, whose 86 MB of weights no cache holds, so that each call reads them anew from
memory, and no faster for SSCD (a prototype of 2026-11-24; not in benchmarks/).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from moderator.embedders.external import external_files, initial
from moderator.errors import ModelError
from moderator.machine import cores
from moderator.wording import first_line

THREADS = 1
"""Of one call. Two that share a call spin while they wait for one another (docs/benchmarks.md has both)."""

Inputs = Mapping[str, npt.NDArray[Any]]
"""One call's pictures or text, by the names of the model's inputs; the first axis of an array counts them."""


class OnnxSession:
    """One ONNX file. Loading waits for the first question that needs it.

    Args:
        spread: weights of the model, by name, that are spread over a shape before it runs: the same numbers, each where
            it is used. onnxruntime takes 1 ms to subtract three means, one a channel, from a picture of 288 x 288, and
            .1 to subtract as many means as there are bytes.
    """

    def __init__(self, file: Path, spread: Mapping[str, Sequence[int]] | None = None) -> None:
        self.file = file
        self._spread = spread or {}
        self._held: list[Any] = []
        """onnxruntime does not copy what it is given: this must live as long as the session."""

    @cached_property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the file, and of the files beside it that hold its weights. Raises: ModelError."""
        digests = []
        for file in (self.file, *external_files(self.file)):
            with file.open("rb") as stream:
                digests.append(hashlib.file_digest(stream, "sha256"))
        return digests[0].hexdigest() if len(digests) == 1 else _joined(digests)

    @cached_property
    def _session(self) -> Any:
        external_files(self.file)
        try:
            import onnxruntime
        except ImportError as error:
            raise ModelError("onnxruntime is not installed", hint="pip install onnxruntime") from error
        try:
            onnxruntime.set_default_logger_severity(3)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = THREADS
            for name, shape in self._spread.items():
                whole = np.ascontiguousarray(np.broadcast_to(initial(self.file, name), shape))
                self._held.append(onnxruntime.OrtValue.ortvalue_from_numpy(whole))
                options.add_initializer(name, self._held[-1])
            return onnxruntime.InferenceSession(self.file, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelError(f"{self.file} cannot be loaded: {first_line(error)}") from error

    @cached_property
    def _calls(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(cores(), thread_name_prefix="onnx")

    def release(self) -> None:
        """Lets go of weights and of what they ran in, until the next call."""
        self.__dict__.pop("_session", None)
        self._held.clear()

    @property
    def inputs(self) -> Sequence[str]:
        return [taken.name for taken in self._session.get_inputs()]

    @property
    def outputs(self) -> Mapping[str, Sequence[Any]]:
        """The shapes of the outputs by name; an axis that is not fixed is no number."""
        return {given.name: given.shape for given in self._session.get_outputs()}

    def run(self, asked: Sequence[Inputs], output: str) -> npt.NDArray[np.float32]:
        """Returns the rows `[n, dimension]` of an output, n of all that is asked. Raises: ModelError."""
        session = self._session
        try:
            rows = list(self._calls.map(lambda inputs: session.run([output], dict(inputs))[0], asked))
        except Exception as error:
            raise ModelError(f"{self.file} cannot embed: {first_line(error)}") from error
        return np.concatenate(rows)


def _joined(digests: Sequence[Any]) -> str:
    return hashlib.sha256(b"".join(one.digest() for one in digests)).hexdigest()
