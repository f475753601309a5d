"""Finds `config/` and `sql/`: inside the package in a wheel, at the top of the tree in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource(*parts: str) -> Path:
    """Returns the path of a shipped file or folder, such as `resource("config", "policy.yaml")`.

    Raises:
        FileNotFoundError: neither the wheel nor the checkout has it; the installation is broken.
    """
    for base in (_PACKAGE / "_shipped", _PACKAGE.parents[1]):
        if (path := base.joinpath(*parts)).exists():
            return path
    raise FileNotFoundError(f"moderator's own file {'/'.join(parts)} is missing: reinstall moderator")


def ready_policies() -> dict[str, Path]:
    """Returns the ready policies by name: `default` and those of config/policies."""
    found = {path.stem: path for path in sorted(resource("config", "policies").glob("*.yaml"))}
    return {"default": resource("config", "policy.yaml"), **found}
