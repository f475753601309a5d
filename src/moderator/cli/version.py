"""`moderator version`."""

from __future__ import annotations

import typer

from moderator.cli import screen


def version() -> None:
    """Show the version."""
    import platform
    from importlib.metadata import version as installed

    screen.console().print(f"moderator {installed('moderator')} (Python {platform.python_version()})")


def eager(asked: bool) -> None:
    """Shows the version for `moderator --version` and exits."""
    if asked:
        version()
        raise typer.Exit
