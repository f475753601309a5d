"""The YAML policy: its types, and `load_policy`, which names every problem by line and place.

Everything that a policy can say is a field here, with its default and its meaning; `moderator policy schema`
prints the same as JSON Schema.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moderator.document import read_document
from moderator.errors import ArgumentError, InputError, PolicyError, Problem, did_you_mean
from moderator.models import Verdict
from moderator.resources import ready_policies
from moderator.validation import CrossCheck, Vocabulary, problem

DEFAULT_STORE = "moderator.db"
DUPLICATES = "duplicates"
"""Rules of this detector say from which similarity on two pictures are copies."""
LOOKALIKE = "lookalike"
"""Rules of this detector tell what is alike and no copy."""
PROHIBITED = "prohibited"
"""Rules of this detector ask reference sets."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class EmbedderSpec(_Section):
    """A model that turns a picture into a vector."""

    type: Name = "clip"
    """Which embedder plugin: `clip` (any sentence-transformers image model) or `onnx`."""
    model: str = "clip-ViT-B-32"
    """The model's name on the hub, a folder or file, or a preset (`sscd`, `sscd-distilled`) for `onnx`."""
    revision: str | None = None
    """The hub revision (commit) to pin; None takes the one in the cache."""
    precision: Literal["fp32", "bf16", "fp16", "int8"] = "fp32"
    """Arithmetic of the forward pass; part of the model id. `bf16` where the processor has it, `fp16` on CUDA, `int8`
    after `moderator models optimize`."""
    options: Mapping[str, Any] = Field(default_factory=dict)
    """What else the embedder plugin takes; see `moderator plugins`."""


class ReferenceSet(_Section):
    """A named set of prohibited pictures, or of pictures that are fine."""

    folder: Path | None = None
    """A folder whose pictures are the set, read at each scan, relative to the policy file; None for a set kept
    in the store by `moderator references add`."""
    label: str = ""
    """What reports call the set; its name where empty."""
    severity: Literal["low", "medium", "high", "critical"] = "high"
    """Shown with each match; the verdict is the rule's."""
    allow: bool = False
    """True for pictures that are fine: what matches one of them at least as closely as it matches a prohibited
    picture is not reported by any `prohibited` rule, and is counted."""
    prompts: Sequence[Annotated[str, Field(min_length=1)]] = ()
    """Texts as soft references, for rules whose model reads text (CLIP): a picture that a text fits is sent to review,
    whatever the rule's verdict, unless it is a copy of one that is fine."""


class Rule(_Section):
    """One question a scan asks, and the verdict when the answer is yes."""

    id: Name
    """Unique; findings carry it."""
    detector: Name
    """Which detector plugin: `duplicates`, `prohibited`, `lookalike`, or one of your own."""
    embedder: Name | None = None
    """One of `embedders`; the only one where it is left out."""
    threshold: Annotated[float, Field(ge=-1, le=1)]
    """Least cosine similarity, higher is closer."""
    sets: Sequence[Name] = ()
    """Reference sets to match against; none named means every set, those added by command included."""
    verdict: Verdict = Verdict.REVIEW
    """`allow`, `review` or `block`."""
    copies_only: bool | None = None
    """Whether matches that the policy's `verify` section finds to be no copies are left out; else they are reported as
    the variants or lookalikes that they are. None: left out where the model finds copies."""
    options: Mapping[str, Any] = Field(default_factory=dict)
    """What else the detector plugin takes; see `moderator plugins`."""


class Limits(_Section):
    """Bounds on one picture. Lower them freely; the shipped values are the ceiling."""

    file_mb: Annotated[float, Field(gt=0, le=50)] = 50
    """Largest file, in megabytes of 1,000,000 bytes."""
    megapixels: Annotated[float, Field(gt=0, le=50)] = 50
    """Largest picture, and largest sum over sampled frames, in millions of pixels."""
    frames: Annotated[int, Field(ge=1, le=16)] = 16
    """How many frames of an animated picture are judged, spread evenly."""
    seconds: Annotated[float, Field(gt=0, le=20)] = 20
    """Wall-clock time for decoding one picture."""
    memory_mb: Annotated[int, Field(ge=256, le=1024)] = 1024
    """Memory of one decoding worker above what it starts with, in MiB."""


class SearchSpec(_Section):
    """How vectors are searched. Every way finds the same, but for clusters and `approximate`; what those find is told.
    """

    pairs: Literal["auto", "exact"] = "auto"
    """How duplicates are found among 50,000 vectors and more: `auto` compares those that share a cluster where that
    was measured to find 999 of 1,000 pairs, `exact` compares each two."""
    index: bool = True
    """Whether 20,000 vectors and more are also kept as codes in a local file, beside a SQLite store or in the user's
    cache folder. It is as sensitive as the store; without it every search reads every vector from the store."""
    approximate: bool = False
    """Whether `moderator search`, and a scan for pairs of pictures, may ask a vector index of the server (`moderator db
    index` makes it), which is faster for a few pictures among millions and may miss some of the closest; its measured
    recall is told. References are always compared exactly. A store without such indexes (SQLite, MySQL) refuses it."""


class Verify(_Section):
    """How candidates for copies are verified, by local features, geometry, texture and colour."""

    candidates: Annotated[int, Field(ge=1, le=100)] = 5
    """How many of the pictures, or references, closest to each picture, and to each picture that it shows, are verified
    though they are below a rule's threshold."""
    least: Annotated[float, Field(ge=-1, le=1)] = 0.2
    """Least cosine similarity of such a candidate, by a model that finds copies (SSCD); one of meaning (CLIP) takes
    .1 below the rule's threshold."""
    probability: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Least probability of a copy."""
    keep: Literal["features", "thumbnails"] = "features"
    """What is stored of a reference, to verify with when its file is gone: local features, from which the picture
    cannot be seen, or a thumbnail of 160 pixels too, which verifies better. Of pictures, features alone are stored, and
    only in a store of up to 20,000 contents."""


class Policy(_Section):
    """A whole policy document."""

    version: Literal[1]
    """The version of this format: 1."""
    store: str | None = None
    """Where vectors and results are kept: `sqlite:///path`, relative to the policy file, or
    `mysql://user@host:3306/database` (mariadb, oceanbase, tidb), without a password.
    None: `moderator.db` beside the policy, or in the platform's data folder for a ready policy."""
    embedders: Annotated[Mapping[Name, EmbedderSpec], Field(min_length=1)]
    """Models by the name that rules use."""
    reference_sets: Mapping[Name, ReferenceSet] = Field(default_factory=dict)
    """Sets of prohibited pictures by name."""
    rules: Annotated[Sequence[Rule], Field(min_length=1)]
    """What a scan asks."""
    verify: Verify | None = None
    """Verifies what might be a copy; `verify: {}` takes the defaults. None: cosine similarity alone decides."""
    exclude: Sequence[str] = (".git", ".hg", ".svn", ".venv", "node_modules", "__pycache__")
    """Folder names that are not entered; each is reported as skipped."""
    limits: Limits = Field(default_factory=Limits)
    """Bounds on one picture."""
    search: SearchSpec = Field(default_factory=SearchSpec)
    """How vectors are searched."""
    fail_on: Verdict = Verdict.BLOCK
    """The mildest verdict that makes `moderator scan` exit with 1."""

    def declared(self, embedder: str) -> str:
        """Returns the name of an embedder. Raises: ArgumentError, the policy declares none of this name."""
        if embedder not in self.embedders:
            hint = did_you_mean(embedder, list(self.embedders))
            raise ArgumentError(f"no embedder named `{embedder}` in the policy", hint=hint)
        return embedder

    def rules_of(self, detector: str) -> list[Rule]:
        """Returns the rules of a detector, in their order."""
        return [rule for rule in self.rules if rule.detector == detector]

    def sets_of(self, rule: Rule) -> Sequence[str]:
        """Returns the reference sets that a rule asks: those it names and, as every rule does, the allowlists; empty
        where it names none, and so asks all there are."""
        allow = [name for name, declared in self.reference_sets.items() if declared.allow]
        return [*rule.sets, *allow] if rule.sets else []

    def asks(self, rule: Rule, name: str) -> bool:
        """Whether a rule asks a reference set."""
        return not rule.sets or name in self.sets_of(rule)

    def embedder_of(self, rule: Rule) -> str:
        """Returns the name of the embedder that `rule` uses."""
        return rule.embedder or next(iter(self.embedders))

    @property
    def used(self) -> Sequence[str]:
        """The names of the embedders that rules use. The others may be declared and lack their weights."""
        return list(dict.fromkeys(map(self.embedder_of, self.rules)))


def load_policy(path: Path, vocabulary: Vocabulary | None = None) -> Policy:
    """Reads and checks a policy document.

    With `vocabulary` (from the registry), detector and embedder names and their options are checked too.

    Raises:
        InputError: the file cannot be read.
        PolicyError: the document has problems; all that can be told at once are.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read the policy {path}: {error.strerror}", hint="`moderator init` writes one"
        ) from error
    return _anchored(parse_policy(text, str(path), vocabulary), path.resolve().parent)


def _anchored(policy: Policy, base: Path) -> Policy:
    """Makes the document's relative paths absolute: they are relative to the file that names them."""
    sets = {
        name: spec.model_copy(update={"folder": base / spec.folder}) if spec.folder else spec
        for name, spec in policy.reference_sets.items()
    }
    embedders = {
        name: spec.model_copy(update={"model": str(base / spec.model)}) if (base / spec.model).exists() else spec
        for name, spec in policy.embedders.items()
    }
    store = policy.store or f"sqlite:///{DEFAULT_STORE}"
    if (relative := store.removeprefix("sqlite:///")) != store:
        beside = base if policy.store or base not in _shipped() else platformdirs.user_data_path("moderator")
        store = f"sqlite:///{beside / relative}"
    return policy.model_copy(update={"reference_sets": sets, "embedders": embedders, "store": store})


def _shipped() -> set[Path]:
    return {path.resolve().parent for path in ready_policies().values()}


def parse_policy(text: bytes, source: str, vocabulary: Vocabulary | None = None) -> Policy:
    """Checks a policy document held in memory; `source` is its name in messages. Raises: PolicyError."""
    document, lines = read_document(text, source)
    problems: list[Problem] = []
    policy = None
    try:
        policy = Policy.model_validate(document)
    except ValidationError as error:
        problems += [problem(item["loc"], item, lines, Policy) for item in error.errors()]
    if isinstance(document, dict):
        problems += CrossCheck(document, lines, vocabulary or {}).run()
    if problems or policy is None:
        raise PolicyError(source, sorted(set(problems), key=lambda one: (one.line or 0, one.place)))
    return policy
