"""The public names can be imported, importing them is light, and the sources keep the house's rules."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import moderator

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])
HEAVY = ("numpy", "pydantic", "torch", "PIL", "sentence_transformers", "onnxruntime", "pymysql")


@pytest.mark.parametrize("name", moderator.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(moderator, name) is not None
    assert name in vars(moderator)


def test_no_public_name_is_listed_twice() -> None:
    assert len(moderator.__all__) == len(set(moderator.__all__))


def test_no_module_has_a_public_name_which_importing_it_would_hide() -> None:
    assert not set(moderator.__all__) & {path.stem for path in (ROOT / "src" / "moderator").iterdir()}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Detecter'"):
        _ = moderator.Detecter


def test_importing_moderator_imports_nothing_heavy() -> None:
    program = f"import sys, moderator; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    path = {"PYTHONPATH": str(ROOT / "src")}
    run = subprocess.run([sys.executable, "-c", program], env=path, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def tree(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_nothing_is_checked_by_assert_outside_tests() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path in SOURCES
        if path.parent.name != "testing"
        for node in tree(path)
        if isinstance(node, ast.Assert)
    ]
    assert SOURCES
    assert found == []


def test_no_message_leaves_the_plural_to_the_reader() -> None:
    texts = [*SOURCES, *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "config").rglob("*.yaml")]
    found = [(path, re.findall(r"[a-z]+\(e?s\)", path.read_text(encoding="utf-8"))) for path in texts]
    assert [one for one in found if one[1]] == []


def test_nothing_is_pickled() -> None:
    refused = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    found = [
        f"{path}: {name}"
        for path in SOURCES
        for node in tree(path)
        for name in imported(node)
        if name.partition(".")[0] in refused
    ]
    assert found == []
