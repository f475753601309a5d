"""Runs a command and tells its seconds and its memory, with that of every process it starts."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.table import Row

EVERY, SHARE = 0.05, 10
"""Least seconds between two looks at the memory, and how many times as long as a look takes: it walks every page."""
SAID = 1_000
"""Letters that are told of what a failed process wrote."""
PRIVATE, MAPPED = ("Pss_Anon:", "Pss_Shmem:"), ("Pss_File:",)
"""Lines of the kernel's smaps_rollup: what a process holds, its part of what it shares with others."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A process that has ended well.

    Attributes:
        private: the most MB that it and its children held at once for themselves.
        mapped: the most MB of files, programs among them, that they had mapped and in memory.
        said: what it wrote, unless that was shown.
    """

    seconds: float
    private: float
    mapped: float
    said: str


def timed(name: str, work: int, unit: str, command: Sequence[str], runs: int = 2) -> Row:
    """Returns the times of `runs` processes, and the most memory of any. Raises: RuntimeError."""
    done = [ran(command) for _ in range(runs)]
    seconds = [one.seconds for one in done]
    private, mapped = max(one.private for one in done), max(one.mapped for one in done)
    return Row(name, work, unit, statistics.median(seconds), min(seconds), max(seconds), runs, private, mapped)


def asked(module: str, *arguments: str) -> tuple[Any, Ran]:
    """Runs `python -m benchmarks.<module> --one ARGUMENTS...` and returns the JSON that it prints last."""
    done = ran([sys.executable, "-m", f"benchmarks.{module}", "--one", *arguments])
    return json.loads(done.said.splitlines()[-1]), done


def ran(command: Sequence[str], *, shown: bool = False, codes: Sequence[int] = (0,)) -> Ran:
    """Runs a command to its end. Raises: RuntimeError, it ended with another code."""
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        output = None if shown else said
        process = subprocess.Popen(command, stdout=output, stderr=output)
        private = mapped = 0.0
        while process.poll() is None:
            looked = time.perf_counter()
            held = [_held(one) for one in _family(process.pid)]
            private, mapped = max(private, sum(one[0] for one in held)), max(mapped, sum(one[1] for one in held))
            time.sleep(max(EVERY, SHARE * (time.perf_counter() - looked)))
        seconds = time.perf_counter() - started
        said.seek(0)
        words = said.read().decode(errors="replace")
        if process.returncode not in codes:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {words[-SAID:]}")
        return Ran(seconds, private, mapped, words)


def _family(process: int) -> list[int]:
    """A process and all that its threads have started, and they."""
    try:
        threads = list(Path(f"/proc/{process}/task").glob("*/children"))
        started = [int(one) for thread in threads for one in thread.read_text().split()]
    except OSError:
        return []
    return [process, *(one for child in started for one in _family(child))]


def _held(process: int) -> tuple[float, float]:
    """MB that a process holds for itself, and of files; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    sizes = {words[0]: int(words[1]) * 1024 / 1e6 for words in map(str.split, lines[1:])}
    return sum(sizes.get(name, 0.0) for name in PRIVATE), sum(sizes.get(name, 0.0) for name in MAPPED)
