"""Names every problem of a policy document: by line and place, in plain words, with the nearest known word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from moderator.document import Place, dotted
from moderator.errors import Problem, did_you_mean
from moderator.wording import plainly

Vocabulary = Mapping[str, Mapping[str, type[BaseModel] | None]]
"""Known plugin names by section (`detector`, `embedder`), each with the model of its options."""


def _line(loc: Place, lines: Mapping[Place, int]) -> int | None:
    return next((lines[loc[:end]] for end in range(len(loc), 0, -1) if loc[:end] in lines), None)


def problem(loc: Place, item: Any, lines: Mapping[Place, int], model: type[BaseModel], at: Place = ()) -> Problem:
    """Returns what pydantic says of one place of a document in plain words, with its line and the nearest known word.

    Args:
        item: one of `ValidationError.errors()`.
        lines: of every key and item.
        model: the type of what stands at `at`, the whole document by default.
    """
    told, hint = plainly(item["msg"]), ""
    message = told[0].lower() + told[1:]
    loc = _in_document(loc, lines, missing=item["type"] == "missing")
    if item["type"] == "extra_forbidden":
        message = f"unknown key `{loc[-1]}`"
        hint = did_you_mean(str(loc[-1]), list(_fields_at(model, loc[len(at) : -1])))
    elif item["type"] == "missing":
        message = f"the key `{loc[-1]}` is missing"
    elif item["type"] == "sequence_str":
        message = f"must be a list, such as [{item['input']}]"
    elif item["type"] == "is_instance_of" and item["ctx"]["class"] == "Sequence":
        message = "must be a list"
    elif item["type"] in ("model_type", "dict_type"):
        message = "must be a section of keys with their values"
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


def _fields_at(model: type[BaseModel], loc: Place) -> Mapping[str, FieldInfo]:
    for part in loc:
        if (info := model.model_fields.get(str(part))) is not None:
            model = next(_models_in(info.annotation), model)
    return model.model_fields


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


class CrossCheck:
    """Problems between parts of the document, told even where other parts are malformed."""

    def __init__(self, document: Mapping[str, Any], lines: Mapping[Place, int], vocabulary: Vocabulary) -> None:
        self._document = document
        self._lines = lines
        self._vocabulary = vocabulary
        self._embedders = _mapping(document.get("embedders"))
        self._sets = _mapping(document.get("reference_sets"))
        self.problems: list[Problem] = []

    def run(self) -> list[Problem]:
        """Returns them all."""
        for name, spec in self._embedders.items():
            fields = _mapping(spec)
            self._plugin(("embedders", name, "type"), "embedder", fields.get("type", "clip"), fields.get("options"))
        for name, spec in self._sets.items():
            fields = _mapping(spec)
            if fields.get("allow") is True and fields.get("prompts"):
                place = ("reference_sets", name, "prompts")
                self._refuse(place, "a text proves no picture fine", "an allowlist has pictures alone")
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
                at = (*place[:-1], "options")
                self.problems.append(problem((*at, *item["loc"]), item, self._lines, model, at))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
