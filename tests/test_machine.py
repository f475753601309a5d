"""What a scan asks of the C library."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FREED = """
import resource
from moderator import machine
{kept}
bytearray(16 << 20)
bytearray(24 << 20)
bytearray(24 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_memory_is_kept_for_what_comes_next() -> None:
    def pages(kept: str) -> int:
        command = [sys.executable, "-c", FREED.format(kept=kept)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert pages("machine.keep_memory()") + (24 << 20) // 4096 < pages("")
