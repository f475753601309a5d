"""What every benchmark shares: the machine, timing by repetition, a table and its JSON."""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
WIDTH = 180
"""Room for the widest table: a line of Markdown cannot be broken."""
PACKAGES = ("moderator", "torch", "onnxruntime", "numpy", "pillow")

Column = Callable[[Any], str]
"""What a column says of a row."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was timed: seconds are the median of `runs`, `work` is how many units they took in.

    Attributes:
        memory: the most MB that a process of its own held for itself.
        mapped: the most MB of files that it had mapped and in memory, which the system may take back.
    """

    name: str
    work: int
    unit: str
    seconds: float
    fastest: float
    slowest: float
    runs: int
    memory: float | None = None
    mapped: float | None = None

    @property
    def rate(self) -> float:
        return self.work / self.seconds


def timed(name: str, work: int, unit: str, call: Callable[[], object], runs: int = 3) -> Row:
    """Returns the times of `runs` calls."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return Row(name, work, unit, statistics.median(seconds), min(seconds), max(seconds), runs)


def once(
    name: str, work: int, unit: str, seconds: float, memory: float | None = None, mapped: float | None = None
) -> Row:
    """Returns the row of what ran once."""
    return Row(name, work, unit, seconds, seconds, seconds, 1, memory, mapped)


def most_memory() -> str:
    """Returns the most memory that this process has had, in words."""
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB"


def machine() -> dict[str, str]:
    """Describes this machine and what is installed."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    packages = {name: version(name) for name in PACKAGES}
    return {"cpu": cpu, "cores": str(os.cpu_count()), "python": platform.python_version(), **packages}


def publish(
    title: str, rows: Sequence[Any], note: str = "", columns: Mapping[str, Column] | None = None, **told: Any
) -> None:
    """Prints rows, which are dataclasses, as a table in Markdown, and writes benchmarks/results/<title>.json.

    Args:
        columns: what each column says of a row; those of `Row` where none are given.
        told: what else stands in the JSON, beside the machine and the time.
    """
    columns = columns or timing(rows)
    table = Table(box=box.MARKDOWN)
    lines: list[list[str]] = []
    for heading, shown in columns.items():
        cells = [escape(shown(row)) for row in rows]
        worded = any(cell[:1].isalpha() for cell in cells)
        table.add_column(heading, justify="left" if worded else "right", no_wrap=True)
        lines.append(cells)
    for line in zip(*lines, strict=True):
        table.add_row(*line)
    Console(width=WIDTH).print(f"[bold]{title}[/]", table, escape(note), sep="\n")
    RESULTS.mkdir(exist_ok=True)
    document = {
        "title": title,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "note": note,
        **told,
        "rows": [asdict(row) for row in rows],
    }
    (RESULTS / f"{title}.json").write_text(json.dumps(_finite(document), indent=2) + "\n")


def timing(rows: Sequence[Row]) -> dict[str, Column]:
    """Returns the columns of what was timed, each row compared with the first."""
    first = rows[0].rate
    columns: dict[str, Column] = {
        "what": lambda row: row.name,
        "size": lambda row: f"{row.work:,} {row.unit}",
        "seconds (min - max)": lambda row: f"{row.seconds:.3f} ({row.fastest:.3f} - {row.slowest:.3f})",
        "a second": lambda row: f"{row.rate:,.{0 if row.rate >= 1000 else 1}f}",
        "against the first": lambda row: f"{row.rate / first:.2f} x",
    }
    if any(row.memory is not None for row in rows):
        columns["memory"] = lambda row: "" if row.memory is None else f"{row.memory:,.0f} MB"
        columns["and mapped files"] = lambda row: "" if row.mapped is None else f"{row.mapped:,.0f} MB"
    return columns


def _finite(value: Any) -> Any:
    """JSON has no number for what is none."""
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
