"""`moderator models`: from a CLIP to its int8 form, and a scan that runs on it where there is no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run

POLICY = """
version: 1
store: sqlite:///clip.db
embedders:
  clip: {{type: clip, model: {model}, precision: {precision}}}
rules:
  - {{id: copies, detector: duplicates, embedder: clip, threshold: 0.9}}
"""
WITHOUT_TORCH = """
import sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers", "sentence_transformers", "onnx", "onnxscript"):
            raise ImportError(f"{name} is forbidden here")

sys.meta_path.insert(0, Forbidden())
from moderator.cli.app import main
main()
"""


def test_a_clip_is_optimized_by_name_and_then_scans_where_torch_cannot_be_imported(
    run: Run, tiny_clip: Path, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("fp32.yaml").write_text(POLICY.format(model=tiny_clip, precision="fp32"))
    Path("int8.yaml").write_text(POLICY.format(model=tiny_clip, precision="int8"))
    assert "moderator models optimize" in run("scan", photographs, "--policy", "int8.yaml").err

    made = run("models", "optimize", "clip", photographs, "--policy", "fp32.yaml")
    assert made.code == 0
    assert "cosine to fp32 on" in made.out
    assert "neighbours kept" in made.out

    scan = ["scan", str(photographs), "--policy", "int8.yaml", "--format", "json"]
    command = [sys.executable, "-c", WITHOUT_TORCH, *scan]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert ran.returncode in {0, 1}, ran.stderr
    (model,) = json.loads(ran.stdout)["models"]
    assert "/int8/" in model
