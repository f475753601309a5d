"""Finds duplicate, prohibited and lookalike images, and shows the evidence for every verdict.

The names below are the public interface; each is imported at first use, so that `import moderator` is light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from moderator.hookspecs import hookimpl

if TYPE_CHECKING:
    from moderator.contracts import CatalogueOptions, Detector, Embedder, Options, Reporter, Search, Store
    from moderator.errors import ModeratorError
    from moderator.models import (
        Evidence,
        Finding,
        Group,
        Image,
        Kind,
        Match,
        ModelId,
        Preprocessing,
        Reference,
        Report,
        Verdict,
    )
    from moderator.policy import EmbedderSpec, Policy, Rule, load_policy
    from moderator.registry import Registry
    from moderator.scanning import scan

_HOMES = {
    "contracts": "CatalogueOptions Detector Embedder Options Reporter Search Store",
    "errors": "ModeratorError",
    "models": "Evidence Finding Group Image Kind Match ModelId Preprocessing Reference Report Verdict",
    "policy": "EmbedderSpec Policy Rule load_policy",
    "registry": "Registry",
    "scanning": "scan",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [  # noqa: RUF022 - in the order in which one meets them
    "hookimpl",
    "Detector", "Embedder", "CatalogueOptions", "Options", "Reporter", "Search", "Store",
    "ModeratorError",
    "Evidence", "Finding", "Group", "Image", "Kind", "Match", "ModelId", "Preprocessing", "Reference", "Report",
    "Verdict",
    "EmbedderSpec", "Policy", "Rule", "load_policy",
    "Registry",
    "scan",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if (home := _HOME_OF.get(name)) is None:
        raise AttributeError(f"module 'moderator' has no attribute {name!r}")
    value = getattr(import_module(f"moderator.{home}"), name)
    globals()[name] = value
    return value
