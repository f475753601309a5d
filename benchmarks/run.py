"""`make bench`: every benchmark, the quickest and most telling first; `make bench-long`: those that have large sizes.

    python -m benchmarks.run [--long] [NAME...]

Each is a process of its own, so that the memory it took can be told, and one that fails keeps no other from running.
"""

from __future__ import annotations

import sys

from benchmarks import process
from benchmarks.table import once, publish

SHORT = (
    *("startup", "search", "upload", "embed", "scan", "rescan", "pairs"),
    *("tools", "quality", "runners", "hashes", "stores"),
)
LONG = ("search", "upload", "pairs", "hashes", "stores")


def main() -> None:
    """Runs them, and tells how long each took, with what it made beforehand. Ends with 1 where one failed."""
    long = "--long" in sys.argv
    named = [one for one in sys.argv[1:] if not one.startswith("-")]
    rows, failed = [], []
    for name in named or (LONG if long else SHORT):
        command = [sys.executable, "-m", f"benchmarks.{name}", *(["--long"] if long else [])]
        try:
            ran = process.ran(command, shown=True)
        except RuntimeError as error:
            print(error)
            failed.append(name)
        else:
            rows.append(once(name, 1, "run", ran.seconds, ran.private, ran.mapped))
    columns = {
        "benchmark": lambda row: row.name,
        "seconds": lambda row: f"{row.seconds:.0f}",
        "memory": lambda row: f"{row.memory:,.0f} MB",
        "and mapped files": lambda row: f"{row.mapped:,.0f} MB",
    }
    seconds = sum(row.seconds for row in rows)
    note = f"{seconds // 60:.0f} min {seconds % 60:.0f} s in all{''.join(f'; {name} failed' for name in failed)}"
    publish("run-long" if long else "run", rows, note, columns)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
