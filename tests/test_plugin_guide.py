"""docs/plugins.md, taken at its word: its example is installed, scans, and passes its own tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.scanning import picture

GUIDE = (ROOT / "docs" / "plugins.md").read_text()


def block(language: str, contains: str) -> str:
    """The guide's block of code in this language with these words."""
    (found,) = [text for text in re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL) if contains in text]
    return str(found)


def python(site: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "160"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, installed by pip into a folder of its own."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(block("toml", "moderator-resold"))
    (source / "moderator_resold.py").write_text(block("python", "class ResoldOptions"))
    flags = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    installed = python(target, "-m", "pip", "install", *flags, "--target", target, source)
    assert installed.returncode == 0, installed.stderr
    return target


def test_the_example_is_listed(site: Path) -> None:
    ran = python(site, "-m", "moderator", "plugins")
    assert ran.returncode == 0
    assert re.search(r"resold +1\.0 +moderator_resold", ran.stdout)


def test_the_example_finds_one_picture_under_two_sellers(site: Path, tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "ann.png", size=200)
    picture(tmp_path / "photos" / "bob.png", size=240)
    (tmp_path / "products.csv").write_text("path,seller\nphotos/ann.png,ann\nphotos/bob.png,bob\n")
    (tmp_path / "policy.yaml").write_text(block("yaml", "resold"))
    policy, table = str(tmp_path / "policy.yaml"), str(tmp_path / "products.csv")
    arguments = ["--policy", policy, "--metadata", table, "--format", "json"]
    ran = python(site, "-m", "moderator", "scan", tmp_path / "photos", *arguments)
    assert ran.returncode == 1, ran.stderr
    (finding,) = json.loads(ran.stdout)["findings"]
    assert finding["detector"] == "resold"
    assert finding["reason"] in ("offered by ann and by bob", "offered by bob and by ann")


def test_a_wrong_option_of_the_example_is_refused_with_a_suggestion(site: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(block("yaml", "resold").replace("column:", "colum:"))
    ran = python(site, "-m", "moderator", "policy", "check", tmp_path / "policy.yaml")
    assert ran.returncode == 2
    assert "did you mean `column`?" in ran.stderr


def test_the_examples_own_tests_pass(site: Path, tmp_path: Path) -> None:
    (tmp_path / "test_resold.py").write_text(block("python", "class TestResold"))
    ran = python(site, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path / "test_resold.py")
    assert ran.returncode == 0, ran.stdout
    assert "4 passed" in ran.stdout


# Plugins that fail, really installed


def installed(site: Path, name: str, version: str, module: str) -> Path:
    metadata = site / f"{name}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (metadata / "entry_points.txt").write_text(f"[moderator]\n{name} = {name}_module\n")
    (site / f"{name}_module.py").write_text(module)
    return site


def scanned(site: Path, folder: Path) -> tuple[int, dict[str, list[dict[str, str]]]]:
    picture(folder / "in" / "a.png", size=100)
    picture(folder / "in" / "b.png", size=140)
    store = f"sqlite:///{folder / 'store.db'}"
    arguments = ["--policy", "offline", "--store", store, "--format", "json"]
    ran = python(site, "-m", "moderator", "scan", folder / "in", *arguments)
    return ran.returncode, json.loads(ran.stdout)


def test_a_plugin_that_cannot_be_imported_is_named_with_its_version_and_the_scan_goes_on(tmp_path: Path) -> None:
    site = installed(tmp_path / "site", "broken", "3.4", "import nothing_of_this_name\n")
    code, report = scanned(site, tmp_path)
    assert code == 2
    assert report["findings"]
    assert [(one["plugin"], one["version"], one["where"]) for one in report["faults"]] == [("broken", "3.4", "import")]


def test_two_plugins_that_claim_one_detector_are_refused(tmp_path: Path) -> None:
    module = """
from moderator import Detector, hookimpl

class Mine(Detector):
    name = "duplicates"
    def detect(self, search):
        return ()

@hookimpl
def register_detectors():
    return [Mine]
"""
    site = installed(tmp_path / "site", "usurper", "1.0", module)
    ran = python(site, "-m", "moderator", "scan", tmp_path, "--policy", "offline")
    assert ran.returncode == 2
    assert "both register `duplicates`" in ran.stderr
    assert "usurper" in ran.stderr
