"""`Detector`, and the `Search` that it asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from moderator.models import Evidence, Finding, Group, Image, Match, Reference

if TYPE_CHECKING:
    from moderator.policy import ReferenceSet, Rule
    from moderator.vectors import Matrix


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

    @property
    def repeated(self) -> Collection[int]:
        """The contents of this scan that may have several images; of the others, each has one, and need not be asked
        for it where it matches nothing."""
        return self.subjects

    @abstractmethod
    def copies(self, embedder: str, threshold: float) -> Iterable[Match]:
        """Pairs of distinct contents, one of this scan at least, that agree by a hash or whose cosine
        similarity is at or above `threshold`, or that are verified copies, where the policy has candidates verified;
        what was verified to be no copy is left out. `content` is always of this scan. Those that another content of
        this scan stands for (`twins`) are matched with that one alone, and those of a crowd, near to more than 50
        others each, with a few of the closest and with one picture in the middle, which is noted."""

    @property
    def twins(self) -> Mapping[int, int]:
        """The contents of this scan with the pixels of another one, which stands for them in `copies`, by that one; so
        a picture that is there 100,000 times makes no more matches than it has copies."""
        return {}

    def twins_of(self, content: int) -> Sequence[int]:  # noqa: ARG002
        """The contents that this one stands for; it itself is not among them."""
        return ()

    @abstractmethod
    def weighed(self, embedder: str, threshold: float, pairs: Sequence[tuple[int, int]]) -> Iterable[Match]:
        """Those of the pairs of stored contents that are copies, by what `copies` goes by."""

    @abstractmethod
    def alike(
        self, embedder: str, threshold: float, top: int, asked: Callable[[int, int], float | None]
    ) -> Iterable[Match]:
        """Pairs like those of `copies`, by embedding alone: for each content of this scan the `top` closest
        that are no copies of it by any rung of the ladder (hashes, and every `duplicates` rule). `asked` tells the
        least similarity of a pair, not below `threshold`; None leaves it out. What is left out is not counted. First
        come those that `copies` has verified to be one picture, though no copies, however alike: see
        `Detector.asked_last`."""

    @property
    @abstractmethod
    def reference_sets(self) -> Mapping[str, ReferenceSet]:
        """Every reference set there is by name: those of the policy, and those added by command."""

    @abstractmethod
    def prohibited(
        self, embedder: str, threshold: float, sets: Sequence[str], copies_only: bool | None = None
    ) -> Iterable[tuple[Match, Sequence[Reference]]]:
        """Contents of this scan against the references of `sets` (none named: all), each match with the
        reference entries that hold its `other` content. `sets` may not hold anything yet; that is noted.
        Of references of one set in one place, no copies of each other, only the closest is told as a copy.
        `copies_only` leaves out what was verified to be no copy; None: where the embedder finds copies."""

    @abstractmethod
    def described(
        self, embedder: str, threshold: float, sets: Sequence[str]
    ) -> Iterable[tuple[int, Reference, tuple[Evidence, ...]]]:
        """Contents of this scan against the prompts of `sets`, each with the prompt as a reference without a picture;
        nothing for a model that reads no text."""

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
    asked_last: ClassVar[bool] = False
    """Whether its rules wait for all others: for those that ask `Search.alike`, which tells what `copies` refutes."""

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
