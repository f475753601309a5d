"""Streams that are full, closed, or whose reader has gone: the exit code still tells what was found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.scanning import picture

FULL = Path("/dev/full")
MODERATOR = (sys.executable, "-m", "moderator")
INTERRUPTED = """
from moderator.cli import app
def interrupted(_):
    raise KeyboardInterrupt
app.run = interrupted
app.main()
"""


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", [("version",), ("--help",), ("policy", "schema")])
def test_a_full_disk_under_standard_output_is_the_machines_fault_and_no_bug(words: tuple[str, ...]) -> None:
    with FULL.open("w") as full:
        ran = subprocess.run([*MODERATOR, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == 3
    assert ran.stderr.count("error: ") == 1
    assert "the machine refuses: No space left on device" in ran.stderr


@pytest.mark.parametrize(
    "streams", ["| true", ">&-", "2>&-", "<&- >&- 2>&-"], ids=["reader gone", "no output", "no errors", "none at all"]
)
def test_a_scan_tells_by_its_exit_code_what_it_found_though_nobody_reads_it(tmp_path: Path, streams: str) -> None:
    picture(tmp_path / "first.png")
    picture(tmp_path / "second.png")
    words = (*MODERATOR, "scan", ".", "--policy", "ci", "--store", "sqlite:///ci.db")
    shell = f'( "$@"; echo $? >code ) {streams}'
    ran = subprocess.run(["sh", "-c", shell, "sh", *words], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "Traceback" not in ran.stderr
    assert (tmp_path / "code").read_text() == "1\n"


def test_a_table_whose_reader_has_gone_is_no_finding() -> None:
    shell = '( "$@"; echo $? >&2 ) | true'
    ran = subprocess.run(["sh", "-c", shell, "sh", *MODERATOR, "plugins"], capture_output=True, text=True, check=True)
    assert ran.stderr == "0\n"


def test_an_interrupt_before_a_command_began_shows_no_traceback() -> None:
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (130, "")
