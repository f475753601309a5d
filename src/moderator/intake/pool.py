"""A pool of killable decoding workers: a crash, a hang or a flood of memory costs one file, never the scan.

(`concurrent.futures.ProcessPoolExecutor` cannot kill a running task, and one dead worker breaks its pool.)
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np

from moderator.contracts import Fingerprint, Found
from moderator.errors import EnvironmentFault, UnreadableImage
from moderator.intake.decode import Decoded, View
from moderator.intake.worker import BYTES_FIELDS
from moderator.models import Preprocessing
from moderator.policy import Limits

START_SECONDS = 60.0
"""How long a worker may take to start on a loaded machine."""


@dataclass(slots=True)
class _Task:
    found: Found
    deadline: float


class DecoderPool:
    """Decodes many files in worker processes; a context manager."""

    def __init__(self, limits: Limits, preparations: Sequence[Preprocessing], workers: int | None = None) -> None:
        self._limits = limits
        self._setup = json.dumps(
            {"limits": limits.model_dump(), "preparations": [asdict(wanted) for wanted in preparations]}
        ).encode()
        self._size = workers or min(os.cpu_count() or 1, 8)
        self._idle: list[_Worker] = []
        self._busy: dict[Connection, tuple[_Worker, _Task]] = {}

    def __enter__(self) -> DecoderPool:
        return self

    def __exit__(self, *exc: object) -> None:
        for worker in [*self._idle, *(worker for worker, _ in self._busy.values())]:
            worker.kill()
        self._idle.clear()
        self._busy.clear()

    def decode(self, files: Iterable[Found]) -> Iterator[tuple[Found, Decoded | UnreadableImage]]:
        """Yields each file with its outcome, in the order in which they are done."""
        pending = iter(files)
        more = True
        while more or self._busy:
            while more and len(self._busy) < self._size:
                if (found := next(pending, None)) is None:
                    more = False
                else:
                    self._assign(found)
            yield from self._finished()

    def _assign(self, found: Found) -> None:
        worker = self._idle.pop() if self._idle else _Worker(self._setup)
        worker.ask(found.path)
        self._busy[worker.connection] = (worker, _Task(found, time.monotonic() + self._limits.seconds))

    def _finished(self) -> Iterator[tuple[Found, Decoded | UnreadableImage]]:
        if not self._busy:
            return
        nearest = min(task.deadline for _, task in self._busy.values())
        ready = wait(list(self._busy), timeout=max(0.0, nearest - time.monotonic()))
        for connection in ready:
            worker, task = self._busy.pop(connection)  # type: ignore[call-overload]
            outcome = worker.answer()
            self._retire(worker, alive=worker.alive)
            yield task.found, outcome
        if not ready:
            now = time.monotonic()
            for connection, (worker, task) in list(self._busy.items()):
                if task.deadline <= now:
                    del self._busy[connection]
                    self._retire(worker, alive=False)
                    limit = f"{self._limits.seconds:g} s"
                    yield task.found, UnreadableImage("timeout", f"not decoded within {limit}")

    def _retire(self, worker: _Worker, *, alive: bool) -> None:
        if alive:
            self._idle.append(worker)
        else:
            worker.kill()


class _Worker:
    """One worker process and the socket to it."""

    def __init__(self, setup: bytes) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # -P: the folder that is scanned must not be able to shadow a module.
            self._process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
                [sys.executable, "-P", "-m", "moderator.intake.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # decoders chatter about broken files; the answer says what matters
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
        self.connection = Connection(ours.detach())
        self.alive = True
        self.connection.send_bytes(setup)
        with contextlib.suppress(EOFError, OSError):
            if self.connection.poll(START_SECONDS) and self.connection.recv_bytes() == b"ready":
                return
        self.kill()
        raise EnvironmentFault(
            "a decoding worker did not start", hint="`moderator doctor` shows what is missing"
        )

    def ask(self, path: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # a dead worker is told by its answer
            self.connection.send_bytes(path.encode("utf-8", "surrogateescape"))

    def answer(self) -> Decoded | UnreadableImage:
        try:
            return self._parse(json.loads(self.connection.recv_bytes()))
        except (EOFError, OSError, ValueError, KeyError, TypeError):
            self.alive = False
            code = self._process.wait() if self._exited() else None
            died = f" (signal {-code})" if code and code < 0 else ""
            return UnreadableImage("decoder_crashed", f"the decoder died on it{died}")

    def _exited(self) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
        return self._process.poll() is not None

    def _parse(self, header: dict[str, Any]) -> Decoded | UnreadableImage:
        if "code" in header:
            return UnreadableImage(str(header["code"]), str(header["reason"]))
        fields = dict(header["fingerprint"])
        fields.update({name: bytes.fromhex(fields[name]) for name in BYTES_FIELDS})
        views = tuple(
            View(label, tuple(self._pixels(shape) for shape in shapes)) for label, shapes in header["views"]
        )
        return Decoded(Fingerprint(**fields), views, int(header["size"]), int(header["mtime_ns"]))

    def _pixels(self, shape: Sequence[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return np.frombuffer(self.connection.recv_bytes(), dtype=np.uint8).reshape(shape)

    def kill(self) -> None:
        self.alive = False
        self.connection.close()
        self._process.kill()
        self._process.wait()
