"""The wheel: it holds all that a checkout has to run, and runs from another folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

TAKEN = ("src", "plugins", "config", "sql", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the tree."""
    tree = tmp_path_factory.mktemp("tree")
    for name in TAKEN:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tree / "dist"), str(tree)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = (tree / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def moderator(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment that holds the wheel, and beside it the packages that are here already."""
    folder = tmp_path_factory.mktemp("env")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    flags = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", *flags, str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    (site,) = folder.glob("lib/python*/site-packages")
    # After its own packages, so that the moderator of this checkout is never the one that runs.
    (site / "here.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "moderator"


def run(moderator: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_DATA_HOME": str(folder / "data"), "COLUMNS": "160"}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [str(moderator), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_wheel_holds_config_sql_plugins_and_types_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "moderator/_shipped/config/policy.yaml",
        "moderator/_shipped/config/policies/offline.yaml",
        "moderator/_shipped/sql/sqlite/0001_initial.sql",
        "moderator/py.typed",
        "moderator_duplicates/detector.py",
        "moderator_prohibited/detector.py",
        "moderator_lookalike/detector.py",
    ):
        assert wanted in names
    assert [name for name in names if name.startswith("tests")] == []
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_installed_moderator_is_the_wheels(moderator: Path, tmp_path: Path) -> None:
    code = "import moderator, moderator_duplicates; print(moderator.__file__, moderator_duplicates.__file__)"
    python = moderator.with_name("python")
    ran = subprocess.run([str(python), "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert all(str(moderator.parents[1]) in path for path in ran.stdout.split())


def test_it_writes_and_checks_a_policy_in_another_folder(moderator: Path, tmp_path: Path) -> None:
    assert run(moderator, tmp_path, "init", "--from", "offline").returncode == 0
    ran = run(moderator, tmp_path, "policy", "check", "policy.yaml")
    assert ran.returncode == 0, ran.stderr
    assert "policy.yaml is fine" in ran.stdout


def test_it_finds_its_plugins(moderator: Path, tmp_path: Path) -> None:
    ran = run(moderator, tmp_path, "plugins")
    assert ran.returncode == 0, ran.stdout
    for name in ("duplicates", "prohibited", "lookalike", "sqlite", "onnx"):
        assert name in ran.stdout


def test_it_scans_with_a_store_of_its_own(moderator: Path, tmp_path: Path) -> None:
    ran = run(moderator, tmp_path, "demo")
    assert ran.returncode == 0, ran.stderr
    assert "14 found = 13 judged" in ran.stdout
