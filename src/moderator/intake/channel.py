"""What goes between a decoding worker and the pool: JSON and, after it, raw pixels, over one socket.

Nothing is pickled, so a decoder that a hostile picture has taken over cannot send the parent code. Pixels are received
straight into the array that the model reads: one copy into the kernel and one out of it, .09 ms for a picture of 288 x
288, where shared memory took .06.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

BUFFER = 1 << 20
"""Bytes that a socket holds, so that a worker goes on while the parent is busy; the kernel may grant less."""
_LENGTHS = struct.Struct("!II")
_LONGEST = 1 << 20
"""Bytes of the longest JSON that is taken."""

Pixels = npt.NDArray[np.uint8]


def pair() -> tuple[socket.socket, socket.socket]:
    """Returns two connected sockets with room for a picture."""
    ours, theirs = socket.socketpair()
    for one in (ours, theirs):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    return ours, theirs


def send(connection: socket.socket, header: Any, pixels: Sequence[Pixels] = ()) -> None:
    """Sends one message. Raises: OSError when the other side has gone."""
    text = json.dumps(header).encode()
    size = sum(one.nbytes for one in pixels)
    connection.sendall(_LENGTHS.pack(len(text), size) + text)
    for one in pixels:
        if one.size:  # a view without pixels is one that a model does not ask for
            connection.sendall(np.ascontiguousarray(one).data.cast("B"))


def receive(connection: socket.socket, largest: int = 0) -> tuple[Any, Pixels]:
    """Receives one message: its JSON, and its pixels as bytes, at most `largest` of them.

    Raises:
        EOFError: the other side has gone.
        OSError: it is slower than the socket's timeout.
        ValueError: it sent what is no message, or more than may come.
    """
    length, size = _LENGTHS.unpack(_exactly(connection, _LENGTHS.size).tobytes())
    if length > _LONGEST or size > largest:
        raise ValueError(f"a message of {length} and {size} bytes is longer than any may be")
    header = json.loads(_exactly(connection, length).tobytes())
    return header, _exactly(connection, size)


def cut(pixels: Pixels, shapes: Iterable[Sequence[int]]) -> list[Pixels]:
    """Returns the arrays of these shapes that follow one another in `pixels`. Raises: ValueError, there are fewer."""
    arrays, start = [], 0
    for shape in shapes:
        end = start + int(np.prod(shape))
        arrays.append(pixels[start:end].reshape(shape))
        start = end
    return arrays


def _exactly(connection: socket.socket, size: int) -> Pixels:
    buffer = np.empty(size, dtype=np.uint8)
    rest = buffer.data
    while rest:
        if not (got := connection.recv_into(rest)):
            raise EOFError
        rest = rest[got:]
    return buffer
