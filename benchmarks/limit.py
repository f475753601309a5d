"""What a machine could do at best: the multiplications of a model, and how many a second its processors have been seen
to do.

The limit of a model in fp32 is what a large matrix product reaches in the same run, in fp32 or as half of one in bf16:
of either, the library may not use all that the processor has. bf16 (AVX-512 BF16) does twice as many products in one
instruction, int8 (VNNI) four times (Intel 64 manual, volume 2: VFMADD231PS has 16 products, VDPBF16PS 32, VPDPBUSD 64).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from moderator.contracts import Embedder
from moderator.embedders.onnx import OnnxEmbedder
from moderator.machine import computes_bf16, cores

TIMES = {"fp32": 1, "bf16": 2, "int8": 4}
"""Products that an instruction does, against one in fp32."""
SIDE, RUNS = 2048, 8


def products_a_second() -> float:
    """Returns how many fp32 multiplications and additions all processors do, in the best of some matrix products."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(cores())
    square = torch.rand(SIDE, SIDE)
    rates = [SIDE**3 / _fastest(square)]
    if computes_bf16():
        rates.append(SIDE**3 / _fastest(square.bfloat16()) * TIMES["fp32"] / TIMES["bf16"])
    torch.set_num_threads(before)
    return max(rates)


def _fastest(square: Any) -> float:
    """Returns the least seconds of a matrix's product with itself."""
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        square @ square
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def products_of(file: Path, *shape: int) -> int:
    """Returns how many products an ONNX model takes for one picture, `[1, height, width, 3]`: those of its convolutions
    and matrix products, counted from its graph."""
    import onnx

    model = onnx.load(file)
    for axis, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, *shape), strict=True):
        axis.dim_value = size
    return _products_of(onnx.shape_inference.infer_shapes(model, data_prop=True).graph)


def _products_of(graph: Any) -> int:
    """Of a graph, and of those within it, which take one picture after another."""
    shapes = {one.name: list(one.dims) for one in graph.initializer}
    for one in (*graph.value_info, *graph.output, *graph.input):
        shapes[one.name] = [axis.dim_value for axis in one.type.tensor_type.shape.dim]
    within = (part.g for node in graph.node for part in node.attribute if part.HasField("g"))
    return sum(_products(node, shapes) for node in graph.node) + sum(map(_products_of, within))


def seconds(embedder: Embedder, clip: Path) -> float:
    """Returns the least time that a picture can take all processors, as fast as they are now.

    Args:
        clip: an ONNX file of the image tower, for an embedder that runs it by torch.
    """
    size = embedder.preprocessing
    file = embedder.file if isinstance(embedder, OnnxEmbedder) else clip
    return products_of(file, size.height, size.width, 3) / (products_a_second() * TIMES[embedder.model.precision])


def _products(node: Any, shapes: dict[str, list[int]]) -> int:
    if node.op_type == "Conv":
        return int(np.prod(shapes[node.output[0]]) * np.prod(shapes[node.input[1]][1:]))
    if node.op_type in ("MatMul", "MatMulInteger"):
        return int(np.prod(shapes[node.input[0]]) * shapes[node.input[1]][-1])
    if node.op_type == "Gemm":
        weight = shapes[node.input[1]]
        return int(np.prod(shapes[node.output[0]]) * np.prod(weight) // shapes[node.output[0]][-1])
    return 0
