"""The YAML policy: its types, and `load_policy`, which names every problem by line and place.

Everything that a policy can say is a field here, with its default and its meaning; `moderator policy schema`
prints the same as JSON Schema.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from moderator.document import Place, dotted, read_document
from moderator.errors import InputError, PolicyError, Problem
from moderator.models import Verdict
from moderator.resources import ready_policies

DEFAULT_STORE = "moderator.db"

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
    whatever the rule's verdict."""


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
    """How many of the pictures, or references, closest to each picture are verified though they are below a rule's
    threshold."""
    least: Annotated[float, Field(ge=-1, le=1)] = 0.25
    """Least cosine similarity of such a candidate, by a model that finds copies (SSCD); one of meaning (CLIP) takes
    .1 below the rule's threshold."""
    probability: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Least probability of a copy."""
    keep: Literal["features", "thumbnails"] = "features"
    """What is stored of a reference, to verify with when its file is gone: local features, from which the picture
    cannot be seen, or a thumbnail of 160 pixels too, which verifies better."""


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

    def embedder_of(self, rule: Rule) -> str:
        """Returns the name of the embedder that `rule` uses."""
        return rule.embedder or next(iter(self.embedders))


Vocabulary = Mapping[str, Mapping[str, type[BaseModel] | None]]
"""Known plugin names by section (`detector`, `embedder`), each with the model of its options."""


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
        problems += [_problem(item["loc"], item, lines) for item in error.errors()]
    if isinstance(document, dict):
        problems += _CrossCheck(document, lines, vocabulary or {}).run()
    if problems or policy is None:
        raise PolicyError(source, sorted(set(problems), key=lambda problem: (problem.line or 0, problem.place)))
    return policy


def _line(loc: Place, lines: Mapping[Place, int]) -> int | None:
    return next((lines[loc[:end]] for end in range(len(loc), 0, -1) if loc[:end] in lines), None)


def _problem(loc: Place, item: Any, lines: Mapping[Place, int], fields: Sequence[str] | None = None) -> Problem:
    told, hint = item["msg"].removeprefix("Value error, "), ""
    message = told[0].lower() + told[1:]
    loc = _in_document(loc, lines, missing=item["type"] == "missing")
    if item["type"] == "extra_forbidden":
        message = f"unknown key `{loc[-1]}`"
        hint = did_you_mean(str(loc[-1]), fields or list(_fields_at(loc[:-1])))
    elif item["type"] == "missing":
        message = f"the key `{loc[-1]}` is missing"
    elif item["type"] == "sequence_str":
        message = f"must be a list, such as [{item['input']}]"
    elif not isinstance(item["input"], dict | list):
        message += f", got {item['input']!r}"
    return Problem(dotted(loc), message, hint, _line(loc, lines))


def _in_document(loc: Place, lines: Mapping[Place, int], *, missing: bool) -> Place:
    """Returns a place without the names that pydantic gives to the branches of a union, which nobody wrote."""
    place: Place = ()
    for number, part in enumerate(loc, 1):
        if (*place, part) in lines or (missing and number == len(loc)):
            place = (*place, part)
    return place


def did_you_mean(wrong: str, known: Sequence[str]) -> str:
    """Returns a hint that names the nearest known word, or all of them."""
    if near := difflib.get_close_matches(wrong, known, n=1):
        return f"did you mean `{near[0]}`?"
    return f"known here: {', '.join(sorted(known))}" if known else ""


def _fields_at(loc: Sequence[str | int]) -> Mapping[str, FieldInfo]:
    model: type[BaseModel] = Policy
    for part in loc:
        if (info := model.model_fields.get(str(part))) is not None:
            model = next(_models_in(info.annotation), model)
    return model.model_fields


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


class _CrossCheck:
    """Problems between parts of the document, told even where other parts are malformed."""

    def __init__(self, document: Mapping[str, Any], lines: Mapping[Place, int], vocabulary: Vocabulary) -> None:
        self._document = document
        self._lines = lines
        self._vocabulary = vocabulary
        self._embedders = _mapping(document.get("embedders"))
        self._sets = _mapping(document.get("reference_sets"))
        self.problems: list[Problem] = []

    def run(self) -> list[Problem]:
        for name, spec in self._embedders.items():
            fields = _mapping(spec)
            self._plugin(("embedders", name, "type"), "embedder", fields.get("type", "clip"), fields.get("options"))
        seen: set[str] = set()
        rules = self._document.get("rules")
        for index, rule in enumerate(rules if isinstance(rules, list) else []):
            fields = _mapping(rule)
            self._unique(index, fields.get("id"), seen)
            self._rule(index, fields)
        return self.problems

    def _unique(self, index: int, rule_id: object, seen: set[str]) -> None:
        if isinstance(rule_id, str):
            if rule_id in seen:
                self._refuse(("rules", index, "id"), f"a second rule with the id `{rule_id}`", "ids are unique")
            seen.add(rule_id)

    def _rule(self, index: int, fields: Mapping[str, Any]) -> None:
        self._plugin(("rules", index, "detector"), "detector", fields.get("detector"), fields.get("options"))
        if "embedder" in fields:
            self._known(("rules", index, "embedder"), fields["embedder"], list(self._embedders), "embedder")
        elif len(self._embedders) > 1:
            self._refuse(("rules", index), "several embedders are declared, so the rule must name its `embedder`")
        named = fields.get("sets")
        for position, wanted in enumerate(named if isinstance(named, list) else []):
            place = ("rules", index, "sets", position)
            self._known(place, wanted, list(self._sets), "reference set")
            if isinstance(wanted, str) and _mapping(self._sets.get(wanted)).get("allow") is True:
                hint = "name prohibited sets; those with `allow: true` are asked by every rule"
                self._refuse(place, f"`{wanted}` is a set of pictures that are fine", hint)

    def _refuse(self, place: Place, message: str, hint: str = "") -> None:
        self.problems.append(Problem(dotted(place), message, hint, _line(place, self._lines)))

    def _known(self, place: Place, word: object, words: Sequence[str], what: str) -> None:
        if isinstance(word, str) and word not in words:
            self._refuse(place, f"no {what} named `{word}`", did_you_mean(word, words))

    def _plugin(self, place: Place, section: str, name: object, options: object) -> None:
        owners = self._vocabulary.get(section)
        if owners is None or not isinstance(name, str):
            return
        self._known(place, name, sorted(owners), f"{section} plugin")
        model = owners.get(name)
        if model is None or not isinstance(options or {}, dict):
            return
        try:
            model.model_validate(options or {})
        except ValidationError as error:
            for item in error.errors():
                at = (*place[:-1], "options", *item["loc"])
                self.problems.append(_problem(at, item, self._lines, list(model.model_fields)))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
