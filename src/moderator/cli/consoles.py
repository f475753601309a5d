"""The two consoles; apart from the screen, for rich takes a fifth of what `--help` does."""

from __future__ import annotations

import os
import sys

from rich.console import Console

from moderator.cli import output

PLAIN_WIDTH = 120
"""Columns of a report that is no terminal's."""


class _Console(Console):
    """A console whose reader may go: rich would exit with 1, which says that something was found."""

    def on_broken_pipe(self) -> None:
        output.abandon(self.file)


def standard_output() -> Console:
    """Standard output; without a terminal, plain text of a fixed width."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PLAIN_WIDTH
    return _Console(width=width, highlight=False, soft_wrap=False)


def standard_error() -> Console:
    """Standard error, on which nothing is wrapped."""
    return _Console(stderr=True, highlight=False, soft_wrap=True)
