"""The decoding worker: a process of its own, bounded in memory, that may be killed at any time.

Started by `moderator.intake.pool`, which it answers over one socket (`moderator.intake.channel`).
"""

from __future__ import annotations

import resource
import signal
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from moderator.errors import UnreadableImage
from moderator.intake import channel
from moderator.intake.decode import Decoded, decode
from moderator.models import Preprocessing

if TYPE_CHECKING:
    from moderator.policy import Limits

BYTES_FIELDS = ("sha256", "pixels", "pdq")
"""Fingerprint fields that travel as hexadecimal."""
READY = "ready"
"""A worker's first message."""


def serve(connection: socket.socket) -> None:
    """Answers requests until the parent closes the connection."""
    bounds, _ = channel.receive(connection)
    # The pool has checked them; importing what checks would double a worker's start.
    limits = cast("Limits", SimpleNamespace(**bounds))
    _bound_memory(limits.memory_mb)
    channel.send(connection, READY)
    while True:
        try:
            (path, wanted), _ = channel.receive(connection)
        except EOFError:
            return
        try:
            _answer(connection, decode(path, limits, [Preprocessing(**one) for one in wanted]))
        except UnreadableImage as refusal:
            channel.send(connection, {"code": refusal.code, "reason": refusal.reason})
        except MemoryError:
            reason = f"needs more than {limits.memory_mb} MiB to decode"
            channel.send(connection, {"code": "out_of_memory", "reason": reason})


def _answer(connection: socket.socket, decoded: Decoded) -> None:
    fingerprint = asdict(decoded.fingerprint)
    fingerprint.update({field: fingerprint[field].hex() for field in BYTES_FIELDS})
    header = {
        "fingerprint": fingerprint,
        "size": decoded.size,
        "mtime_ns": decoded.mtime_ns,
        "views": [[view.label, [pixels.shape for pixels in view.prepared]] for view in decoded.views],
    }
    channel.send(connection, header, [pixels for view in decoded.views for pixels in view.prepared])


def _bound_memory(megabytes: int) -> None:
    """Caps the address space at what is mapped now plus `megabytes` (Linux; elsewhere no bound is set)."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        now = int(statm.read_text().split()[0]) * resource.getpagesize()
        bound = now + megabytes * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it closes the socket
    try:
        with socket.socket(fileno=int(sys.argv[1])) as connection:
            serve(connection)
    except (BrokenPipeError, ConnectionResetError):
        sys.exit(0)  # the parent is gone
