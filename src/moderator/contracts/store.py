"""`Store`: where contents, vectors and results are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

from moderator.contracts.records import (
    Entry,
    Found,
    Generation,
    Guess,
    HashBlock,
    Known,
    Role,
    Scope,
    UprightBlock,
    VectorBlock,
)
from moderator.models import Decision, Image, ModelId, Reference, Report

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from moderator.vectors import Ids, Matrix


class Store(ABC):
    """Where contents, vectors and results are kept. Every write is one transaction and may be repeated."""

    schemes: ClassVar[tuple[str, ...]]
    """The URL schemes that choose it."""
    approximates: bool = False
    """Whether it can have a vector index that may miss some, as `guess` asks."""

    @classmethod
    @abstractmethod
    def checked(cls, url: str) -> str:
        """Returns `url` without secrets, and opens nothing. Raises: ArgumentError, no store of this type has such a
        URL."""

    @classmethod
    @abstractmethod
    def open(cls, url: str) -> Store:
        """Opens the store at `url`, migrating it. Raises: StoreError; a newer schema is refused."""

    @property
    @abstractmethod
    def url(self) -> str:
        """The URL without secrets."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @abstractmethod
    def known(self, paths: Sequence[str], role: Role) -> Mapping[str, Known]:
        """What is known of these absolute paths in this role; unknown ones are left out."""

    @abstractmethod
    def contents(self, digests: Sequence[bytes], intake: str) -> Mapping[bytes, int]:
        """The content ids of these SHA-256 digests; those unknown, or read under another `intake`, are left out."""

    @abstractmethod
    def embedded(self, model: ModelId, contents: Sequence[int]) -> frozenset[int]:
        """Which of these contents have vectors of `model`."""

    @abstractmethod
    def write(self, entries: Sequence[Entry], intake: str, role: Role) -> Sequence[int]:
        """Stores a batch in one transaction and returns the content id of each entry. `intake` names the
        limits and decoder that made the fingerprints."""

    @abstractmethod
    def update_metadata(self, found: Sequence[Found]) -> None:
        """Replaces the metadata of known images."""

    @abstractmethod
    def paths_under(self, folder: str) -> Sequence[str]:
        """The absolute paths of pictures stored below `folder`."""

    @abstractmethod
    def forget(self, paths: Sequence[str]) -> None:
        """Removes pictures whose files are gone; their contents stay for what refers to them."""

    @abstractmethod
    def vectors(
        self, model: ModelId, scope: Scope, only: Sequence[int] | None = None
    ) -> Iterator[VectorBlock]:
        """Streams vectors of `model` in blocks of bounded size, all views of a content in one block; `only` narrows
        to these contents."""

    def likely(self, model: ModelId, queries: Matrix, count: int) -> Sequence[int] | None:  # noqa: ARG002
        """Contents of any scope that look closest to `queries` `[n, dimension]`, some `count` for each row; None where
        the store cannot tell without reading every vector."""
        return None

    def guess(self, model: ModelId, queries: Matrix, count: int) -> Guess | None:  # noqa: ARG002
        """Asks an index that may miss some for contents closest to `queries`; None where the store has none for
        `model`, or none that fits its vectors as they are now."""
        return None

    def within(self, model: ModelId, queries: Matrix, threshold: float) -> Sequence[int] | None:  # noqa: ARG002
        """Contents of any scope among which is every one whose cosine similarity to one of `queries` is `threshold` or
        more, and few others; None as in `likely`."""
        return None

    def search_sql(self, model: ModelId, query: npt.NDArray[np.float32], top: int) -> str | None:  # noqa: ARG002
        """One statement for the engine's own client that shows the `top` pictures closest to `query`; None as in
        `likely`. Raises: StoreError."""
        return None

    @abstractmethod
    def hashes(self, scope: Scope, only: Sequence[int] | None = None) -> Iterator[HashBlock]:
        """Streams fingerprints of judged contents in blocks of bounded size."""

    @abstractmethod
    def generation(self, model: ModelId) -> Generation | None:
        """Which vectors of `model` there are now; None when it never embedded anything."""

    @abstractmethod
    def added(self, model: ModelId, after: int, upto: int) -> Iterator[VectorBlock]:
        """Streams the vectors of `model` whose sequence number is in (after, upto], in that order, in blocks of bounded
        size: those of every content, whatever its scope and state, which `members` tells.

        Take `upto` from `generation`, and ask for the generation again at the end: with another lineage, what was read
        may be torn. An index that kept its last vector and reads from one earlier sees that it still fits the store,
        which a restored backup would not.
        """

    @abstractmethod
    def members(self, scope: Scope, only: Sequence[int] | None = None) -> Ids:
        """The ids of the judged contents of `scope`, ascending: whose vectors and hashes its readers yield; `only`
        narrows to these."""

    @abstractmethod
    def repeated(self) -> Sequence[int]:
        """The contents that more than one picture holds, ascending."""

    @abstractmethod
    def same_pixels(self) -> Mapping[int, bytes]:
        """The judged contents whose pixels another one has, with their digest."""

    @abstractmethod
    def with_pixels(self, pixels: Sequence[bytes], scope: Scope) -> Mapping[int, bytes]:
        """The judged contents of `scope` whose pixels have one of these digests, with it."""

    @abstractmethod
    def hash_generation(self) -> Generation | None:
        """Which hashes there are now; None when there never was a content. A content that changes gets a new number."""

    @abstractmethod
    def hashes_added(self, after: int, upto: int) -> Iterator[UprightBlock]:
        """Streams the hashes of contents whose sequence number is in (after, upto], as `added` does vectors."""

    @abstractmethod
    def features(self, extractor: str, contents: Sequence[int]) -> Mapping[int, bytes]:
        """What `extractor` (a name with its version) made of these contents; those it has not seen are left out."""

    @abstractmethod
    def write_features(self, extractor: str, made: Mapping[int, bytes]) -> None:
        """Keeps what `extractor` made of contents, replacing what it made before; each is at most 16 MiB and is deleted
        with its content. Raises: StoreError, when one of the contents is not there."""

    @abstractmethod
    def images(self, contents: Sequence[int], role: Role = "picture") -> Mapping[int, Sequence[Image]]:
        """The stored images of these contents, by path, each with `scanned` False, and with the time at which the store
        was opened that brought it with this content as `since`."""

    @abstractmethod
    def add_references(self, set_name: str, entries: Sequence[tuple[int, str, str]], owner: str) -> int:
        """Adds (content, label, provenance) entries to a set, made if new, and returns how many were new; one that is
        there takes the label, if there is one."""

    @abstractmethod
    def reference_counts(self) -> Mapping[str, int]:
        """How many enabled, unexpired entries each set has; sets without one are left out."""

    @abstractmethod
    def filled_sets(self) -> Sequence[str]:
        """The sets that `reference_counts` names, by name, without counting."""

    @abstractmethod
    def unembedded(self, model: ModelId, sets: Sequence[str] = ()) -> Sequence[int]:
        """The contents of `references(sets)` that have no vector of `model`, ascending."""

    @abstractmethod
    def references(self, sets: Sequence[str] = (), contents: Sequence[int] | None = None) -> Sequence[Reference]:
        """The enabled, unexpired entries of `sets` (none named: of all)."""

    @abstractmethod
    def remove_references(self, set_name: str, entries: Sequence[int]) -> int:
        """Removes entries (none named: the whole set) with vectors nothing else needs; returns how many."""

    @abstractmethod
    def decisions(self) -> Sequence[Decision]:
        """Every reviewer's decision that has not expired, the smaller digest of each pair first."""

    @abstractmethod
    def decide(self, decision: Decision) -> None:
        """Keeps a reviewer's decision in place of any earlier one on the same two contents, in either order."""

    @abstractmethod
    def withdraw(self, sha256: str, match_sha256: str) -> bool:
        """Removes the decision on these two contents, in either order; tells whether there was one."""

    @abstractmethod
    def record(self, report: Report) -> None:
        """Keeps a report's counts and findings."""

    @abstractmethod
    def status(self) -> Mapping[str, str]:
        """What `moderator doctor` shows: engine, version, schema, row counts."""
