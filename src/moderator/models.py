"""What travels the street: an image goes in as a path and comes out as a line of a report.

Everything here is frozen. A *content* is one distinct sequence of bytes, known by the store's id; an *image*
is a path that holds a content; two images with one content are identical copies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Verdict(StrEnum):
    """What a rule says of an image, mildest first."""

    ALLOW = "allow"
    REVIEW = "review"
    BLOCK = "block"

    def reaches(self, other: Verdict) -> bool:
        """Whether this verdict is at least as severe as `other`."""
        order = list(Verdict)
        return order.index(self) >= order.index(other)


class Kind(StrEnum):
    """What a match is, closest first: the rungs of the evidence ladder, in plain words."""

    COPY = "copy"
    EDITED_COPY = "edited_copy"
    VARIANT = "variant"
    LOOKALIKE = "lookalike"

    @property
    def words(self) -> str:
        return self.value.replace("_", " ")


PANELS = 2
"""Raised when other parts of a picture become views, so that stored pictures are embedded again."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a decoded picture is brought to a model's input size, before the model's own arithmetic.

    Attributes:
        width: pixels; with `fit="contain"` the largest width.
        height: pixels; with `fit="contain"` the largest height.
        fit: `squash` ignores the aspect ratio, `crop` scales the short side and cuts the middle, `contain`
            only shrinks what is larger.
        resample: Pillow's filter, by its lower-case name.
        views: what of a picture is embedded: the whole; `panels`, the pictures that it shows too
            (`moderator.intake.panels`); `tiles`, its quarters and its middle too.
    """

    width: int
    height: int
    fit: Literal["squash", "crop", "contain"] = "squash"
    resample: Literal["bilinear", "bicubic", "lanczos"] = "bilinear"
    views: Literal["whole", "panels", "tiles"] = "whole"

    @property
    def version(self) -> str:
        """Part of the model id: a vector made another way is a vector of another model, and so are other views."""
        views = "" if self.views == "whole" else f"-{self.views}-{PANELS}"
        return f"{self.fit}-{self.width}x{self.height}-{self.resample}-2{views}"


@dataclass(frozen=True, slots=True)
class ModelId:
    """What a vector is bound to. Vectors of two model ids are never compared."""

    name: str
    revision: str
    precision: str
    preprocessing: str
    dimension: int

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}/{self.precision}/{self.preprocessing}/{self.dimension}"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture at a path, as the store knows it. `scanned` is False for one from an earlier scan.

    Attributes:
        path: as it is printed.
        size: bytes.
        modified: when the file was last written, in nanoseconds since 1970.
        file: its absolute path as the system takes it; bytes that are no UTF-8 stand as surrogates.
        taken: when it was photographed, as of `Fingerprint`.
    """

    path: str
    content: int
    sha256: str
    width: int
    height: int
    size: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    scanned: bool = True
    format: str = ""
    modified: int = 0
    file: str = ""
    taken: str = ""

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class Reference:
    """A prohibited picture, named by its set and a label that never is its file name unless asked for.

    Attributes:
        content: 0 for a prompt of the set, which has no picture; its label is the text.
        allow: True for one of an allowlist: what matches it is fine.
    """

    set: str
    entry: int
    label: str
    content: int
    severity: str = "high"
    set_label: str = ""
    allow: bool = False

    def __str__(self) -> str:
        named = f"{self.set}#{self.entry}" if self.content else self.set
        parts = (named, self.label, self.set_label, f"{self.severity} severity")
        return ", ".join(part for part in parts if part)


VERIFIED = "verified"
"""The signal of the rung that compares two pictures by geometry, texture and colour."""

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
    """

    signal: str
    kind: Kind
    score: float | None
    threshold: float
    note: str = ""
    region: Region | None = None

    @property
    def holds(self) -> bool:
        return self.score is not None and self.score >= self.threshold

    @property
    def refutes(self) -> bool:
        """Whether this rung verified the pair and found no copy."""
        copy = self.holds and self.kind is Kind.EDITED_COPY
        return self.signal == VERIFIED and self.score is not None and not copy

    @property
    def words(self) -> str:
        """What the rung says, in plain words: `identical bytes`, `0.874 by sscd, 0.60 asked`."""
        if self.score is None or self.signal in ("bytes", "pixels"):
            return self.note
        if self.signal == "pdq":
            return f"same picture: {self.note}" if self.kind is Kind.COPY else f"by perceptual hash, {self.note}"
        if self.signal == VERIFIED:
            return f"verified at {self.score:.3f}, {self.threshold:.2f} asked: {self.note}"
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


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures reported together.

    Attributes:
        smallest: the least similarity of any two of them.
        keeper: the picture to keep, where the detector names one.
    """

    id: str
    size: int
    smallest: float
    keeper: Image | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict of one rule on one image, with the evidence it stands on."""

    rule: str
    detector: str
    verdict: Verdict
    image: Image
    match: Image | Reference
    evidence: tuple[Evidence, ...]
    reason: str
    group: Group | None = None

    @property
    def strongest(self) -> Evidence:
        return strongest(self.evidence)

    @property
    def kind(self) -> Kind:
        return self.strongest.kind


@dataclass(frozen=True, slots=True)
class Decision:
    """A reviewer's word on a pair of contents, which outlives moves, rescans and changes of model."""

    sha256: str
    match_sha256: str
    verdict: Verdict
    reason: str
    owner: str
    expires: str | None = None


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A path that was found but not judged: `code` for machines, `reason` for people."""

    path: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A plugin, or a rule of one, that failed: what it should have reported is missing."""

    plugin: str
    version: str
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a scan. Found = judged + rejected + skipped, always."""

    policy: str
    store: str
    started: str
    seconds: float
    judged: int
    embedded: int
    unchanged: int
    findings: tuple[Finding, ...] = ()
    rejected: tuple[Unjudged, ...] = ()
    skipped: tuple[Unjudged, ...] = ()
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    unread_references: int = 0

    @property
    def found(self) -> int:
        return self.judged + len(self.rejected) + len(self.skipped)

    def exit_code(self, fail_on: Verdict) -> int:
        """0 clean, 1 findings at or above `fail_on`, 2 a plugin failed, 5 some images were not judged."""
        if self.faults:
            return 2
        if any(finding.verdict.reaches(fail_on) for finding in self.findings):
            return 1
        return 5 if self.rejected or self.unread_references else 0
