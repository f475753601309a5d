"""`make bench`: every benchmark, one after another."""

from __future__ import annotations

from benchmarks import scan, search, startup, stores


def main() -> None:
    """Runs them all."""
    for benchmark in (startup, search, scan, stores):
        benchmark.main()


if __name__ == "__main__":
    main()
