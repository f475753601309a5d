"""Environments of other tools, beside what `make setup` installs: what they need is no part of moderator."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENTS = Path(sys.prefix) / "peers"
"""Within what `make setup` makes, so that `make clean` removes them."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where tools run: packages to install, and the least and the newest Python they take."""

    name: str
    packages: Sequence[str]
    python: tuple[int, int] = (3, 11)
    newest: tuple[int, int] = (3, 99)


def python_of(environment: Environment) -> Path:
    """The Python of an environment that is prepared."""
    return ENVIRONMENTS / environment.name / "bin" / "python"


def prepare(environment: Environment) -> str:
    """Makes an environment where it is not yet; returns why it cannot be, or nothing."""
    target = ENVIRONMENTS / environment.name
    ready = target / "ready.json"
    if ready.is_file() and json.loads(ready.read_text()) == list(environment.packages):
        return ""
    if (python := _interpreter(environment.python, environment.newest)) is None:
        return f"it needs Python {'.'.join(map(str, environment.python))}, which is not here"
    if python == Path(sys.executable):
        venv.create(target, clear=True, with_pip=True)
    else:
        subprocess.run([str(python), "-m", "venv", "--clear", str(target)], check=True)
    pip = [str(python_of(environment)), "-m", "pip", "--disable-pip-version-check", "-qq", "install"]
    ran = subprocess.run([*pip, *environment.packages], capture_output=True, text=True, check=False)
    if ran.returncode:
        return next((line for line in ran.stderr.splitlines() if line.startswith("ERROR")), "pip could not install it")
    ready.write_text(json.dumps(list(environment.packages)))
    return ""


def _interpreter(least: tuple[int, int], newest: tuple[int, int]) -> Path | None:
    """Returns a Python from one version to another: this one, or one that stands beside it."""
    if least <= sys.version_info[:2] <= newest:
        return Path(sys.executable)
    beside = Path(sys.base_prefix).parent.glob(f"{least[0]}.*/bin/python{least[0]}")
    for python in sorted([*beside, *Path("/usr/bin").glob(f"python{least[0]}.[0-9]*")]):
        asked = [str(python), "-c", f"import sys; sys.exit(not {least} <= sys.version_info[:2] <= {newest})"]
        if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
            return python
    return None
