"""The extension points: `Detector`, `Embedder`, `Store`, `Reporter`, and what they are handed.

A plugin subclasses one of these and returns the class from the hook of `moderator.hookspecs`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from moderator.errors import ModelError
from moderator.models import (
    Decision,
    Evidence,
    Finding,
    Group,
    Image,
    Match,
    ModelId,
    Preprocessing,
    Reference,
    Report,
    Unjudged,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from moderator.policy import EmbedderSpec, Rule
    from moderator.vectors import Ids, Matrix


class Options(BaseModel):
    """Base of a plugin's own options; unknown ones are refused with the policy's line."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Search(ABC):
    """What a detector may ask: read-only, batched, and free of connections and SQL.

    Contents are store ids of distinct bytes. Every `Match` carries all rungs tried, strongest first.
    """

    @property
    @abstractmethod
    def subjects(self) -> Sequence[int]:
        """The contents of this scan, in the order of their first path."""

    @abstractmethod
    def images(self, content: int) -> Sequence[Image]:
        """All images with this content: those of this scan first, then by path."""

    @abstractmethod
    def copies(self, embedder: str, threshold: float) -> Iterable[Match]:
        """Pairs of distinct contents, one of this scan at least, that agree by a hash or whose cosine
        similarity is at or above `threshold`. `content` is always of this scan."""

    @abstractmethod
    def alike(self, embedder: str, threshold: float, top: int, item: Callable[[int, int], bool]) -> Iterable[Match]:
        """Pairs like those of `copies`, by embedding alone: for each content of this scan the `top` closest
        that are no copies of it by any rung of the ladder (hashes, and every `duplicates` rule). Pairs for
        which `item` is true are one item to the detector; they are left out and not counted."""

    @abstractmethod
    def prohibited(
        self, embedder: str, threshold: float, sets: Sequence[str]
    ) -> Iterable[tuple[Match, Sequence[Reference]]]:
        """Contents of this scan against the references of `sets` (none named: all), each match with the
        reference entries that hold its `other` content. `sets` may not hold anything yet; that is noted."""

    @abstractmethod
    def similarity(self, embedder: str, contents: Sequence[int]) -> Matrix:
        """Cosine similarity of each two of `contents`, float32 `[n, n]`; 1 where a hash says they are copies."""

    @abstractmethod
    def note(self, text: str) -> None:
        """Says something in the report that is no finding: a limit reached, a rung that could not be tried."""


class Detector(ABC):
    """Turns matches into findings. One instance serves one rule of one scan."""

    name: ClassVar[str]
    """What a rule calls it."""
    summary: ClassVar[str] = ""
    """One line for `moderator plugins`."""
    options_model: ClassVar[type[BaseModel]] = Options
    """The type of the rule's `options`."""

    def __init__(self, rule: Rule, embedder: str) -> None:
        self.rule = rule
        self.embedder = embedder
        self.options: Any = self.options_model.model_validate(dict(rule.options))

    @abstractmethod
    def detect(self, search: Search) -> Iterable[Finding]:
        """Yields the findings of this rule; make them with `finding`."""

    def finding(
        self,
        image: Image,
        match: Image | Reference,
        evidence: tuple[Evidence, ...],
        reason: str,
        group: Group | None = None,
    ) -> Finding:
        """Returns a finding of this rule, with the rule's verdict."""
        return Finding(self.rule.id, self.name, self.rule.verdict, image, match, evidence, reason, group)


class Embedder(ABC):
    """Turns prepared pictures into vectors. Making one is cheap; `embed` loads the weights at first use."""

    name: ClassVar[str]
    """What a policy's `type` calls it."""
    summary: ClassVar[str] = ""
    options_model: ClassVar[type[BaseModel]] = Options
    batch: int = 32
    """How many pictures `embed` takes at once."""
    finds_copies: bool = False
    """True for a copy-detection model (SSCD), False for one of meaning (CLIP)."""

    def __init__(self, spec: EmbedderSpec) -> None:
        self.spec = spec
        self.options: Any = self.options_model.model_validate(dict(spec.options))

    @property
    @abstractmethod
    def model(self) -> ModelId:
        """The model id, known without loading weights. Raises: ModelError when the weights cannot be had."""

    @property
    @abstractmethod
    def preprocessing(self) -> Preprocessing:
        """How pictures are brought to the model's size before `embed`."""

    @abstractmethod
    def embed(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Matrix:
        """Returns L2-normalised float32 `[n, dimension]` for RGB pictures, uint8 `[height, width, 3]`.

        Raises:
            ModelError: the weights cannot be had.
            VectorError: the model returned NaN, infinity or a zero vector.
        """

    def embed_text(self, texts: Sequence[str]) -> Matrix:
        """Returns L2-normalised float32 `[n, dimension]` for texts. Raises: ModelError without a text tower."""
        raise ModelError(
            f"the model {self.spec.model} embeds pictures only, so it cannot search for {texts[0]!r}",
            hint="search by text needs a CLIP embedder",
        )

    def pull(self) -> Path:
        """Downloads the weights where that is needed, and returns where they are. Raises: ModelError."""
        raise ModelError(f"{self.spec.model} is not downloaded by moderator")

    def verify(self) -> str:
        """Checks the weights and returns one line on what was checked. Raises: ModelError."""
        return str(self.model)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is known of a content without a model.

    Attributes:
        sha256: SHA-256 of the file's bytes, 32 bytes.
        pixels: SHA-256 of the upright RGB pixels and their size, 32 bytes.
        pdq: eight PDQ hashes of 32 bytes, one an orientation, the picture's own first; empty when not computed.
        pdq_quality: PDQ's quality in [0, 100]; flat pictures are near 0.
    """

    sha256: bytes
    size: int
    format: str
    width: int
    height: int
    frames: int
    pixels: bytes = b""
    pdq: bytes = b""
    pdq_quality: int = 0
    state: Literal["judged", "rejected"] = "judged"
    code: str = ""
    reason: str = ""


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


Role = Literal["picture", "reference"]
"""Why a path was read: to be judged, or as a file of a reference set."""

Scope = Literal["images", "references", "all"]
"""Which contents a store's reader yields: those that scanned paths hold, those that references hold, or all."""


class Store(ABC):
    """Where contents, vectors and results are kept. Every write is one transaction and may be repeated."""

    scheme: ClassVar[str]
    """The URL scheme that chooses it."""

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

    def __enter__(self) -> Store:
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

    @abstractmethod
    def hashes(self, scope: Scope, only: Sequence[int] | None = None) -> Iterator[HashBlock]:
        """Streams fingerprints of judged contents in blocks of bounded size."""

    @abstractmethod
    def images(self, contents: Sequence[int], role: Role = "picture") -> Mapping[int, Sequence[Image]]:
        """The stored images of these contents, by path, each with `scanned` False."""

    @abstractmethod
    def add_references(self, set_name: str, entries: Sequence[tuple[int, str, str]], owner: str) -> int:
        """Adds (content, label, provenance) entries to a set, made if new, and returns how many were new."""

    @abstractmethod
    def references(self, sets: Sequence[str] = ()) -> Sequence[Reference]:
        """The enabled, unexpired entries of `sets` (none named: of all)."""

    @abstractmethod
    def remove_references(self, set_name: str, entries: Sequence[int]) -> int:
        """Removes entries (none named: the whole set) with vectors nothing else needs; returns how many."""

    @abstractmethod
    def decisions(self) -> Sequence[Decision]:
        """Every reviewer's decision that has not expired."""

    @abstractmethod
    def record(self, report: Report) -> None:
        """Keeps a report's counts and findings."""

    @abstractmethod
    def status(self) -> Mapping[str, str]:
        """What `moderator doctor` shows: engine, version, schema, row counts."""


class Reporter(ABC):
    """Writes a report in one format."""

    name: ClassVar[str]
    """What `--format` calls it."""
    summary: ClassVar[str] = ""

    def __init__(self, *, width: int = 100, colour: bool = False) -> None:
        self.width = width
        self.colour = colour

    @abstractmethod
    def render(self, report: Report) -> str:
        """Returns the whole report as text. Every string in it is a stranger's: escape it. A format for the
        terminal keeps to `width` columns and uses escape codes only with `colour`."""


class Progress:
    """Tells how long work goes on. This one is silent; the command line has one with bars."""

    def stage(
        self, name: str, total: int | None  # noqa: ARG002 - the silent one needs neither
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Returns a context whose value is called with how many more are done."""
        return nullcontext(lambda _done: None)


__all__ = [
    "Detector",
    "Embedder",
    "Entry",
    "Fingerprint",
    "Found",
    "HashBlock",
    "Known",
    "Options",
    "Progress",
    "Reporter",
    "Role",
    "Scope",
    "Search",
    "Store",
    "Unjudged",
    "VectorBlock",
    "Vectors",
]
