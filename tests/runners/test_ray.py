"""A cluster of several Ray nodes does what the local runner does, also when a node dies in the middle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from moderator.cli import app
from moderator.contracts import Embedder, Entry, Role
from moderator.embedders.onnx import OnnxEmbedder
from moderator.errors import EnvironmentFault, ModelError
from moderator.ingest import Ingest, Ingested
from moderator.intake.walk import walk
from moderator.models import ModelId
from moderator.policy import EmbedderSpec, Limits
from moderator.runners import ray as runners_ray
from moderator.runners.ray import RayRunner
from moderator.runners.runner import Runner
from moderator.stores.sql import SqlStore
from moderator.testing import FakeEmbedder
from tests.scanning import many_pictures, picture
from tests.test_ingest import dump

pytestmark = pytest.mark.alone

NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 128 * 1024 * 1024}


@dataclass(frozen=True)
class Nodes:
    """A cluster: its address, and how to add a node and to kill it."""

    cluster: Any

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self) -> Any:
        return self.cluster.add_node(**NODE)

    def kill(self, node: Any) -> None:
        self.cluster.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """A cluster of two nodes with one processor each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        import ray
        from ray.cluster_utils import Cluster

        cluster: Any = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        try:
            cluster.add_node(**NODE)
            yield Nodes(cluster)
        finally:
            ray.shutdown()
            cluster.shutdown()


def fake() -> Embedder:
    """An embedder that takes four pictures at a time, so that there are many batches."""
    made = FakeEmbedder(EmbedderSpec(type="fake", model="quarters"))
    made.batch = 4
    return made


def ingested(store: Path, folder: Path, embedder: Embedder, runner: Runner | None = None) -> Ingested:
    with SqlStore.open(f"sqlite:///{store}") as opened:
        return Ingest(opened, [embedder], Limits(), runner=runner).run(walk([str(folder)]), "picture")


def test_real_photographs_give_the_same_store_as_on_one_machine(
    tmp_path: Path, photographs: Path, nodes: Nodes
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for photograph in photographs.iterdir():
        (folder / photograph.name).write_bytes(photograph.read_bytes())
    (folder / "torn.png").write_bytes((photographs / "coffee.png").read_bytes()[:5000])
    (folder / "notes.txt").write_text("nothing to see")
    sscd = OnnxEmbedder(EmbedderSpec(type="onnx", model="sscd"))
    here = ingested(tmp_path / "here.db", folder, sscd)
    there = ingested(tmp_path / "there.db", folder, sscd, RayRunner([sscd], Limits(), nodes.address))
    assert (len(there.judged), len(there.rejected), len(there.skipped), there.embedded) == (6, 1, 1, 6)
    assert (there.rejected, there.skipped) == (here.rejected, here.skipped)
    assert dump(tmp_path / "there.db") == dump(tmp_path / "here.db")


def test_a_node_that_dies_in_the_middle_costs_no_file_and_doubles_none(
    tmp_path: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = many_pictures(tmp_path / "in", 120)
    ingested(tmp_path / "whole.db", folder, fake())
    doomed = nodes.add()
    write = SqlStore.write
    written: list[int] = []

    def kills(store: SqlStore, entries: Sequence[Entry], intake: str, role: Role) -> Sequence[int]:
        written.append(len(entries))
        if len(written) == 8:
            nodes.kill(doomed)
        return write(store, entries, intake, role)

    monkeypatch.setattr(SqlStore, "write", kills)
    outcome = ingested(tmp_path / "cut.db", folder, fake(), RayRunner([fake()], Limits(), nodes.address))
    assert written == [4] * 30
    assert (len(outcome.judged), outcome.rejected, outcome.skipped, outcome.embedded) == (120, [], [], 120)
    assert dump(tmp_path / "cut.db") == dump(tmp_path / "whole.db")


def test_the_command_scans_on_the_cluster_that_is_named(
    tmp_path: Path, photographs: Path, nodes: Nodes, own_entry_points: None, capfd: pytest.CaptureFixture[str]
) -> None:
    store = f"sqlite:///{tmp_path}/store.db"
    arguments = ["scan", str(photographs), "--policy", "ci", "--store", store]
    code = app.run([*arguments, "--runner", "ray", "--address", nodes.address])
    assert code == 0
    assert "6 found = 6 judged + 0 rejected + 0 skipped" in capfd.readouterr().out


def test_a_node_with_other_weights_ends_the_scan(
    tmp_path: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ModelId("quarters", "2", "fp32", "other", 13)
    monkeypatch.setattr(FakeEmbedder, "model", other)
    picture(tmp_path / "in" / "a.png")
    with pytest.raises(ModelError, match=r"a node of the cluster has .*quarters"):
        ingested(tmp_path / "store.db", tmp_path / "in", fake(), RayRunner([fake()], Limits(), nodes.address))


def test_a_node_that_decodes_otherwise_ends_the_scan(
    tmp_path: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners_ray, "intake_id", lambda _limits: "of another Pillow")
    picture(tmp_path / "in" / "a.png")
    with pytest.raises(EnvironmentFault, match="decodes with another version"):
        ingested(tmp_path / "store.db", tmp_path / "in", fake(), RayRunner([fake()], Limits(), nodes.address))


def test_a_picture_that_only_this_machine_can_read_is_no_unreadable_picture(
    tmp_path: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (item,) = walk([str(picture(tmp_path / "a.png"))])
    assert isinstance(item, tuple)
    there = replace(item[0], path=str(tmp_path / "not-mounted.png"))
    monkeypatch.setattr(runners_ray, "_readable", lambda _path: True)
    runner = RayRunner([fake()], Limits(), nodes.address)
    with runner.read([there]) as batches, pytest.raises(EnvironmentFault, match=r"which this machine can"):
        next(batches)
