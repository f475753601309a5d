"""How long work goes on: bars at a terminal, plain lines elsewhere, both on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from moderator.cli.screen import errors
from moderator.contracts import Progress

COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("{task.fields[rate]}"),
    TimeRemainingColumn(),
)
LINE_SECONDS = 5.0
"""How often progress is told where there is no terminal."""


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
            started = time.monotonic()
            task = bars.add_task(name, total=total, rate="")
            done = 0

            def advance(more: int) -> None:
                nonlocal done
                done += more
                bars.update(task, advance=more, rate=_rate(done, time.monotonic() - started))

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
        started = told = time.monotonic()
        done = 0

        def advance(more: int) -> None:
            nonlocal done, told
            done += more
            now = time.monotonic()
            if now - told >= LINE_SECONDS:
                told = now
                left = f", {(total - done) * (now - started) / done:,.0f} s left" if total and done else ""
                of = f" of {total:,}" if total else ""
                errors().print(f"{name}: {done:,}{of}, {_rate(done, now - started)}{left}")

        yield advance
        if (seconds := time.monotonic() - started) >= 1.0:
            errors().print(f"{name}: {done:,} in {seconds:,.1f} s")


def _rate(done: int, seconds: float) -> str:
    """Says how many a second, or how many seconds each takes."""
    if done and seconds > done:
        return f"{seconds / done:,.0f} s each"
    return f"{done / max(seconds, 1e-6):,.0f}/s"
