"""Where pictures are read and embedded: in this process, by Ray on this machine, and by Ray as a cluster of two nodes.

On one machine Ray has no more processors than a scan has without it, so what it takes is told here, not what it gives.
Each runner is a process of its own, and ingests the same pictures twice, each time into a store of its own: the first
time what runs them is started and models are loaded, by Ray in each of its workers.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import process
from benchmarks.scan import SIDE, make
from benchmarks.table import Row, once, publish
from moderator import Registry
from moderator.contracts import Embedder
from moderator.ingest import Ingest
from moderator.intake.walk import walk
from moderator.machine import cores
from moderator.policy import EmbedderSpec, Limits
from moderator.runners.local import LocalRunner
from moderator.runners.ray import RayRunner
from moderator.runners.runner import Runner
from moderator.stores.sql import SqlStore

PICTURES, TIMES = 192, 3
MODEL = "sscd-distilled"
"""The quickest model: what a runner takes weighs most beside it."""


@contextmanager
def local(embedder: Embedder) -> Iterator[Runner]:
    """A scan's own."""
    yield LocalRunner([embedder], Limits())


@contextmanager
def by_ray(embedder: Embedder) -> Iterator[Runner]:
    """Ray, one node with all processors."""
    yield RayRunner([embedder], Limits(), "local")


@contextmanager
def by_cluster(embedder: Embedder) -> Iterator[Runner]:
    """Ray, a node for each processor."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.cluster_utils import Cluster

    made: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        for _ in range(cores() - 1):
            made.add_node(num_cpus=1)
        yield RayRunner([embedder], Limits(), made.address)
    finally:
        ray.shutdown()
        made.shutdown()


RUNNERS = {"in process": local, "Ray": by_ray, f"Ray, {cores()} nodes": by_cluster}


def ran(name: str, folder: Path) -> list[Row]:
    """Returns what starting a runner took, the first ingest, and later ones."""
    embedder = Registry.discover().make_embedder(EmbedderSpec(type="onnx", model=MODEL))
    seconds = [time.perf_counter()]
    with RUNNERS[name](embedder) as runner:
        seconds.append(time.perf_counter())
        for number in range(1 + TIMES):
            with SqlStore.open(f"sqlite:///{folder}/{name}-{number}.db") as store:
                ingest = Ingest(store, [embedder], Limits(), runner=runner)
                if ingest.run(walk([str(folder / "in")]), "picture").embedded != PICTURES:
                    raise RuntimeError("not every picture was embedded")
            seconds.append(time.perf_counter())
    took = [after - before for before, after in pairwise(seconds)]
    later = sorted(took[2:])
    return [
        once(f"{name}: start", PICTURES, "pictures", took[0]),
        once(f"{name}: first ingest", PICTURES, "pictures", took[1]),
        Row(f"{name}: later ingests", PICTURES, "pictures", later[TIMES // 2], later[0], later[-1], TIMES),
    ]


def main() -> None:
    """Measures each runner, and says what Ray adds to a picture."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        make(Path(temporary) / "in", PICTURES)
        for name in RUNNERS:
            told, done = process.asked("runners", name, temporary)
            rows += [Row(**one) for one in told]
            rows[-1] = replace(rows[-1], memory=done.private, mapped=done.mapped)
    here, *others = rows[2::3]
    added = ", ".join(f"{1000 * (one.seconds - here.seconds) / PICTURES:.1f} ms a picture" for one in others)
    columns = {
        "runner": lambda row: row.name,
        "seconds (min - max)": lambda row: f"{row.seconds:.2f} ({row.fastest:.2f} - {row.slowest:.2f})",
        "pictures a second": lambda row: "" if row.name.endswith("start") else f"{row.rate:.1f}",
        "memory": lambda row: "" if row.memory is None else f"{row.memory:,.0f} MB",
    }
    note = f"{MODEL}, {PICTURES} JPEG of {SIDE} x {SIDE}, {cores()} processors; Ray adds {added}"
    publish("runners", rows, note, columns)


if __name__ == "__main__":
    if "--one" in sys.argv:
        print(json.dumps([asdict(row) for row in ran(sys.argv[2], Path(sys.argv[3]))]), flush=True)
    else:
        main()
