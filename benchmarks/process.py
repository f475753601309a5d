"""Runs a command and tells its seconds and its memory, with that of every process it starts."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.table import Row

EVERY = 0.05
"""Seconds between two looks at the memory."""


def timed(name: str, work: int, unit: str, command: Sequence[str], runs: int = 2) -> Row:
    """Returns the times of `runs` processes, and the most memory of any.

    Raises:
        CalledProcessError: with what the process said.
    """
    ran = [_run(command) for _ in range(runs)]
    seconds = [one for one, _ in ran]
    most = max(memory for _, memory in ran)
    return Row(name, work, unit, statistics.median(seconds), min(seconds), max(seconds), runs, most)


def _run(command: Sequence[str]) -> tuple[float, float]:
    """Returns the seconds that a command took and the most MB that it held at once, looked at from time to time."""
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        most = 0.0
        while process.poll() is None:
            most = max(most, sum(_proportional(one) for one in _family(process.pid)))
            time.sleep(EVERY)
        seconds = time.perf_counter() - started
        if process.returncode:
            said.seek(0)
            raise subprocess.CalledProcessError(process.returncode, command, said.read())
        return seconds, most


def _family(process: int) -> list[int]:
    """A process and all that it has started, and they."""
    try:
        started = [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []
    return [process, *(one for child in started for one in _family(child))]


def _proportional(process: int) -> float:
    """MB that a process holds, its part of what it shares with others (the kernel's Pss); 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6
