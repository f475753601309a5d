"""What this machine has: how many processors this process may use."""

from __future__ import annotations

import os


def cores() -> int:
    """Returns how many processors this process may run on, which in a container is fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
