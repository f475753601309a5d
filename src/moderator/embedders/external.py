"""Reads an ONNX file without loading it: which other files it wants its weights from, as a model may name any path, and
a small weight by name.

ONNX is protocol buffers; the field numbers below are those of onnx.proto3. Only the messages on the way to a tensor
are entered, and its bytes are stepped over.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moderator.errors import ModelError

_FIELDS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_GRAPH, _INITIALIZER, _FLOATS, _NAME, _RAW = 7, 5, 4, 8, 9
_KEY, _VALUE = 1, 2
_DEEPEST = 64
_FIXED = {1: 8, 5: 4}
"""Bytes of the wire types that have a fixed width."""


def external_files(model: Path) -> list[Path]:
    """Returns the files beside an ONNX file that hold some of its weights.

    Raises:
        ModelError: it is no ONNX file, or it names a file outside its own folder, which is not read.
    """
    try:
        with model.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            named = sorted(set(_locations(mapped, "model", 0, len(mapped))))
    except (OSError, ValueError, IndexError, RecursionError) as error:
        raise ModelError(f"{model} cannot be loaded: it is no ONNX file ({error})") from error
    folder = model.resolve().parent
    files = []
    for location in named:
        file = folder / location
        if Path(location).is_absolute() or not file.resolve().is_relative_to(folder):
            raise ModelError(
                f"{model} takes weights from `{location}`, outside its own folder; neither is read",
                hint="save the model as one file, or with its data beside it",
            )
        files.append(file)
    return files


def initial(model: Path, name: str) -> npt.NDArray[np.float32]:
    """Returns the numbers of a float32 weight of an ONNX file, `[n]`. Raises: ModelError, it has none of this name."""
    with model.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        graphs = [place for place in _fields(mapped, 0, len(mapped)) if place[0] == _GRAPH]
        for _, start, end in graphs:
            for field, first, last in _fields(mapped, start, end):
                if field != _INITIALIZER:
                    continue
                tensor = {key: (begin, finish) for key, begin, finish in _fields(mapped, first, last)}
                if mapped[slice(*tensor.get(_NAME, (0, 0)))] == name.encode():
                    numbers = tensor.get(_RAW) or tensor.get(_FLOATS) or (0, 0)
                    return np.frombuffer(mapped[slice(*numbers)], dtype="<f4")
    raise ModelError(f"{model} has no weight `{name}`")


def _locations(data: mmap.mmap, message: str, start: int, end: int, depth: int = 0) -> Iterator[str]:
    if depth > _DEEPEST:
        raise ValueError("its graphs are nested too deeply")
    entered = _FIELDS[message]
    for field, begin, finish in _fields(data, start, end):
        kind = entered.get(field)
        if kind == "entry":
            pair = {key: data[first:last] for key, first, last in _fields(data, begin, finish)}
            if pair.get(_KEY) == b"location":
                yield pair.get(_VALUE, b"").decode("utf-8", "surrogateescape")
        elif kind is not None:
            yield from _locations(data, kind, begin, finish, depth + 1)


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yields the number and the place of each field of bytes in a message. Raises: ValueError, it is malformed."""
    while start < end:
        tag, start = _varint(data, start)
        kind = tag & 7
        if kind == 2:
            size, start = _varint(data, start)
            if start + size > end:
                raise ValueError("it is cut short")
            yield tag >> 3, start, start + size
            start += size
        elif kind == 0:
            _, start = _varint(data, start)
        elif kind in _FIXED:
            start += _FIXED[kind]
        else:
            raise ValueError("it is malformed")


def _varint(data: mmap.mmap, start: int) -> tuple[int, int]:
    value = 0
    for place in range(10):
        byte = data[start + place]
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value, start + place + 1
    raise ValueError("it is malformed")
