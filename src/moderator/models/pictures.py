"""Pictures, references, and what their vectors are bound to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PANELS = 3
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
        since: when the scan began that brought it, in UTC; text that sorts. Empty where that is not known, and for the
            first folder of `scan --between`, which counts as there before.
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
    since: str = ""

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
