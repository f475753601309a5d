"""Whole scans of photographs with SSCD, against the naive script and the bare forward pass (others: `tools`)."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.table import publish, timed
from moderator import Registry, demo, load_policy, scan
from moderator.intake.decode import prepare
from moderator.policy import EmbedderSpec
from moderator.resources import ready_policies
from moderator.search.verify import features, verify

COUNT = 48
SIDE = 640
PHOTOGRAPHS = (*demo.SHOP, *demo.BANNED)


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


def main() -> None:
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
    main()
