"""A pool of killable decoding workers: a crash, a hang or a flood of memory costs one file, never the scan.

(`concurrent.futures.ProcessPoolExecutor` cannot kill a running task, and one dead worker breaks its pool.)
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import wait
from typing import Any

from moderator import machine
from moderator.contracts import Fingerprint, Found
from moderator.errors import EnvironmentFault, UnreadableImage
from moderator.intake import channel
from moderator.intake.decode import Decoded, View
from moderator.intake.panels import MOST, QUARTERS
from moderator.intake.worker import BYTES_FIELDS, READY
from moderator.models import Preprocessing
from moderator.policy import Limits

START_SECONDS = 60.0
"""How long a worker may take to start on a loaded machine."""
WINDOW = 32
"""Files decoded ahead of the one that is due, which may take its full time."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""There is a worker for each core, so numpy in a worker gets one thread."""
KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(machine.LARGE), "MALLOC_TRIM_THRESHOLD_": str(machine.UNUSED)}
"""Without it decoding takes up to twice as long. A worker keeps at most 128 MiB; `Limits.memory_mb` bounds it all the
same."""
GROUNDS = 2
"""Most views of one frame: on white, and on black."""


@dataclass(slots=True)
class _Task:
    worker: Worker
    found: Found
    deadline: float
    outcome: Decoded | UnreadableImage | None = None


class DecoderPool:
    """Decodes many files in worker processes; a context manager.

    One thread may use it at a time; `stop` may be called from any.

    Args:
        workers: how many at most; None: one a core.
        spare: where workers are taken from before any is started, and left for the next pool of these limits.
    """

    def __init__(
        self,
        limits: Limits,
        preparations: Sequence[Preprocessing],
        workers: int | None = None,
        spare: SpareWorkers | None = None,
    ) -> None:
        self._limits = limits
        self._preparations = [asdict(wanted) for wanted in preparations]
        views = limits.frames * GROUNDS + MOST + len(QUARTERS)
        self._largest = 3 * views * sum(wanted.width * wanted.height for wanted in preparations)
        self._size = workers or machine.cores()
        self._spare = spare
        self._idle = SpareWorkers() if spare is None else spare
        self._busy: dict[socket.socket, _Task] = {}
        self._stopper, self._stopped = socket.socketpair()

    def __enter__(self) -> DecoderPool:
        return self

    def __exit__(self, *exc: object) -> None:
        for task in self._busy.values():
            task.worker.kill()
        self._busy.clear()
        if self._spare is None:
            self._idle.__exit__(*exc)
        self._stopper.close()
        self._stopped.close()

    def stop(self) -> None:
        """Makes `decode` end before its next file, from another thread."""
        with contextlib.suppress(OSError):
            self._stopper.send(b"\0")

    def decode(self, files: Iterable[Found]) -> Iterator[tuple[Found, Decoded | UnreadableImage]]:
        """Yields each file with its outcome, in the order of `files`, so that a scan's results do not depend on chance.

        Raises:
            EnvironmentFault: a worker does not start.
        """
        pending = iter(files)
        under_way: deque[_Task] = deque()
        more = True
        while more or under_way:
            while more and len(self._busy) < self._size and len(under_way) < WINDOW:
                if (found := next(pending, None)) is None:
                    more = False
                else:
                    under_way.append(self._assign(found))
            while under_way and (outcome := under_way[0].outcome) is not None:
                yield under_way.popleft().found, outcome
            if self._busy and not self._await_one():
                return

    def _await_one(self) -> bool:
        """Waits until a worker has answered, started, or is overdue; False where `stop` was called."""
        nearest = min(task.deadline for task in self._busy.values())
        ready = wait([*self._busy, self._stopped], timeout=max(0.0, nearest - time.monotonic()))
        if self._stopped in ready:
            return False
        for connection in ready:
            self._heard(self._busy[connection])  # type: ignore[index]
        if not ready:
            self._overdue()
        return True

    def _assign(self, found: Found) -> _Task:
        worker = self._free()
        worker.ask(found.path, self._preparations)
        allowed = self._limits.seconds if worker.ready else START_SECONDS
        task = self._busy[worker.connection] = _Task(worker, found, time.monotonic() + allowed)
        return task

    def _free(self) -> Worker:
        """Returns an idle worker, or a new one: one that has died since its last answer costs no file."""
        while self._idle:
            worker = self._idle.pop()
            if worker.running:
                return worker
            worker.kill()
        return Worker(self._limits)

    def _heard(self, task: _Task) -> None:
        worker = task.worker
        if not worker.ready:
            worker.greet()
            task.deadline = time.monotonic() + self._limits.seconds
            return
        del self._busy[worker.connection]
        task.outcome = worker.answer(self._largest)
        if worker.alive:
            self._idle.append(worker)
        else:
            worker.kill()

    def _overdue(self) -> None:
        now = time.monotonic()
        for task in [task for task in self._busy.values() if task.deadline <= now]:
            del self._busy[task.worker.connection]
            task.worker.kill()
            if not task.worker.ready:
                raise _not_started()
            task.outcome = UnreadableImage("timeout", f"not decoded within {self._limits.seconds:g} s")


class Worker:
    """One worker process and the socket to it. It is asked before it has started, so that several start at once."""

    def __init__(self, limits: Limits) -> None:
        self.connection, theirs = channel.pair()
        with theirs:
            # -P: the folder that is scanned must not be able to shadow a module.
            self._process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
                [sys.executable, "-P", "-m", "moderator.intake.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # decoders chatter about broken files; the answer says what matters
                env={**os.environ, **ONE_THREAD, **KEPT_MEMORY, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self.alive = True
        self.ready = False
        self.connection.settimeout(limits.seconds)  # an answer that begins must also end
        channel.send(self.connection, limits.model_dump())

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def greet(self) -> None:
        """Takes the first message of a worker that has started. Raises: EnvironmentFault, it has died instead."""
        with contextlib.suppress(EOFError, OSError, ValueError):
            self.ready = channel.receive(self.connection)[0] == READY
        if not self.ready:
            self.kill()
            raise _not_started()

    def ask(self, path: str, preparations: object) -> None:
        with contextlib.suppress(OSError):  # a dead worker is told by its answer
            channel.send(self.connection, [path, preparations])

    def answer(self, largest: int) -> Decoded | UnreadableImage:
        """Takes the answer, of at most `largest` bytes of pixels."""
        try:
            return self._parse(*channel.receive(self.connection, largest))
        except (EOFError, OSError, ValueError, KeyError, TypeError):
            self.alive = False
            code = self._process.wait() if self._exited() else None
            died = f" (signal {-code})" if code and code < 0 else ""
            return UnreadableImage("decoder_crashed", f"the decoder died on it{died}")

    def _exited(self) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
        return self._process.poll() is not None

    @staticmethod
    def _parse(header: dict[str, Any], pixels: channel.Pixels) -> Decoded | UnreadableImage:
        if "code" in header:
            return UnreadableImage(str(header["code"]), str(header["reason"]))
        fields = dict(header["fingerprint"])
        fields.update({name: bytes.fromhex(fields[name]) for name in BYTES_FIELDS})
        prepared = iter(channel.cut(pixels, [shape for _, shapes in header["views"] for shape in shapes]))
        views = tuple(View(label, tuple(next(prepared) for _ in shapes)) for label, shapes in header["views"])
        return Decoded(Fingerprint(**fields), views, int(header["size"]), int(header["mtime_ns"]))

    def kill(self) -> None:
        self.alive = False
        self.connection.close()
        self._process.kill()
        self._process.wait()


class SpareWorkers(list[Worker]):
    """Idle workers that one pool leaves to the next; a context manager that ends them."""

    def __enter__(self) -> SpareWorkers:
        return self

    def __exit__(self, *exc: object) -> None:
        for worker in self:
            worker.kill()
        self.clear()


def _not_started() -> EnvironmentFault:
    return EnvironmentFault("a decoding worker did not start", hint="`moderator doctor` shows what is missing")
