"""Cuts an ONNX graph into layers, each of which takes the pictures of a call one after another.

Weights that do not fit a processor's cache are read from memory anew for every picture. A layer that takes all pictures
before the next one begins reads its own once. No operator sees two pictures, so a vector is the same whatever is beside
it, where the scale of a batch, which dynamic quantisation would take, is one for all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

WEIGHTS = 1 << 20
"""Bytes of weights from which on a layer ends, at the next place where one tensor alone goes on. Of a ViT-B/32 in int8,
attention is a layer (2.4 MB) and the perceptron after it another (4.7 MB)."""


class _Layer(NamedTuple):
    """Nodes, and the names of the one tensor that they take and the one that they give."""

    nodes: list[NodeProto]
    taken: str
    given: str


def layered(model: ModelProto, weights: int = WEIGHTS) -> ModelProto:
    """Returns a model of one picture, `[1, ...]` to `[1, ...]`, as a model of any number, `[n, ...]` to `[n, ...]`."""
    from onnx import helper, numpy_helper, shape_inference

    graph = shape_inference.infer_shapes(model).graph
    constants = {one.name: one for one in graph.initializer}
    types = {one.name: one for one in (*graph.value_info, *graph.input, *graph.output)}
    (pictures,), (vectors,) = graph.input, graph.output
    nodes = [helper.make_node("Unsqueeze", [pictures.name, "axis"], ["each"])]
    for layer in _layers(graph, constants, weights):
        used = dict.fromkeys(name for node in layer.nodes for name in node.input if name in constants)
        body = helper.make_graph(
            layer.nodes, layer.given, [types[layer.taken]], [types[layer.given]], [constants[name] for name in used]
        )
        taken = nodes[-1].output
        nodes.append(helper.make_node("Scan", taken, [f"each_{layer.given}"], body=body, num_scan_inputs=1))
    nodes.append(helper.make_node("Squeeze", [nodes[-1].output[0], "axis"], [vectors.name]))
    axis = numpy_helper.from_array(np.ones(1, np.int64), "axis")
    whole = helper.make_graph(nodes, graph.name, [_of_any(pictures)], [_of_any(vectors)], [axis])
    return helper.make_model(whole, opset_imports=model.opset_import, ir_version=model.ir_version)


def _layers(graph: GraphProto, constants: Mapping[str, TensorProto], weights: int) -> Iterator[_Layer]:
    """Cuts the nodes, which stand in the order in which they run, wherever one tensor is all that later ones need."""
    last_use = {name: place for place, node in enumerate(graph.node) for name in node.input}
    last_use[graph.output[0].name] = len(graph.node)
    taken = graph.input[0].name
    nodes: list[NodeProto] = []
    needed, size = {taken}, 0
    for place, node in enumerate(graph.node):
        nodes.append(node)
        size += sum(constants[name].ByteSize() for name in node.input if name in constants)
        needed = {name for name in (*needed, *node.output) if last_use.get(name, -1) > place}
        if len(needed) == 1 and (size >= weights or place == len(graph.node) - 1):
            (given,) = needed
            yield _Layer(nodes, taken, given)
            nodes, taken, size = [], given, 0


def _of_any(tensor: ValueInfoProto) -> ValueInfoProto:
    """The same tensor, of any number of pictures."""
    from onnx import helper

    shape = [axis.dim_value for axis in tensor.type.tensor_type.shape.dim]
    return helper.make_tensor_value_info(tensor.name, tensor.type.tensor_type.elem_type, ["pictures", *shape[1:]])
