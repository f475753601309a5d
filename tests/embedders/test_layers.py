"""A layered model embeds any number of pictures, each as the model of one picture does."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from moderator.embedders.layers import layered

WIDTH, DEPTH = 16, 3
PICTURES = np.random.default_rng(3).standard_normal((5, 2, WIDTH)).astype(np.float32)


def encoder() -> onnx.ModelProto:
    """Residual blocks of two products, each of numbers quantised by their own range, as the int8 towers have them."""
    random = np.random.default_rng(5)
    nodes, constants = [], []

    def product(taken: str, name: str) -> str:
        weights = random.integers(-127, 128, (WIDTH, WIDTH), dtype=np.int8)
        constants.append(numpy_helper.from_array(weights, f"{name}_weights"))
        quantised = [f"{name}_bytes", f"{name}_scale", f"{name}_zero"]
        nodes.append(helper.make_node("DynamicQuantizeLinear", [taken], quantised))
        integers = helper.make_node(
            "MatMulInteger", [quantised[0], f"{name}_weights", quantised[2]], [f"{name}_integers"]
        )
        nodes.extend([integers, helper.make_node("Cast", [f"{name}_integers"], [f"{name}_sums"], to=TensorProto.FLOAT)])
        nodes.append(helper.make_node("Mul", [f"{name}_sums", quantised[1]], [name]))
        return name

    here = "pictures"
    for block in range(DEPTH):
        inner = product(product(here, f"first_{block}"), f"second_{block}")
        nodes.append(helper.make_node("Add", [here, inner], [f"block_{block}"]))
        here = f"block_{block}"
    shape = [1, *PICTURES.shape[1:]]
    taken, given = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("pictures", here))
    graph = helper.make_graph(nodes, "encoder", [taken], [given], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def run(model: onnx.ModelProto, pictures: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"pictures": pictures})[0])


@pytest.mark.parametrize("weights", [1, WIDTH * WIDTH * 3, 1 << 30], ids=["each block", "of two blocks", "whole"])
def test_every_picture_of_a_call_is_embedded_as_it_is_alone(weights: int) -> None:
    alone = np.concatenate([run(encoder(), PICTURES[at : at + 1]) for at in range(len(PICTURES))])
    assert np.array_equal(run(layered(encoder(), weights), PICTURES), alone)


def test_a_layer_ends_where_one_tensor_goes_on_once_it_has_its_weights() -> None:
    model = layered(encoder(), weights=1)
    layers = [node for node in model.graph.node if node.op_type == "Scan"]
    assert [node.attribute[0].g.output[0].name for node in layers] == ["block_0", "block_1", "block_2"]
    held = [[one.name for one in node.attribute[0].g.initializer] for node in layers]
    assert held == [[f"first_{block}_weights", f"second_{block}_weights"] for block in range(DEPTH)]
