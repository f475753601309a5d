"""`Reporter`, which writes a report in one format, and `Progress`, which tells how long work goes on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar

from moderator.models import Report


class Reporter(ABC):
    """Writes a report in one format."""

    name: ClassVar[str]
    """What `--format` calls it."""
    summary: ClassVar[str] = ""

    def __init__(self, *, width: int = 100, colour: bool = False) -> None:
        self.width = width
        self.colour = colour

    @abstractmethod
    def render(self, report: Report) -> str:
        """Returns the whole report as text. Every string in it is a stranger's: escape it. A format for the
        terminal keeps to `width` columns and uses escape codes only with `colour`."""


class Progress:
    """Tells how long work goes on. This one is silent; the command line has one with bars."""

    def stage(
        self, name: str, total: int | None  # noqa: ARG002 - the silent one needs neither
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Returns a context whose value is called with how many more are done."""
        return nullcontext(lambda _done: None)
