"""The records that go into a `Store` and come out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from moderator.fingerprint import Fingerprint
from moderator.models import ModelId

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from moderator.vectors import Ids, Matrix


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file that was found: its name as given, its absolute path, and what tells it has changed."""

    name: str
    path: str
    size: int
    mtime_ns: int
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of a path: unchanged size and mtime mean unchanged content."""

    content: int
    size: int
    mtime_ns: int
    intake: str
    state: str
    code: str
    reason: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of one content under one model, one row a view.

    Attributes:
        views: what each row shows: `whole`, `on black`, `frame 7`.
        matrix: float32 `[len(views), dimension]`, L2-normalised.
    """

    model: ModelId
    views: tuple[str, ...]
    matrix: Matrix


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a batch, ready to be stored."""

    found: Found
    fingerprint: Fingerprint
    vectors: tuple[Vectors, ...] = ()


@dataclass(frozen=True, slots=True)
class VectorBlock:
    """Rows of one model: int64 content ids `[n]`, their views, and float32 vectors `[n, dimension]`."""

    contents: Ids
    views: Sequence[str]
    matrix: Matrix


@dataclass(frozen=True, slots=True)
class HashBlock:
    """Content ids `[n]` with their fingerprints, in the same order."""

    contents: Ids
    fingerprints: Sequence[Fingerprint]


@dataclass(frozen=True, slots=True)
class UprightBlock:
    """Content ids int64 `[n]`, with PDQ's quality int64 `[n]` and the hash of the picture as it is, uint8 `[n, 32]`."""

    contents: Ids
    qualities: Ids
    hashes: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Generation:
    """Which vectors of a model, or which hashes, a store holds, told without reading them, for an index that mirrors
    them.

    While `lineage` stays the same, vectors are only added, each with the next `sequence` number in the order of
    commits, so an index that has everything up to `sequence` lacks exactly what `Store.added` yields after it. A new
    lineage means that something was removed or replaced: build anew.

    Attributes:
        lineage: a random token of 32 hexadecimal digits, drawn anew with each removal or replacement.
        sequence: the number of the last vector added; 0 before the first.
    """

    lineage: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Guess:
    """What an index answers that may miss some.

    Attributes:
        contents: contents of any scope.
        recall: the part of the 10 closest that it found when it was made, measured with `queries` stored vectors.
        made: when, in UTC.
    """

    contents: Sequence[int]
    recall: float
    queries: int
    made: str

    @property
    def words(self) -> str:
        return f"recall@10 {self.recall:.3f}, measured with {self.queries} of the stored pictures on {self.made[:10]}"


Role = Literal["picture", "reference"]
"""Why a path was read: to be judged, or as a file of a reference set."""

Scope = Literal["images", "references", "all"]
"""Which contents a store's reader yields: those that scanned paths hold, those that references hold, or all."""
