"""What every benchmark shares: the machine, timing by repetition, a table and its JSON."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("moderator", "torch", "onnxruntime", "numpy", "pillow")


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was timed: seconds are the median of `runs`, `work` is how many units they took in, `memory` the
    most MB of a process of its own."""

    name: str
    work: int
    unit: str
    seconds: float
    fastest: float
    slowest: float
    runs: int
    memory: float | None = None

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


def publish(title: str, rows: Sequence[Row], note: str = "") -> None:
    """Prints the rows, each compared with the first, and writes benchmarks/results/<title>.json."""
    facts = machine()
    table = Table(title=title, caption=note, box=box.SIMPLE_HEAD, title_justify="left", caption_justify="left")
    headings = ["what", "size", "seconds (min - max)", "a second", "against the first"]
    if any(row.memory for row in rows):
        headings.append("most memory")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for row in rows:
        table.add_row(
            row.name,
            f"{row.work:,} {row.unit}",
            f"{row.seconds:.3f} ({row.fastest:.3f} - {row.slowest:.3f})",
            f"{row.rate:,.1f}",
            f"{row.rate / rows[0].rate:.2f} x",
            *([f"{row.memory:,.0f} MB"] if row.memory else []),
        )
    Console(width=110).print(table)
    RESULTS.mkdir(exist_ok=True)
    document = {
        "title": title,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": facts,
        "note": note,
        "rows": [{**asdict(row), "rate": row.rate} for row in rows],
    }
    (RESULTS / f"{title}.json").write_text(json.dumps(document, indent=2) + "\n")
