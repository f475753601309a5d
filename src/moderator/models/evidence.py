"""A match of two pictures and what it stands on: the rungs of the evidence ladder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class Kind(StrEnum):
    """What a match is, closest first: the rungs of the evidence ladder, in plain words."""

    COPY = "copy"
    EDITED_COPY = "edited_copy"
    VARIANT = "variant"
    LOOKALIKE = "lookalike"

    @property
    def rank(self) -> int:
        """Its place in the ladder, 0 for the closest."""
        return list(Kind).index(self)

    @property
    def words(self) -> str:
        return self.value.replace("_", " ")


VERIFIED = "verified"
"""The signal of the rung that compares two pictures by geometry, texture and colour."""

MOSTLY = 0.95
"""Share of both pictures from which on they are told to agree as wholes."""

Polygon = tuple[tuple[float, float], ...]
"""Corners x, y in [0, 1] of a picture's width and height, from its upper left."""


@dataclass(frozen=True, slots=True)
class Region:
    """Where two pictures show the same.

    Attributes:
        image, match: the region in each picture, its corners in the same order.
        image_coverage, match_coverage: its share of each picture, in [0, 1].
        mirrored: whether left and right are exchanged between them.
    """

    image: Polygon
    match: Polygon
    image_coverage: float
    match_coverage: float
    mirrored: bool = False

    @property
    def partial(self) -> bool:
        """Whether one of the two shows more than what both do."""
        return min(self.image_coverage, self.match_coverage) < MOSTLY

    @property
    def words(self) -> str:
        """How much of each picture it is: `32% of this one is 99% of the match`."""
        return f"{self.image_coverage:.0%} of this one is {self.match_coverage:.0%} of the match"

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what encloses the region in the first picture."""
        across, down = zip(*self.image, strict=True)
        return min(across), min(down), max(across), max(down)

    @property
    def reversed(self) -> Region:
        """The same region with the two pictures exchanged."""
        return Region(self.match, self.image, self.match_coverage, self.image_coverage, self.mirrored)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One rung of the ladder, tried on one pair.

    Attributes:
        signal: `bytes`, `pixels`, `pdq`, `verified`, or the policy's name of an embedder.
        kind: what the pair is if this rung holds.
        score: cosine similarity in [-1, 1], higher is closer, or for `verified` a probability in [0, 1]; None where the
            rung could not be tried.
        threshold: the least score at which the rung holds.
        note: why it could not be tried, or how it was measured, in a few words.
        region: where the two agree, of a pair that was verified or is closest in a part of one.
        misfit: of `verified`, by how many of 255 levels the two differ there beyond one change of all colours, on
            average; None where the pixels of both were not compared.
    """

    signal: str
    kind: Kind
    score: float | None
    threshold: float
    note: str = ""
    region: Region | None = None
    misfit: float | None = None

    @property
    def holds(self) -> bool:
        return self.score is not None and self.score >= self.threshold

    @property
    def refutes(self) -> bool:
        """Whether this rung verified the pair and found no copy."""
        copy = self.holds and self.kind is Kind.EDITED_COPY
        return self.signal == VERIFIED and self.score is not None and not copy

    @property
    def reversed(self) -> Evidence:
        """The same rung with the two pictures exchanged."""
        return self if self.region is None else replace(self, region=self.region.reversed)

    @property
    def words(self) -> str:
        """What the rung says, in plain words: `identical bytes`, `0.874 by sscd, 0.60 asked`."""
        if self.score is None or self.signal in ("bytes", "pixels"):
            return self.note
        if self.signal == "pdq":
            return f"same picture: {self.note}" if self.kind is Kind.COPY else f"by perceptual hash, {self.note}"
        if self.signal == VERIFIED:
            shared = f"; {self.region.words}" if self.region is not None and self.region.partial else ""
            return f"verified at {self.score:.3f}, {self.threshold:.2f} asked: {self.note}{shared}"
        part = f" of {self.note}" if self.region else ""
        return f"{self.score:.3f} by {self.signal}{part}, {self.threshold:.2f} asked"


def strongest(evidence: Sequence[Evidence]) -> Evidence:
    """Returns the first rung that holds, which names the match; the last one tried where none does."""
    return next((rung for rung in evidence if rung.holds), evidence[-1])


@dataclass(frozen=True, slots=True)
class Match:
    """Two contents and every rung tried on them, strongest first; at least one rung holds."""

    content: int
    other: int
    evidence: tuple[Evidence, ...]

    @property
    def strongest(self) -> Evidence:
        return strongest(self.evidence)

    @property
    def kind(self) -> Kind:
        return self.strongest.kind

    @property
    def verified(self) -> Evidence | None:
        """The rung of verification; None where it was not tried."""
        return next((rung for rung in self.evidence if rung.signal == VERIFIED), None)

    def seen_from(self, content: int) -> Match:
        """Returns the match as one of this content with the other one, its regions exchanged where that is needed."""
        if content == self.content:
            return self
        return Match(self.other, self.content, tuple(rung.reversed for rung in self.evidence))

    @property
    def holder(self) -> int | None:
        """The content that shows the other one among other things, as a collage or a screenshot does: in a panel of its
        own, by what its views say. None where neither does."""
        parts = (rung.region for rung in self.evidence if rung.region is not None and rung.signal != VERIFIED)
        region = next(parts, None)
        if region is None:
            return None
        return self.content if region.image_coverage < region.match_coverage else self.other

    @property
    def farness(self) -> tuple[int, float, float]:
        """Sorts the closest match first: the strongest kind, then the surest by the rung that says so, then the most
        alike."""
        return self.kind.rank, -(self.strongest.score or 0.0), -self.score

    @property
    def refuted(self) -> bool:
        """Whether the pair was verified and found to be no copy."""
        return any(rung.refutes for rung in self.evidence)

    @property
    def confirmed(self) -> bool:
        """Whether the pair is a copy beyond its cosine: by its bytes, pixels or hash, or verified."""
        return not self.refuted and any(
            rung.holds for rung in self.evidence if rung.signal in (VERIFIED, "bytes", "pixels", "pdq")
        )

    def lies_in(self, other: Match) -> bool:
        """Whether most of where this match is in the picture is also where `other` is; no region is the whole."""
        if (theirs := other.strongest.region) is None:
            return True
        left, top, right, bottom = region.box if (region := self.strongest.region) else (0.0, 0.0, 1.0, 1.0)
        across = max(0.0, min(right, theirs.box[2]) - max(left, theirs.box[0]))
        down = max(0.0, min(bottom, theirs.box[3]) - max(top, theirs.box[1]))
        return across * down > (right - left) * (bottom - top) / 2

    @property
    def score(self) -> float:
        """The cosine of the last rung tried, the one every pair of a rule shares; 1.0 for identical bytes."""
        scores = [rung.score for rung in self.evidence if rung.score is not None]
        return scores[-1] if scores else 0.0
