"""How long work goes on: bars at a terminal, plain lines elsewhere, both on standard error."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as RichProgress

from moderator.cli.screen import errors
from moderator.contracts import Progress

COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("{task.fields[pace]}"),
)
LINE_SECONDS = 5.0
"""How often progress is told where there is no terminal."""
RECENT_SECONDS = 30.0
"""The pace is that of the last half minute."""
FEW = 10
"""Steps that are too few, and too unlike, to tell from some how long the others take: such as the rules of a policy."""


def progress() -> Progress:
    """Bars at a terminal, plain lines elsewhere."""
    return Bars() if sys.stderr.isatty() else Lines()


class Bars(Progress):
    """Shows a bar with rate and time left, which goes when the stage is done; below it that of a stage within."""

    def __init__(self) -> None:
        self._shown: RichProgress | None = None

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        outermost = self._shown is None
        bars = self._shown or RichProgress(*COLUMNS, console=errors(), transient=True)
        with bars if outermost else nullcontext():
            self._shown = bars
            pace = _Pace(total)
            task = bars.add_task(name, total=total, pace="")

            def advance(more: int) -> None:
                bars.update(task, advance=more, pace=pace.after(more))

            try:
                yield advance
            finally:
                bars.remove_task(task)
                if outermost:
                    self._shown = None


class Lines(Progress):
    """Writes a line now and then, for logs."""

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        pace = _Pace(total)
        told = started = pace.now

        def advance(more: int) -> None:
            nonlocal told
            words = pace.after(more)
            if pace.now - told >= LINE_SECONDS:
                told = pace.now
                of = f" of {total:,}" if total else ""
                errors().print(f"{name}: {pace.done:,}{of}, {words}")

        yield advance
        if (seconds := time.monotonic() - started) >= 1.0:
            errors().print(f"{name}: {pace.done:,} in {seconds:,.1f} s")


class _Pace:
    """How fast a stage goes on now. From the second advance on the first one does not count: what is known already
    comes with it, or it had to wait until a model was loaded."""

    def __init__(self, total: int | None) -> None:
        self.done = 0
        self.now = time.monotonic()
        self._total = total
        self._met = deque([(self.now, 0)])

    def after(self, more: int) -> str:
        """Says how many a second are done, and how many seconds are left, now that there are so many more."""
        self.done += more
        self.now = time.monotonic()
        if self._met[0][1] == 0 and len(self._met) > 1:
            self._met.popleft()
        self._met.append((self.now, self.done))
        while len(self._met) > 2 and self._met[1][0] < self.now - RECENT_SECONDS:
            self._met.popleft()
        since, before = self._met[0]
        done, seconds = self.done - before, self.now - since
        if self._total is None or self._total < FEW or not done:
            return _rate(done, seconds)
        return f"{_rate(done, seconds)}, {(self._total - self.done) * seconds / done:,.0f} s left"


def _rate(done: int, seconds: float) -> str:
    """Says how many a second, or how many seconds each takes."""
    if done and seconds > done:
        return f"{seconds / done:,.0f} s each"
    return f"{done / max(seconds, 1e-6):,.0f}/s"
