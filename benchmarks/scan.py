"""Whole scans of photographs with SSCD, against the naive script, the bare forward pass, and (`--peers`) other tools.

A tool is a process of its own that finds the duplicates of the same folder, in an environment that is made once.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import peers, process
from benchmarks.peers import DEDUP, HASHES, IMMACULATE, Environment
from benchmarks.table import Row, publish, timed
from moderator import Registry, demo, load_policy, scan
from moderator.intake.decode import prepare
from moderator.policy import EmbedderSpec
from moderator.resources import ready_policies
from moderator.search.verify import features, verify

COUNT = 96
SIDE = 640
PHOTOGRAPHS = (*demo.SHOP, *demo.BANNED)
TOOLS: dict[str, tuple[Environment, str]] = {
    "imagededup PHash": (
        DEDUP,
        "from imagededup.methods import PHash; PHash(verbose=False).find_duplicates(image_dir=folder)",
    ),
    "cleanvision, duplicates": (
        HASHES,
        "from cleanvision import Imagelab; lab = Imagelab(data_path=folder, verbose=False); "
        "lab.find_issues({'exact_duplicates': {}, 'near_duplicates': {}}, verbose=False)",
    ),
    "difPy similar": (
        HASHES,
        "import difPy; built = difPy.build(folder, show_progress=False); "
        "difPy.search(built, similarity='similar', show_progress=False)",
    ),
    **{
        f"immaculate {method}": (
            IMMACULATE,
            f"from immaculate import find_duplicates; find_duplicates(folder, method='{method}')",
        )
        for method in ("pdq", "sscd_distilled", "sscd")
    },
}
"""Other tools: where each runs, and its own way from a `folder` to duplicates."""


def make(folder: Path, count: int = COUNT, seed: int = 11) -> list[Path]:
    """Writes seeded crops of photographs to `folder`, made where it is missing, as JPEG of `SIDE` pixels."""
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(seed)
    sources = [demo.photograph(name) for name in PHOTOGRAPHS]
    paths = []
    for number in range(count):
        source = sources[number % len(sources)]
        width, height = (int(side * random.uniform(0.4, 0.9)) for side in source.size)
        left, top = int(random.integers(source.width - width)), int(random.integers(source.height - height))
        path = folder / f"{number:04}.jpg"
        source.crop((left, top, left + width, top + height)).resize((SIDE, SIDE)).save(path, quality=90)
        paths.append(path)
    return paths


def naive(paths: list[Path], store: Path) -> None:
    """The usual script: one picture at a time, each vector written out as JSON."""
    embedder = Registry.discover().make_embedder(EmbedderSpec(type="onnx", model="sscd"))
    with sqlite3.connect(store) as connection:
        connection.execute("CREATE TABLE vectors (path TEXT, vector TEXT)")
        for path in paths:
            with Image.open(path) as opened:
                (vector,) = embedder.embed([prepare(opened.convert("RGB"), embedder.preprocessing)])
            connection.execute("INSERT INTO vectors VALUES (?, ?)", (str(path), json.dumps(vector.tolist())))
            connection.commit()


def tools(folder: Path) -> list[Row]:
    """Whole processes on the same folder: a scan, and other tools; one that cannot be had is named."""
    store = f"sqlite:///{folder.parent}/process.db"
    scanning = [sys.executable, "-m", "moderator", "scan", str(folder), "--policy", "offline", "--store", store]
    rows = [process.timed("moderator scan, a process of its own", COUNT, "pictures", scanning, runs=1)]
    for name, (environment, program) in TOOLS.items():
        if why := peers.prepare(environment):
            print(f"{name} cannot be had: {why}")
        else:
            python = str(peers.python_of(environment))
            command = [python, "-c", f"import sys; folder = sys.argv[1]\n{program}", str(folder)]
            rows.append(process.timed(name, COUNT, "pictures", command))
    return rows


def main(*, beside: bool = False) -> None:
    """Times the naive script, the bare forward pass, a first scan and a second one."""
    registry = Registry.discover()
    policy = load_policy(ready_policies()["offline"], registry.vocabulary())
    embedder = registry.make_embedder(policy.embedders["sscd"])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = make(folder / "in")
        with Image.open(paths[0]) as opened:
            picture = prepare(opened.convert("RGB"), embedder.preprocessing)
        embedder.embed([picture])  # the weights are loaded before anything is timed
        runs = iter(range(100))

        def first() -> None:
            judged = policy.model_copy(update={"store": f"sqlite:///{folder}/{next(runs)}.db"})
            scan(judged, [str(folder / "in")], registry=registry)

        def second() -> None:
            judged = policy.model_copy(update={"store": f"sqlite:///{folder}/kept.db"})
            scan(judged, [str(folder / "in")], registry=registry)

        rows = [
            timed("naive script, one by one", COUNT, "pictures", lambda: naive(paths, folder / f"n{next(runs)}.db")),
            timed("bare forward pass, by eights", COUNT, "pictures", lambda: forward(embedder, picture)),
            timed("moderator scan", COUNT, "pictures", first),
        ]
        second()
        rows.append(timed("moderator scan, unchanged folder", COUNT, "pictures", second))
        if beside:
            publish("tools", tools(folder / "in"), "processes of their own, with all that they start")
        verification(paths)
    publish("scan", rows, f"SSCD int8 at 288 x 288, JPEG of {SIDE} x {SIDE}; the scan hashes (PDQ) and asks all rules")


def verification(paths: list[Path]) -> None:
    """Times the parts of verification on one thread: what each picture, and each pair of candidates, costs a core."""
    features.opencv().setNumThreads(1)
    pictures = []
    for path in paths:
        with Image.open(path) as opened:
            pictures.append(np.ascontiguousarray(prepare(opened.convert("RGB"), features.PREPARED)))
    known = [features.extract(one) for one in pictures]
    step = len(PHOTOGRAPHS)
    pairs = [(known[at], known[at + away]) for at in range(COUNT - step) for away in (1, step)]
    rows = [
        timed("local features", COUNT, "pictures", lambda: [features.extract(one) for one in pictures]),
        timed("a candidate pair", len(pairs), "pairs", lambda: [verify(*pair) for pair in pairs]),
    ]
    publish("verification", rows, "one thread; half of the pairs are crops of one photograph, half of two")


def forward(embedder: object, picture: object) -> None:
    for _ in range(COUNT // 8):
        embedder.embed([picture] * 8)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(beside="--peers" in sys.argv)
