"""The YAML policy: its types, and `load_policy`, which names every problem by line and place.

Everything that a policy can say is a field here, with its default and its meaning; `moderator policy schema`
prints the same as JSON Schema.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from moderator.errors import InputError, PolicyError, Problem
from moderator.models import Verdict

MAX_BYTES = 1_000_000
MAX_NODES = 50_000
MAX_DEPTH = 30
"""A policy is a page or two: beyond these it is a mistake or an attack (aliases that multiply)."""

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
    precision: Literal["fp32", "bf16", "int8"] = "fp32"
    """Arithmetic of the forward pass; part of the model id."""
    options: Mapping[str, Any] = Field(default_factory=dict)
    """What else the embedder plugin takes; see `moderator plugins`."""


class ReferenceSet(_Section):
    """A named set of prohibited pictures."""

    folder: Path | None = None
    """A folder whose pictures are the set, read at each scan, relative to the policy file; None for a set kept
    in the store by `moderator references add`."""
    label: str = ""
    """What reports call the set; its name where empty."""
    severity: Literal["low", "medium", "high", "critical"] = "high"
    """Shown with each match."""


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


class Policy(_Section):
    """A whole policy document."""

    version: Literal[1]
    """The version of this format: 1."""
    store: str | None = None
    """Where vectors and results are kept, `sqlite:///path`; a relative path is relative to the policy file.
    None: `moderator.db` beside the policy, or in the platform's data folder for a ready policy."""
    embedders: Annotated[Mapping[Name, EmbedderSpec], Field(min_length=1)]
    """Models by the name that rules use."""
    reference_sets: Mapping[Name, ReferenceSet] = Field(default_factory=dict)
    """Sets of prohibited pictures by name."""
    rules: Annotated[Sequence[Rule], Field(min_length=1)]
    """What a scan asks."""
    exclude: Sequence[str] = (".git", ".hg", ".svn", ".venv", "node_modules", "__pycache__")
    """Folder names that are not entered; each is reported as skipped."""
    limits: Limits = Field(default_factory=Limits)
    """Bounds on one picture."""
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
    store = policy.store
    if store and (relative := store.removeprefix("sqlite:///")) != store:
        store = f"sqlite:///{base / relative}"
    return policy.model_copy(update={"reference_sets": sets, "embedders": embedders, "store": store})


def parse_policy(text: bytes, source: str, vocabulary: Vocabulary | None = None) -> Policy:
    """Checks a policy document held in memory; `source` is its name in messages. Raises: PolicyError."""
    root = _compose(text, source)
    lines = dict(_lines(root, ()))
    document = _construct(root, source)
    problems: list[Problem] = []
    policy = None
    try:
        policy = Policy.model_validate(document)
    except ValidationError as error:
        problems += [_problem(item["loc"], item, lines) for item in error.errors()]
    if isinstance(document, dict):
        problems += _cross_problems(document, lines, vocabulary or {})
    if problems or policy is None:
        raise PolicyError(source, sorted(set(problems), key=lambda problem: (problem.line or 0, problem.place)))
    return policy


def _compose(text: bytes, source: str) -> yaml.Node:
    def refuse(message: str, hint: str = "", line: int | None = None) -> PolicyError:
        return PolicyError(source, [Problem("", message, hint, line)])

    if len(text) > MAX_BYTES:
        raise refuse(f"the document is larger than {MAX_BYTES:,} bytes")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise PolicyError(source, [_not_yaml(error)]) from error
    except RecursionError as error:
        raise refuse("the document is nested too deeply") from error
    if root is None:
        raise refuse("the document is empty", "`moderator init` writes a commented one")
    nodes = 0
    pending = [(root, 0)]
    while pending:
        node, depth = pending.pop()
        nodes += 1
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            raise refuse("the document is nested or repeated (aliases) beyond reason")
        if isinstance(node, yaml.MappingNode):
            keys = {key.value: key for key, _ in reversed(node.value) if isinstance(key, yaml.ScalarNode)}
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and keys[key.value] is not key:
                    # YAML would keep the last one, and half of the rules would be dropped in silence.
                    raise refuse(f"a second key `{key.value}` in one section", line=key.start_mark.line + 1)
            pending += [(child, depth + 1) for pair in node.value for child in pair]
        elif isinstance(node, yaml.SequenceNode):
            pending += [(child, depth + 1) for child in node.value]
    return root


def _construct(root: yaml.Node, source: str) -> Any:
    try:
        return yaml.SafeLoader("").construct_document(root)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError) as error:
        # PyYAML lets its converters' own errors through: `2024-99-99` is a ValueError without a place.
        raise PolicyError(source, [_not_yaml(error)]) from error


def _not_yaml(error: Exception) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    return Problem("", f"not valid YAML: {what}", line=mark.line + 1 if mark else None)


def _lines(node: yaml.Node, place: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """Yields (place, line) of every key and item; a key stands on its own line, not on its value's."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*place, str(key.value))
            yield here, key.start_mark.line + 1
            yield from _lines(value, here)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*place, index), item.start_mark.line + 1
            yield from _lines(item, (*place, index))


def _place(loc: Sequence[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")


def _line(loc: tuple[str | int, ...], lines: Mapping[tuple[str | int, ...], int]) -> int | None:
    return next((lines[loc[:end]] for end in range(len(loc), 0, -1) if loc[:end] in lines), None)


def _problem(loc: tuple[str | int, ...], item: Any, lines: Mapping[tuple[str | int, ...], int]) -> Problem:
    message, hint = item["msg"][0].lower() + item["msg"][1:], ""
    if item["type"] == "extra_forbidden":
        message = f"unknown key `{loc[-1]}`"
        hint = did_you_mean(str(loc[-1]), list(_fields_at(loc[:-1])))
    elif item["type"] == "missing":
        message = f"the key `{loc[-1]}` is missing"
    elif not isinstance(item["input"], dict | list):
        message += f", got {item['input']!r}"
    return Problem(_place(loc), message, hint, _line(loc, lines))


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


def _cross_problems(
    document: Mapping[str, Any], lines: Mapping[tuple[str | int, ...], int], vocabulary: Vocabulary
) -> list[Problem]:
    """Problems between parts of the document, told even where other parts are malformed."""
    problems: list[Problem] = []
    embedders, sets = _mapping(document.get("embedders")), _mapping(document.get("reference_sets"))

    def refuse(loc: tuple[str | int, ...], message: str, hint: str = "") -> None:
        problems.append(Problem(_place(loc), message, hint, _line(loc, lines)))

    def known(loc: tuple[str | int, ...], word: object, words: Sequence[str], what: str) -> None:
        if isinstance(word, str) and word not in words:
            refuse(loc, f"no {what} named `{word}`", did_you_mean(word, words))

    def plugin(loc: tuple[str | int, ...], section: str, name: object, options: object) -> None:
        owners = vocabulary.get(section)
        if owners is None or not isinstance(name, str):
            return
        known(loc, name, sorted(owners), f"{section} plugin")
        model = owners.get(name)
        if model is not None and isinstance(options or {}, dict):
            try:
                model.model_validate(options or {})
            except ValidationError as error:
                for item in error.errors():
                    place = (*loc[:-1], "options", *item["loc"])
                    problem = _problem(place, item, lines)
                    if item["type"] == "extra_forbidden":
                        hint = did_you_mean(str(item["loc"][-1]), list(model.model_fields))
                        problem = Problem(problem.place, problem.message, hint, problem.line)
                    problems.append(problem)

    for name, spec in embedders.items():
        fields = _mapping(spec)
        plugin(("embedders", name, "type"), "embedder", fields.get("type", "clip"), fields.get("options"))
    seen: set[object] = set()
    rules = document.get("rules")
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        fields = _mapping(rule)
        if (rule_id := fields.get("id")) in seen:
            refuse(("rules", index, "id"), f"a second rule with the id `{rule_id}`", "ids are unique")
        seen.add(rule_id if isinstance(rule_id, str) else None)
        seen.discard(None)
        plugin(("rules", index, "detector"), "detector", fields.get("detector"), fields.get("options"))
        if "embedder" in fields:
            known(("rules", index, "embedder"), fields["embedder"], list(embedders), "embedder")
        elif len(embedders) > 1:
            refuse(("rules", index), "several embedders are declared, so the rule must name its `embedder`")
        for position, wanted in enumerate(named if isinstance(named := fields.get("sets"), list) else []):
            known(("rules", index, "sets", position), wanted, list(sets), "reference set")
    return problems


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
