"""What a scan says: verdicts on pictures, what was not judged, and the whole of it."""

from __future__ import annotations

from dataclasses import dataclass

from moderator.models.evidence import Evidence, Kind, strongest
from moderator.models.pictures import Image, Reference
from moderator.verdict import Verdict


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

    @property
    def words(self) -> str:
        """The code for people, as it stands in a list of counts."""
        return _WORDS.get(self.code, self.code.replace("_", " "))


_LINK, _NO_FILE = "symbolic link", "no regular file"
_WORDS = {
    "symlink": _LINK,
    "named_symlink": _LINK,
    "not_regular": _NO_FILE,
    "named_not_regular": _NO_FILE,
    "vector_refused": "refused by the model",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A plugin, or a rule of one, that failed: what it should have reported is missing."""

    plugin: str
    version: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"plugin {self.plugin} {self.version} failed ({self.where}): {self.message}"


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
