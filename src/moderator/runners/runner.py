"""`Runner`: decodes and embeds, wherever that is done; what it yields is written by `moderator.ingest` alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from moderator.contracts import Embedder, Found, Vectors
from moderator.errors import UnreadableImage, VectorError
from moderator.intake.decode import Decoded

BATCH_BYTES = 32 * 1024 * 1024
"""Prepared pixels in one batch, at most one picture more: it bounds the memory, whatever the views and sizes."""

Outcome = tuple[Found, Decoded | UnreadableImage]
Wanted = Sequence[Collection[bytes]]
"""For each embedder, the SHA-256 digests of a batch that lack a vector."""
Embedded = Mapping[bytes, Sequence[Vectors] | VectorError]
"""By digest: the vectors that were made, or why the content is refused."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures that were decoded together. `pixels` is the runner's own, where it keeps them apart."""

    outcomes: Sequence[Outcome]
    pixels: object = None


class Runner(ABC):
    """Decodes and embeds. One thread calls it; it may use as many as it likes."""

    depth: int
    """Batches whose vectors may be awaited at once."""

    @abstractmethod
    def read(self, files: Iterable[Found]) -> AbstractContextManager[Iterator[Batch]]:
        """Decodes files ahead of the caller, a bounded number of batches, each file once and in order.

        Leaving the context ends everything that is under way.
        """

    @abstractmethod
    def embed(self, batch: Batch, wanted: Wanted) -> Callable[[], Embedded]:
        """Starts to embed a batch and returns what waits for its vectors.

        That raises: ModelError when weights cannot be had or loaded.
        """


def batched(outcomes: Iterable[Outcome], size: int) -> Iterator[list[Outcome]]:
    """Cuts outcomes into batches of at most `size` pictures and about `BATCH_BYTES` of pixels."""
    some: list[Outcome] = []
    held = 0
    for found, outcome in outcomes:
        some.append((found, outcome))
        if isinstance(outcome, Decoded):
            held += sum(pixels.nbytes for view in outcome.views for pixels in view.prepared)
        if len(some) == size or held >= BATCH_BYTES:
            yield some
            some, held = [], 0
    if some:
        yield some


def batch_size(embedders: Sequence[Embedder]) -> int:
    """Returns how many pictures a batch holds: what the model that takes most takes at once."""
    return max((embedder.batch for embedder in embedders), default=32)
