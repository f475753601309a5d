"""The real command line, in process: arguments in, exit code and both outputs out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from moderator.cli import app
from moderator.registry import Registry
from tests.scanning import POLICY, Fakes, picture


@dataclass(frozen=True)
class Ran:
    """What one command did."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


def interrupted(*_: object, **__: object) -> None:
    """Stands for what Ctrl-C ends."""
    raise KeyboardInterrupt


@pytest.fixture
def run(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_entry_points: None
) -> Run:
    """Runs a command in an empty folder, with the fake embedder installed beside moderator's own plugins."""
    discover = Registry.discover

    def with_fakes() -> Registry:
        registry = discover()
        registry.register(Fakes(), "fakes", "0")
        return registry

    monkeypatch.setattr(Registry, "discover", staticmethod(with_fakes))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("COLUMNS", "160")
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def command(*arguments: str | Path) -> Ran:
        code = app.run([str(argument) for argument in arguments])
        printed = capfd.readouterr()
        return Ran(code, printed.out, printed.err)

    return command


@pytest.fixture
def policy_file(run: Run) -> Path:
    """policy.yaml in the current folder, on the fake embedder."""
    path = Path("policy.yaml")
    path.write_text(POLICY)
    return path


@pytest.fixture
def uploads(run: Run) -> Path:
    """A picture, a larger copy of it, and one that is alike, in the folder `uploads`."""
    picture(Path("uploads/first.png"))
    picture(Path("uploads/larger.png"), size=64)
    picture(Path("uploads/alike.png"), ("red", "green", "blue", "grey"))
    return Path("uploads")
