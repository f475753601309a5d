"""Every hook a plugin may implement. A plugin is a module or package named by an entry point in the group
`moderator`; its functions are marked with `moderator.hookimpl` and import what is heavy inside themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import typer

    from moderator.contracts import Detector, Embedder, Reporter, Store
    from moderator.models import Report

GROUP = "moderator"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def register_detectors() -> Iterable[type[Detector]]:
    """Returns detector classes; a rule chooses one by `detector: NAME`."""
    return ()


@hookspec
def register_embedders() -> Iterable[type[Embedder]]:
    """Returns embedder classes; a policy chooses one by `type: NAME`."""
    return ()


@hookspec
def register_stores() -> Iterable[type[Store]]:
    """Returns store classes; the scheme of a store URL chooses the one that has it among its `schemes`."""
    return ()


@hookspec
def register_reporters() -> Iterable[type[Reporter]]:
    """Returns reporter classes; `scan --format NAME` chooses one."""
    return ()


@hookspec
def register_commands(app: typer.Typer) -> None:
    """Adds commands to the command line."""


@hookspec
def scan_finished(report: Report) -> None:
    """Observes a finished scan: the report is frozen, and what is returned is ignored."""
