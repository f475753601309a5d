"""Reading, decoding, embedding and storing pictures with a full-size CLIP, against the usual script, all on one set.

The CLIP is a ViT-B/32 with random weights (speed does not depend on them; nothing here tells quality). Each way of
moderator runs the whole of ingestion: hashes, PDQ in eight orientations, vectors in SQLite, a transaction a batch.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from PIL import Image
from tests.tiny_clip import VIT_B_32, make_tiny_clip

from benchmarks import limit
from benchmarks.scan import PHOTOGRAPHS, make
from benchmarks.table import Row, most_memory, publish, timed
from moderator import demo
from moderator.contracts import Embedder
from moderator.embedders.clip import ClipEmbedder
from moderator.embedders.onnx import OnnxEmbedder
from moderator.embedders.towers import IMAGE
from moderator.ingest import Ingest
from moderator.intake.decode import prepare
from moderator.intake.pool import DecoderPool
from moderator.intake.walk import walk
from moderator.machine import computes_bf16
from moderator.policy import EmbedderSpec, Limits
from moderator.stores.sql import SqlStore

FEW, MANY = 24, 384
"""Pictures for what is slow, and for what is fast, so that starting two decoding workers does not weigh."""
LARGE, LARGE_SIZE = 16, (4000, 3000)
"""How many photographs there are of the size that a telephone takes, and that size."""


def one_by_one(model: str, paths: list[Path], store: Path) -> None:
    """The usual script: `SentenceTransformer.encode` a picture at a time, each vector written out."""
    loaded = transformer(model)
    with sqlite3.connect(store) as connection:
        connection.execute("CREATE TABLE vectors (path TEXT, vector TEXT)")
        for path in paths:
            with Image.open(path) as opened:
                vector = loaded.encode(opened.convert("RGB"), show_progress_bar=False)
            connection.execute("INSERT INTO vectors VALUES (?, ?)", (str(path), json.dumps(vector.tolist())))
            connection.commit()


def batched(model: str, paths: list[Path]) -> None:
    """The same library, 32 at a time, nothing stored."""
    pictures = []
    for path in paths:
        with Image.open(path) as opened:
            pictures.append(opened.convert("RGB"))
    transformer(model).encode(pictures, batch_size=32, show_progress_bar=False)


_LOADED: dict[str, Any] = {}


def transformer(model: str) -> Any:
    """Returns the model, loaded once."""
    from sentence_transformers import SentenceTransformer

    if model not in _LOADED:
        _LOADED[model] = SentenceTransformer(model, local_files_only=True)
    return _LOADED[model]


def main() -> None:
    """Times the usual script, each precision's bare forward pass, and each whole ingestion."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = make(folder / "in", MANY)
        large = [enlarge(path, folder / f"large-{path.name}") for path in paths[:LARGE]]
        few = paths[:FEW]
        exact, reduced = clip(folder)
        source = exact.spec.model
        numbers = count()

        def ingest(embedder: Embedder, some: list[Path]) -> None:
            with SqlStore.open(f"sqlite:///{folder}/{next(numbers)}.db") as store:
                outcome = Ingest(store, [embedder], Limits()).run(walk(list(map(str, some))), "picture")
                if outcome.embedded != len(some):
                    raise RuntimeError(f"{outcome.embedded} of {len(some)} pictures were embedded")

        batched(source, few)  # the weights are loaded before anything is timed
        rows = [
            measured(
                "SentenceTransformer, one by one, each stored", few,
                lambda: one_by_one(source, few, folder / f"{next(numbers)}.db"),
            ),
            measured("SentenceTransformer, by 32, nothing stored", few, lambda: batched(source, few)),
        ]  # fmt: skip
        ways: dict[str, Embedder] = {"CLIP fp32": exact}
        if exact.loaded.device.type != "cpu" or computes_bf16():
            ways["CLIP bf16"] = ClipEmbedder(EmbedderSpec(model=source, precision="bf16"))
        ways["CLIP int8"] = reduced
        ways["SSCD int8, 288 px"] = sscd("sscd", "whole")
        ways["SSCD distilled, 288 px"] = sscd("sscd-distilled", "whole")
        ways["SSCD distilled, with the pictures it shows"] = sscd("sscd-distilled", "panels")
        clip_file = Path(reduced.spec.model) / IMAGE
        for name, embedder in ways.items():
            some = few if name == "CLIP fp32" else paths
            rows += compared(name, embedder, some, ingest, limit.seconds(embedder, clip_file))
        distilled = ways["SSCD distilled, 288 px"]
        least = limit.seconds(distilled, clip_file)
        rows += compared("SSCD distilled, 12 megapixels", distilled, large, ingest, least)
    note = f"JPEG of 640 x 640, but in the last rows; most memory of the process, all models loaded: {most_memory()}"
    publish("embed", rows, note)


def clip(folder: Path) -> tuple[ClipEmbedder, ClipEmbedder]:
    """Makes a full-size CLIP with random weights, and its int8 form, in `folder`."""
    exact = ClipEmbedder(EmbedderSpec(model=str(make_tiny_clip(folder / "clip", size=VIT_B_32))))
    proof = [prepare(demo.photograph(name), exact.preprocessing) for name in PHOTOGRAPHS]
    reduced = exact.optimise(proof, folder / "int8")
    return exact, ClipEmbedder(EmbedderSpec(model=str(reduced.folder), precision="int8"))


def sscd(model: str, views: str) -> Embedder:
    """A preset that embeds the whole picture alone, so that it compares with the bare pass, or its panels too."""
    return OnnxEmbedder(EmbedderSpec(type="onnx", model=model, options={"views": views}))


def enlarge(path: Path, target: Path) -> Path:
    """Writes a picture at `LARGE_SIZE`."""
    with Image.open(path) as opened:
        opened.resize(LARGE_SIZE, Image.Resampling.BICUBIC).save(target, quality=90)
    return target


def compared(
    name: str, embedder: Embedder, paths: list[Path], ingest: Callable[[Embedder, list[Path]], None], least: float
) -> list[Row]:
    """The bare forward pass of a model over prepared pictures, decoding alone, and ingestion with both; beside them
    what the machine allows, which multiplies for `least` seconds a picture, without decoding and with it."""
    prepared = []
    for path in paths:
        with Image.open(path) as opened:
            prepared.append(prepare(opened.convert("RGB"), embedder.preprocessing))

    def forward() -> None:
        for start in range(0, len(prepared), embedder.batch):
            embedder.embed(prepared[start : start + embedder.batch])

    def decode() -> None:
        with DecoderPool(Limits(), [embedder.preprocessing]) as pool:
            for _ in pool.decode(item[0] for item in walk(list(map(str, paths))) if isinstance(item, tuple)):
                continue

    embedder.embed(prepared[: embedder.batch])  # the weights are loaded before anything is timed
    decoding = measured(f"{name}: decoding alone", paths, decode)
    return [
        bound(f"{name}: limit of this machine", paths, least),
        measured(f"{name}: bare forward pass", paths, forward),
        decoding,
        bound(f"{name}: limit with that decoding", paths, least + 1 / decoding.rate),
        measured(f"{name}: read, decode, hash, embed, store", paths, lambda: ingest(embedder, paths)),
    ]


def bound(name: str, paths: list[Path], seconds: float) -> Row:
    """A row that was worked out and not timed."""
    whole = seconds * len(paths)
    return Row(name, len(paths), "pictures", whole, whole, whole, 0)


def measured(name: str, paths: list[Path], call: Callable[[], None]) -> Row:
    """Times a call over these pictures twice."""
    return timed(name, len(paths), "pictures", call, runs=2)


if __name__ == "__main__":
    main()
