"""What every command shares of the screen: two consoles and complaints."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

    from moderator.models import Report


def console() -> Console:
    """Standard output; without a terminal, plain text of a fixed width."""
    from moderator.cli.consoles import standard_output

    return standard_output()


def errors() -> Console:
    """Standard error, on which nothing is wrapped."""
    from moderator.cli.consoles import standard_error

    return standard_error()


def table(*titles: str, padding: int = 1) -> Table:
    """Returns an empty table, in which what is too long for its column goes on below and is not cut short."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, padding=(0, padding))
    for title in titles:
        made.add_column(title, overflow="fold")
    return made


def two(first: str, second: str) -> Text:
    """Returns two pictures on one line, or where it is too short on two, neither cut in pieces."""
    from rich.text import Text

    from moderator.reports.terminal import visible

    return Text.assemble((visible(first), "bold"), (" and ", "dim"), (visible(second), "bold"), overflow="fold")


_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Fonts that rich would have a viewer load from elsewhere; there is one on every machine."""


def drawn(shown: RenderableType, title: str, width: int = 110) -> str:
    """Returns what a terminal of `width` columns would show, as an SVG picture."""
    from rich.console import Console

    terminal = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    terminal.print(shown)
    return _FONTS.sub("", terminal.export_svg(title=title))


def remarks(report: Report) -> Iterator[str]:
    """Yields what whoever does not see the report itself must know of it: which plugins failed, and the notes."""
    from moderator.reports.terminal import visible

    yield from (f"error: {visible(str(fault))}" for fault in report.faults)
    yield from (f"note: {visible(note)}" for note in report.notes)


def complain(message: str, hint: str = "") -> None:
    """Says what is wrong, and what to do about it."""
    from rich.text import Text

    out = errors()
    out.print(Text.assemble(("error: ", "bold red"), _harmless(message)))
    if hint:
        out.print(Text.assemble(("  hint: ", "bold"), _harmless(hint)))


def _harmless(text: str) -> str:
    """Spells out the control characters of file names, and keeps the lines."""
    from moderator.reports.terminal import visible

    return "\n".join(map(visible, text.split("\n")))
