"""`moderator init`: writes a commented policy to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moderator.cli import output, screen
from moderator.errors import ArgumentError, did_you_mean


def init(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")] = Path("policy.yaml"),
    ready: Annotated[
        str, typer.Option("--from", metavar="NAME", help="default, offline, ci, catalog or trust-and-safety.")
    ] = "default",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a commented policy to start from."""
    from moderator.resources import ready_policies

    policies = ready_policies()
    if ready not in policies:
        raise ArgumentError(f"no ready policy named `{ready}`", hint=did_you_mean(ready, list(policies)))
    if path.exists() and not force:
        raise ArgumentError(f"{path} is there already", hint="name another file, or --force to replace it")
    output.write(path, policies[ready].read_text(encoding="utf-8"))
    told = f"Wrote {path}. Next: `moderator doctor --policy {path}` tells what it lacks here, then scan with it."
    screen.console().print(told, markup=False)
