"""How long work goes on: bars at a terminal, plain lines elsewhere, both on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from moderator.cli.screen import errors
from moderator.contracts import Progress

LINE_SECONDS = 5.0
"""How often progress is told where there is no terminal."""


def progress() -> Progress:
    """Bars at a terminal, plain lines elsewhere."""
    return Bars() if sys.stderr.isatty() else Lines()


class Bars(Progress):
    """Shows a bar with rate and time left, which goes when the stage is done."""

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        started = time.monotonic()
        with RichProgress(*columns, console=errors(), transient=True) as bars:
            task = bars.add_task(name, total=total, rate="")
            done = 0

            def advance(more: int) -> None:
                nonlocal done
                done += more
                rate = done / max(time.monotonic() - started, 1e-6)
                bars.update(task, advance=more, rate=f"{rate:,.0f}/s")

            yield advance


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
                rate = done / (now - started)
                left = f", {(total - done) / rate:,.0f} s left" if total and rate else ""
                of = f" of {total:,}" if total else ""
                errors().print(f"{name}: {done:,}{of}, {rate:,.0f}/s{left}")

        yield advance
        if (seconds := time.monotonic() - started) >= 1.0:
            errors().print(f"{name}: {done:,} in {seconds:,.1f} s")
