"""The decoding worker: a process of its own, bounded in memory, that may be killed at any time.

It speaks over one socket: a request is JSON, an answer is a JSON header and then the prepared pixels as raw
bytes. Nothing is pickled, so a decoder that a hostile picture has taken over cannot send the parent code.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path

from moderator.errors import UnreadableImage
from moderator.intake.decode import Decoded, decode
from moderator.models import Preprocessing
from moderator.policy import Limits

BYTES_FIELDS = ("sha256", "pixels", "pdq")
"""Fingerprint fields that travel as hexadecimal."""


def serve(connection: Connection) -> None:
    """Answers requests until the parent closes the connection."""
    setup = json.loads(connection.recv_bytes())
    limits = Limits.model_validate(setup["limits"])
    preparations = [Preprocessing(**wanted) for wanted in setup["preparations"]]
    _bound_memory(limits.memory_mb)
    connection.send_bytes(b"ready")
    while True:
        try:
            path = connection.recv_bytes()
        except EOFError:
            return
        try:
            _answer(connection, decode(path.decode("utf-8", "surrogateescape"), limits, preparations))
        except UnreadableImage as refusal:
            connection.send_bytes(json.dumps({"code": refusal.code, "reason": refusal.reason}).encode())
        except MemoryError:
            reason = f"needs more than {limits.memory_mb} MiB to decode"
            connection.send_bytes(json.dumps({"code": "out_of_memory", "reason": reason}).encode())


def _answer(connection: Connection, decoded: Decoded) -> None:
    fingerprint = asdict(decoded.fingerprint)
    fingerprint.update({field: fingerprint[field].hex() for field in BYTES_FIELDS})
    header = {
        "fingerprint": fingerprint,
        "size": decoded.size,
        "mtime_ns": decoded.mtime_ns,
        "views": [[view.label, [pixels.shape for pixels in view.prepared]] for view in decoded.views],
    }
    connection.send_bytes(json.dumps(header).encode())
    for view in decoded.views:
        for pixels in view.prepared:
            connection.send_bytes(pixels.tobytes())


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
        serve(Connection(int(sys.argv[1])))
    except (BrokenPipeError, ConnectionResetError):
        sys.exit(0)  # the parent is gone
