"""What this machine has: processors this process may use, and the arithmetic they are built for."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

LARGE, UNUSED = 32 << 20, 128 << 20
"""Bytes of a piece of memory, and of freed memory at an end, from which on glibc gives them back to the system. By
itself it gives back those of each picture, which the system must then clear for the next one."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""What glibc's mallopt calls the two (malloc.h)."""

_CPUINFO = Path("/proc/cpuinfo")


def cores() -> int:
    """Returns how many processors this process may run on, which in a container is fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_memory() -> None:
    """Has the C library keep what is freed for what comes next, where it can: see `LARGE` and `UNUSED`."""
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, LARGE)
        library.mallopt(_TRIM_THRESHOLD, UNUSED)


def give_back_memory() -> None:
    """Gives what was freed back to the system, where the C library can: glibc keeps it for each thread that had it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@cache
def _flags() -> frozenset[str] | None:
    """The processor's own list of its features; None where the system does not tell."""
    if not _CPUINFO.is_file():
        return None
    lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    named = (line.partition(":")[2] for line in lines if line.lower().startswith(("flags", "features")))
    return frozenset(next(named, "").split())


def computes_bf16() -> bool:
    """Whether the processor multiplies bfloat16; elsewhere it is emulated, slower than fp32. True where not known."""
    flags = _flags()
    return flags is None or bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})


def adds_int8_safely() -> bool:
    """Whether int8 products are summed in 32 bits (VNNI, or an ARM); older x86 sums two in 16, which overflows."""
    flags = _flags()
    return flags is None or "sse2" not in flags or bool(flags & {"avx512_vnni", "avx_vnni", "amx_int8"})
