"""`make bench`: every benchmark, one after another; `make bench-long`: the large sizes of those that have them."""

from __future__ import annotations

import sys

from benchmarks import embed, hashes, pairs, quality, rescan, scan, search, startup, stores, upload


def main() -> None:
    """Runs them all."""
    long = "--long" in sys.argv
    for large in (search, pairs, hashes, upload):
        large.main(long)
    for benchmark in () if long else (startup, rescan, embed, scan, stores):
        benchmark.main()
    if not long:
        quality.main([])


if __name__ == "__main__":
    main()
