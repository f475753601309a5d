"""How many decoding workers, calls of the model at once, and threads of a call are best, for each ONNX model.

    python -m benchmarks.sweep

Each way ingests the same pictures: read, decoded, hashed, embedded and stored. Beside pictures a second stands what
they take of all processors, which tells the ways apart on a machine with other work too.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

import onnxruntime

from benchmarks.embed import clip, sscd
from benchmarks.scan import SIDE, make
from benchmarks.table import Column, publish
from moderator.contracts import Embedder
from moderator.embedders import session
from moderator.embedders.clip import ClipEmbedder
from moderator.ingest import Ingest
from moderator.intake import pool
from moderator.intake.walk import walk
from moderator.machine import cores
from moderator.policy import Limits
from moderator.stores.sql import SqlStore

PICTURES = {"SSCD distilled": 192, "SSCD int8": 96, "CLIP int8": 96}
WORKERS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Way:
    """Calls of the model at once, threads of each, and whether those spin while they wait."""

    calls: int
    threads: int
    spins: bool = True

    def __str__(self) -> str:
        shipped = (self.calls, self.threads) == (cores(), session.THREADS)
        words = f"{self.calls} of {self.threads}{'' if self.spins else ', not spinning'}"
        return f"{words} (shipped)" if shipped else words


WAYS = (Way(cores(), 1), Way(1, 1), Way(cores() + 1, 1), Way(1, cores()), Way(1, cores(), spins=False))


@dataclass(frozen=True, slots=True)
class Row:
    """One model, one way, one number of decoding workers: pictures a second, and ms of all processors a picture."""

    model: str
    calls: str
    workers: int
    rate: float
    milliseconds: float


COLUMNS: dict[str, Column] = {
    "model": lambda one: one.model,
    "calls of threads": lambda one: one.calls,
    "decoding workers": lambda one: f"{one.workers}",
    "pictures a second": lambda one: f"{one.rate:.1f}",
    "ms of all processors a picture": lambda one: f"{one.milliseconds:.1f}",
}


@contextmanager
def chosen(way: Way, workers: int) -> Iterator[None]:
    """Runs models and decoding so, instead of as shipped."""
    options = onnxruntime.SessionOptions

    def made() -> onnxruntime.SessionOptions:
        one = options()
        one.add_session_config_entry("session.intra_op.allow_spinning", str(int(way.spins)))
        return one

    with ExitStack() as stack:
        stack.enter_context(patch.object(session, "cores", lambda: way.calls))
        stack.enter_context(patch.object(session, "THREADS", way.threads))
        stack.enter_context(patch.object(pool, "cores", lambda: workers))
        stack.enter_context(patch.object(onnxruntime, "SessionOptions", made))
        yield


def ingested(embedder: Embedder, paths: list[Path], store: Path) -> tuple[float, float]:
    """Returns the seconds that an ingest took, and those of all processors, with its workers'."""
    embedder.verify()  # the weights are loaded before anything is timed
    before, started = os.times(), time.perf_counter()
    with SqlStore.open(f"sqlite:///{store}") as opened:
        Ingest(opened, [embedder], Limits()).run(walk(list(map(str, paths))), "picture")
    seconds, after = time.perf_counter() - started, os.times()
    return seconds, sum(after[:4]) - sum(before[:4])


def main() -> None:
    """Measures every way of every model."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = make(folder / "in", max(PICTURES.values()))
        reduced = clip(folder)[1].spec
        models: dict[str, Callable[[], Embedder]] = {
            "SSCD distilled": partial(sscd, "sscd-distilled", "whole"),
            "SSCD int8": partial(sscd, "sscd", "whole"),
            "CLIP int8": partial(ClipEmbedder, reduced),
        }
        numbers = itertools.count()
        for (model, made), way, workers in itertools.product(models.items(), WAYS, WORKERS):
            some = paths[: PICTURES[model]]
            with chosen(way, workers):
                seconds, processors = ingested(made(), some, folder / f"{next(numbers)}.db")
            rows.append(Row(model, str(way), workers, len(some) / seconds, 1000 * processors / len(some)))
    publish("sweep", rows, f"JPEG of {SIDE} x {SIDE}, {cores()} processors; the start of the workers is in it", COLUMNS)


if __name__ == "__main__":
    main()
