"""`moderator --help` answers at once: nothing heavy is imported, and it takes under 0.3 s of a processor."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
from PIL import Image
from typer.main import get_command

from moderator.cli.app import COMMANDS, application

HEAVY = (
    *("torch", "sentence_transformers", "transformers", "onnxruntime", "pymysql", "ray"),
    *("numpy", "PIL", "pydantic", "yaml"),
)
LISTS_MODULES = """
import sys
from moderator.cli.app import run
code = run(["--help"])
print("MODULES", *sorted({name.partition(".")[0] for name in sys.modules}))
sys.exit(code)
"""


def test_help_imports_nothing_heavy() -> None:
    ran = subprocess.run([sys.executable, "-c", LISTS_MODULES], capture_output=True, text=True, check=True)
    modules = ran.stdout.rpartition("MODULES")[2].split()
    assert "typer" in modules
    assert [name for name in HEAVY if name in modules] == []


def test_help_names_commands_alike_whether_they_are_made_ready_or_not() -> None:
    def told(asked: Collection[str]) -> str:
        command = get_command(application(asked))
        return command.get_help(command.make_context("moderator", [], resilient_parsing=True))

    assert told(()) == told(COMMANDS)
    assert all(name in told(()) for name in COMMANDS)


def test_a_scan_by_the_ci_policy_never_imports_torch_and_a_second_one_no_model_nor_what_verifies(
    tmp_path: Path, photographs: Path
) -> None:
    pictures = tmp_path / "in"
    shutil.copytree(photographs, pictures)
    with Image.open(photographs / "astronaut.png") as opened:
        opened.crop((40, 60, 410, 430)).save(pictures / "crop.png")
    arguments = ["scan", str(pictures), "--policy", "ci", "--store", f"sqlite:///{tmp_path}/ci.db"]
    program = LISTS_MODULES.replace('["--help"]', repr(arguments))

    def imported(*names: str) -> list[str]:
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert ran.returncode == 1  # the crop is a copy
        modules = ran.stdout.rpartition("MODULES")[2].split()
        return [name for name in names if name in modules]

    never, verifies = ("torch", "sentence_transformers", "transformers", "scipy"), ("onnxruntime", "cv2")
    assert imported(*never, *verifies) == [*verifies]
    assert imported(*never, *verifies) == []


def test_a_decoding_worker_imports_only_what_decodes() -> None:
    program = "import sys, moderator.intake.worker; print(*{name.partition('.')[0] for name in sys.modules})"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules = ran.stdout.split()
    assert {"numpy", "PIL"} <= set(modules)
    assert [name for name in ("pydantic", "yaml", "typer", "onnxruntime", "cv2", "scipy") if name in modules] == []


@pytest.mark.alone
def test_help_takes_less_than_a_third_of_a_second() -> None:
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "moderator", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Processor time, not the clock's, and the best of several: another program's load is not its fault.
    assert min(seconds() for _ in range(5)) < 0.3
