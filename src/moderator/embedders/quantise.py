"""Makes int8 ONNX towers of a sentence-transformers CLIP, and proves them against the original.

Weights of MatMul and Gemm become int8, one scale a column; activations are quantised as they come (ONNX Runtime's
dynamic quantisation). What turns bytes into the model's numbers is part of the graph. The image tower is rewritten to
less arithmetic before, and cut into layers after it, so that a call takes several pictures.
"""

from __future__ import annotations

import io
import logging
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from moderator import machine
from moderator.embedders.session import OnnxSession
from moderator.embedders.silence import silence
from moderator.embedders.towers import IMAGE, MANIFEST, OUTPUT, TEXT, TOKENIZER, Fidelity, Manifest, Towers
from moderator.errors import ModelError
from moderator.vectors import Matrix
from moderator.wording import first_line

if TYPE_CHECKING:
    import torch

    from moderator.embedders.clip import ClipEmbedder

LEAST_COSINE = 0.98
"""Of any picture or text, int8 against fp32: below it the thresholds of a policy would move."""
LEAST_NEIGHBOURS = 0.8
"""Mean share of nearest neighbours kept."""
NEAREST = 5
TEXTS = (
    "a photo of a red dress", "a cat on a sofa", "two people at a table", "a city street at night", "text on white",
    "a", "an aerial photograph of a river that winds through green fields towards the sea on a cloudy morning",
)  # fmt: skip
TOGETHER = 16
"""Pictures of one call. The share of each in reading the weights falls with their number, and the last call of a batch
that two processors divide grows (docs/benchmarks.md)."""
_PACKAGES = ("torch", "onnx", "onnxruntime", "sentence-transformers")

Pictures = Sequence[npt.NDArray[np.uint8]]


def optimise(exact: ClipEmbedder, pictures: Pictures, folder: Path) -> Towers:
    """Writes the towers of a model in fp32 to `folder`, made where it is missing, and proves them on `pictures`.

    Raises:
        ModelError: the extra is missing, the model cannot be exported, or it loses too much.
    """
    if exact.processor.geometry.fit == "contain":
        raise ModelError(f"{exact.spec.model} cannot be optimised: its processor's geometry is not understood")
    _require(exact.spec.model)
    vectors = exact.embed(pictures), exact.embed_text(TEXTS)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)  # until they are proved, nothing runs them
    try:
        # The exporter talks at length, on both streams and by logging.
        with (
            tempfile.TemporaryDirectory(dir=folder) as temporary,
            silence(logging.CRITICAL),
            redirect_stdout(io.StringIO()),
        ):
            _export(exact, Path(temporary))
            for name in (IMAGE, TEXT):
                _reduce(Path(temporary) / name, folder / name)
            _layer(folder / IMAGE)
            exact.loaded.tokenizer.save_pretrained(temporary)
            shutil.copyfile(Path(temporary) / TOKENIZER, folder / TOKENIZER)
    except Exception as error:
        raise ModelError(f"{exact.spec.model} cannot be exported to ONNX: {first_line(error)}") from error
    return _prove(exact, folder, vectors, pictures)


def _require(model: str) -> None:
    for package in ("onnx", "onnxscript"):
        if find_spec(package) is None:
            raise ModelError(
                f"{model} cannot be optimised: the package {package} is not installed",
                hint="pip install 'moderator[optimize]'; what it makes runs without",
            )


def _export(exact: ClipEmbedder, folder: Path) -> None:
    import torch

    from moderator.embedders.forward import embed_pixels, embed_tokens
    from moderator.embedders.rewrite import rewritten

    class ImageTower(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = exact.loaded

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return embed_pixels(self.model, exact.processor, pixels)

    class TextTower(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = exact.loaded

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return embed_tokens(self.model, input_ids, attention_mask)

    size = exact.processor.geometry
    pixels = torch.zeros(1, size.height, size.width, 3, dtype=torch.uint8)
    tokens = exact.loaded.preprocess(TEXTS[:1])
    length = torch.export.Dim("length", min=2, max=_longest(exact))
    with rewritten(exact.loaded):
        _write(ImageTower(), {"pixels": pixels}, None, folder / IMAGE)
    texts = {name: tokens[name] for name in ("input_ids", "attention_mask")}
    _write(TextTower(), texts, ({1: length}, {1: length}), folder / TEXT)


def _write(tower: torch.nn.Module, example: Mapping[str, torch.Tensor], shapes: Any, file: Path) -> None:
    import torch

    with torch.inference_mode():
        torch.onnx.export(
            tower.eval(), tuple(example.values()), str(file), input_names=list(example), output_names=[OUTPUT],
            dynamic_shapes=shapes, dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip


def _longest(exact: ClipEmbedder) -> int:
    return int(exact.loaded.max_seq_length or 77)


def _reduce(exact: Path, target: Path) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(exact)
    model.graph.ClearField("value_info")  # older onnxruntime transposes the weights of Gemm and then reads their shapes
    quantize_dynamic(
        model, target, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True, weight_type=QuantType.QInt8,
        reduce_range=not machine.adds_int8_safely(),
    )  # fmt: skip


def _layer(tower: Path) -> None:
    import onnx

    from moderator.embedders.layers import layered

    onnx.save(layered(onnx.load(tower)), tower)


def _prove(exact: ClipEmbedder, folder: Path, vectors: tuple[Matrix, Matrix], pictures: Pictures) -> Towers:
    """Compares the towers in `folder` with fp32 `vectors` of the pictures and of `TEXTS`. Raises: ModelError."""
    model = exact.model
    manifest = Manifest(
        name=model.name,
        revision=model.revision,
        dimension=model.dimension,
        preprocessing=exact.processor.geometry,
        reduced=not machine.adds_int8_safely(),
        longest=_longest(exact),
        together=TOGETHER,
        files={name: OnnxSession(folder / name).digest for name in (IMAGE, TEXT)},
        made_with={name: version(name) for name in _PACKAGES},
    )
    towers = Towers(folder, manifest)
    fidelity = compared(vectors[0], towers.embed(pictures), vectors[1], towers.embed_text(TEXTS))
    if min(fidelity.least, fidelity.text) < LEAST_COSINE or fidelity.neighbours < LEAST_NEIGHBOURS:
        raise ModelError(
            f"{model.name} loses too much in int8: least cosine to fp32 {fidelity.least:.4f} over {fidelity.pictures} "
            f"pictures and {fidelity.text:.4f} over texts ({LEAST_COSINE} asked), {fidelity.neighbours:.0%} of "
            f"neighbours kept ({LEAST_NEIGHBOURS:.0%} asked)",
            hint="use precision bf16 or fp32",
        )
    proved = manifest.model_copy(update={"fidelity": fidelity})
    (folder / MANIFEST).write_text(proved.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return Towers(folder)


def compared(exact: Matrix, reduced: Matrix, exact_text: Matrix, reduced_text: Matrix) -> Fidelity:
    """Returns the fidelity of `reduced` to `exact`, all float32 `[n, dimension]`, of one order."""
    cosines = (exact * reduced).sum(axis=1)
    nearest = min(NEAREST, max(len(exact) - 1, 1))
    kept = [
        len(set(ours) & set(theirs)) / nearest
        for ours, theirs in zip(_neighbours(exact, nearest), _neighbours(reduced, nearest), strict=True)
    ]
    return Fidelity(
        pictures=len(exact),
        least=float(cosines.min()),
        percentile=float(np.percentile(cosines, 1)),
        neighbours=float(np.mean(kept)),
        text=float((exact_text * reduced_text).sum(axis=1).min()),
    )


def _neighbours(vectors: Matrix, count: int) -> list[list[int]]:
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -2.0)
    order: list[list[int]] = np.argsort(-similarity, axis=1, kind="stable")[:, :count].tolist()
    return order
