"""An ONNX file may keep its weights in files beside it, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from moderator.embedders.external import external_files, initial
from moderator.embedders.onnx import OnnxEmbedder
from moderator.errors import ModelError
from moderator.policy import EmbedderSpec


def model(path: Path, location: str = "", *, inside: bool = False) -> Path:
    """Writes a model that multiplies by a matrix, kept at `location`; with `inside`, in a branch of an If."""
    weights = onnx.numpy_helper.from_array(np.eye(4, dtype=np.float32), "weights")
    if location:
        weights.ClearField("raw_data")
        weights.data_location = onnx.TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=location)
        weights.external_data.add(key="length", value="64")
    taken = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [None, 4])
    given = onnx.helper.make_tensor_value_info("vector", onnx.TensorProto.FLOAT, [None, 4])
    nodes = [onnx.helper.make_node("MatMul", ["image", "weights"], ["vector"])]
    graph = onnx.helper.make_graph(nodes, "graph", [taken], [given], [] if inside else [weights])
    if inside:
        constant = onnx.helper.make_node("Constant", [], ["weights"])
        constant.attribute.append(onnx.helper.make_attribute("value", weights))
        graph.node.insert(0, constant)
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    path.write_bytes(made.SerializeToString())
    return path


def test_a_model_in_one_file_wants_no_other(tmp_path: Path) -> None:
    assert external_files(model(tmp_path / "whole.onnx")) == []


def test_weights_beside_the_model_are_found(tmp_path: Path) -> None:
    assert external_files(model(tmp_path / "model.onnx", "weights.bin")) == [tmp_path / "weights.bin"]


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "sub/../../weights.bin"])
@pytest.mark.parametrize("inside", [False, True], ids=["initializer", "constant"])
def test_weights_elsewhere_are_refused_unread(tmp_path: Path, location: str, inside: bool) -> None:
    path = model(tmp_path / "model.onnx", location, inside=inside)
    for ask in (external_files, lambda path: OnnxEmbedder(EmbedderSpec(type="onnx", model=str(path))).model):
        with pytest.raises(ModelError, match="outside its own folder"):
            ask(path)


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"no one reads this")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "weights.bin").symlink_to(tmp_path / "secret")
    with pytest.raises(ModelError, match="outside its own folder"):
        external_files(model(tmp_path / "models" / "model.onnx", "weights.bin"))


def test_other_weights_beside_one_model_are_another_model(tmp_path: Path) -> None:
    path = model(tmp_path / "model.onnx", "weights.bin")
    revisions = set()
    for scale in (1.0, 2.0):
        (tmp_path / "weights.bin").write_bytes((np.eye(4, dtype=np.float32) * scale).tobytes())
        revisions.add(OnnxEmbedder(EmbedderSpec(type="onnx", model=str(path))).model.revision)
    assert len(revisions) == 2


@pytest.mark.parametrize("text", [b"", b"\xff" * 40, b"\x3a\xff\xff\xff\x7f", b"\x3a\x05ab"])
def test_what_is_no_onnx_is_refused_by_its_path(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "torn.onnx").write_bytes(text)
    with pytest.raises(ModelError, match=r"torn\.onnx cannot be loaded"):
        external_files(tmp_path / "torn.onnx")


@pytest.mark.parametrize("raw", [False, True], ids=["as floats", "as bytes"])
def test_a_weight_is_read_by_its_name(tmp_path: Path, raw: bool) -> None:
    path = model(tmp_path / "model.onnx")
    made = onnx.load(path)
    values = np.array([1.5, -2, 0.25], dtype=np.float32)
    means = onnx.helper.make_tensor("means", onnx.TensorProto.FLOAT, [3], values.tobytes() if raw else values, raw=raw)
    made.graph.initializer.append(means)
    path.write_bytes(made.SerializeToString())
    assert initial(path, "means").tolist() == values.tolist()


def test_a_weight_that_a_model_lacks_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no weight `means`"):
        initial(model(tmp_path / "model.onnx"), "means")
