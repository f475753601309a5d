"""What the documentation takes from the program is held against it; the picture of a scan by its words alone."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "scan.svg"


@pytest.fixture(scope="module")
def make() -> ModuleType:
    """docs/make.py, which is a script."""
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs" / "make.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_picture_of_a_scan_with_other_figures_is_not_stale(make: ModuleType) -> None:
    drawn = PICTURE.read_text(encoding="utf-8")
    other = drawn.replace("0.90", "0.87").replace("13&#160;judged", "113&#160;judged")
    assert other != drawn
    assert make.told(PICTURE, other) == make.told(PICTURE, drawn)


@pytest.mark.parametrize(("words", "others"), [("judged", "seen"), ("matches", "equals"), ("#c5c8c6", "#ffffff")])
def test_a_picture_of_a_scan_in_other_words_or_colours_is_stale(make: ModuleType, words: str, others: str) -> None:
    drawn = PICTURE.read_text(encoding="utf-8")
    assert words in drawn
    assert make.told(PICTURE, drawn.replace(words, others)) != make.told(PICTURE, drawn)
