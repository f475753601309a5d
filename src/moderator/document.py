"""Reads a YAML document together with the line of each of its keys, and refuses what no policy needs.

PyYAML's own loader forgets lines, keeps the last of two equal keys, and expands aliases without end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from moderator.errors import PolicyError, Problem
from moderator.wording import first_line

MAX_BYTES = 1_000_000
MAX_NODES = 50_000
MAX_DEPTH = 30
"""A policy is a page or two: beyond these it is a mistake or an attack (aliases that multiply)."""

Place = tuple[str | int, ...]
"""Where something stands in a document: keys and indexes from the top."""


def read_document(text: bytes, source: str) -> tuple[Any, Mapping[Place, int]]:
    """Returns the document's value and the line (from 1) of every key and item; `source` is its name in messages.

    Raises:
        PolicyError: it is no YAML, empty, too large, too deep, or says one key twice.
    """
    try:
        root = _compose(text)
        _check(root)
        value = yaml.SafeLoader("").construct_document(root)
    except PolicyError as error:
        raise PolicyError(source, error.problems) from None
    except RecursionError as error:
        raise PolicyError(source, [Problem("", "the document is nested too deeply")]) from error
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError) as error:
        # PyYAML lets its converters' own errors through: `2024-99-99` is a ValueError without a place.
        raise PolicyError(source, [_not_yaml(error)]) from error
    return value, dict(_lines(root, ()))


def replaced(text: bytes, source: str, numbers: Mapping[Place, float]) -> bytes:
    """Returns the document with the numbers at these places replaced, and every other byte as it was.

    Raises:
        PolicyError: a place is not there, or its number is shared with another place (an anchor, a merged section).
    """
    before, lines = read_document(text, source)
    characters = text.decode("utf-8-sig")
    mark = text[: len(text) - len(characters.encode())]  # a byte order mark, which no position counts
    nodes = dict(_scalars(yaml.compose(characters, Loader=yaml.SafeLoader), ()))
    for place in sorted((place for place in numbers if place in nodes), key=lambda one: -nodes[one].start_mark.index):
        node = nodes[place]
        characters = characters[: node.start_mark.index] + f"{numbers[place]:g}" + characters[node.end_mark.index :]
    made = mark + characters.encode()
    try:
        after, _ = read_document(made, source)
    except PolicyError:  # an anchor went with the number that it named
        after = None
    # Without shared parts, which YAML's anchors make: a number that changes elsewhere too must be seen to.
    before, after = (json.loads(json.dumps(value, default=str)) for value in (before, after))
    for place, number in numbers.items():
        if not _put(before, place, number):
            raise PolicyError(source, [Problem(dotted(place), "there is no number here to replace")])
    if after != before:
        shared = "an anchor or a merged section shares this number with another place"
        raise PolicyError(source, [Problem(dotted(one), shared, "edit it by hand", lines.get(one)) for one in numbers])
    return made


def added(text: bytes, source: str, place: Place, number: float) -> bytes:
    """Returns the document with a number put first into a section that lacks it, and every other byte as it was.

    Raises:
        PolicyError: the section is not there, or an anchor shares it with another place.
    """
    characters = text.decode("utf-8-sig")
    mark = text[: len(text) - len(characters.encode())]
    section = dict(_sections(yaml.compose(characters, Loader=yaml.SafeLoader), ())).get(place[:-1])
    if section is None:
        raise PolicyError(source, [Problem(dotted(place), "there is no section here to write into")])
    line = f"{place[-1]}: {number:g}"
    if section.flow_style:
        at = section.start_mark.index + 1
        line += ", " if section.value else ""
    else:
        first = section.value[0][0].start_mark
        at = first.index
        line += ("\r\n" if "\r\n" in characters else "\n") + " " * first.column
    made = mark + (characters[:at] + line + characters[at:]).encode()
    before, _ = read_document(text, source)
    try:
        after, _ = read_document(made, source)
    except PolicyError:  # an anchor stands before the section
        after = None
    before, after = (json.loads(json.dumps(value, default=str)) for value in (before, after))
    holder = before
    for part in place[:-1]:
        holder = holder[part]
    holder[place[-1]] = number
    if before != after:
        raise PolicyError(source, [Problem(dotted(place), "an anchor shares this section: edit it by hand")])
    return made


def _sections(node: yaml.Node | None, place: Place) -> Iterator[tuple[Place, yaml.MappingNode]]:
    """Yields every mapping below mappings, with its place."""
    if isinstance(node, yaml.MappingNode):
        yield place, node
        for key, value in node.value:
            yield from _sections(value, (*place, str(key.value)))


def _scalars(node: yaml.Node | None, place: Place) -> Iterator[tuple[Place, yaml.ScalarNode]]:
    """Yields every plain or quoted value with its place."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(value, (*place, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _scalars(item, (*place, index))
    elif isinstance(node, yaml.ScalarNode):
        yield place, node


def _put(value: Any, place: Place, number: float) -> bool:
    """Replaces the number at a place of a document's value; tells whether there was one."""
    for part in place[:-1]:
        if isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            value = value.get(part) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(value.get(place[-1]), int | float):
        return False
    value[place[-1]] = number
    return True


def dotted(place: Place) -> str:
    """Returns a place in words: `rules[0].threshold`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


def _refusal(message: str, hint: str = "", line: int | None = None) -> PolicyError:
    return PolicyError("", [Problem("", message, hint, line)])


def _compose(text: bytes) -> yaml.Node:
    if len(text) > MAX_BYTES:
        raise _refusal(f"the document is larger than {MAX_BYTES:,} bytes")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        raise _refusal("the document is empty", "`moderator init` writes a commented one")
    return root


def _check(root: yaml.Node) -> None:
    """Walks the document as it would be expanded, aliases and all, within a budget."""
    nodes = 0
    pending = [(root, 0)]
    while pending:
        node, depth = pending.pop()
        nodes += 1
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            raise _refusal("the document is nested or repeated (aliases) beyond reason")
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            pending += [(child, depth + 1) for pair in node.value for child in pair]
        elif isinstance(node, yaml.SequenceNode):
            pending += [(child, depth + 1) for child in node.value]


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                # YAML would keep the last one, and half of the rules would be dropped in silence.
                raise _refusal(f"a second key `{key.value}` in one section", line=key.start_mark.line + 1)
            seen.add(key.value)


def _not_yaml(error: Exception) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or first_line(error)
    return Problem("", f"not valid YAML: {what}", line=mark.line + 1 if mark else None)


def _lines(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int]]:
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
