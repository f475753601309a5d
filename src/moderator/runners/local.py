"""This machine: decoding workers ahead of the model, the model in a thread of its own, the caller writes.

The three overlap, so that the slowest alone sets the pace. What waits between them is bounded: `AHEAD` batches decoded,
and `LocalRunner.depth` with the model.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TypeVar

from moderator.contracts import Embedder, Found
from moderator.intake.decode import Decoded
from moderator.intake.pool import DecoderPool, SpareWorkers
from moderator.policy import Limits
from moderator.runners.embedding import embed_wanted
from moderator.runners.runner import Batch, Embedded, Runner, Wanted, batch_size, batched

AHEAD = 2
"""Decoded batches that wait for the model."""

T = TypeVar("T")


class LocalRunner(Runner):
    """Decodes in worker processes and embeds in this one.

    Args:
        spare: decoding workers that are taken before any is started, and left for what decodes next.
    """

    depth = 2

    def __init__(self, embedders: Sequence[Embedder], limits: Limits, spare: SpareWorkers | None = None) -> None:
        self._embedders = embedders
        self._limits = limits
        self._spare = spare

    @contextmanager
    def read(self, files: Iterable[Found]) -> Iterator[Iterator[Batch]]:
        preparations = [embedder.preprocessing for embedder in self._embedders]
        self._model = ThreadPoolExecutor(1, thread_name_prefix="embed")
        try:
            with DecoderPool(self._limits, preparations, spare=self._spare) as pool:
                decoded = map(Batch, batched(pool.decode(files), batch_size(self._embedders)))
                with ahead(decoded, AHEAD, pool.stop) as batches:
                    yield batches
        finally:
            self._model.shutdown(cancel_futures=True)

    def embed(self, batch: Batch, wanted: Wanted) -> Callable[[], Embedded]:
        decoded = [outcome for _, outcome in batch.outcomes if isinstance(outcome, Decoded)]
        return self._model.submit(embed_wanted, self._embedders, decoded, wanted).result


@contextmanager
def ahead(items: Iterable[T], depth: int, stop: Callable[[], None]) -> Iterator[Iterator[T]]:
    """Iterates in a thread of its own, at most `depth` items ahead; its error is raised where its next item was due.

    Leaving early calls `stop`, which must make `items` end, and waits for the thread.
    """
    ready: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()
    room = threading.Semaphore(depth)
    left = threading.Event()

    def fill() -> None:
        try:
            for item in items:
                room.acquire()
                if left.is_set():
                    return
                ready.put((item,))
        except BaseException as error:
            ready.put(error)
        else:
            ready.put(None)

    def taken() -> Iterator[T]:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            room.release()
            yield item[0]

    thread = threading.Thread(target=fill, name="decode", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        left.set()
        stop()
        room.release()
        thread.join()
