"""The report for people at a terminal: the findings of each rule with their evidence, what was not judged, a summary.

File names and metadata are strangers' text: they are set as rich `Text` and never as markup, and their control
characters are made visible.
"""

from __future__ import annotations

import io
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from moderator.contracts import Reporter
from moderator.models import Finding, Image, Reference, Report, Unjudged, Verdict
from moderator.wording import counted

STYLES = {Verdict.ALLOW: "green", Verdict.REVIEW: "yellow", Verdict.BLOCK: "bold red"}
ROWS = 25
"""Rows of one table; the JSON report has them all."""


class TerminalReporter(Reporter):
    """Writes text with tables."""

    name = "terminal"
    summary = "tables for people (the default)"

    def render(self, report: Report) -> str:
        out = io.StringIO()
        console = Console(
            file=out, width=self.width, force_terminal=self.colour, no_color=not self.colour, highlight=False
        )
        console.print(renderable(report))
        return out.getvalue()


def renderable(report: Report) -> RenderableType:
    """Returns the report as something rich can print."""
    return Group(*_parts(report))


def _parts(report: Report) -> Iterator[RenderableType]:
    folder = _common_folder(report)
    if folder:
        elsewhere = any(not _below(finding.match, folder) for finding in report.findings)
        others = "; those of earlier scans are in full" if elsewhere else ""
        yield Text(f"Paths are below {visible(folder)}{others}", style="dim")
        yield Text()
    for rule in report.rules:
        found = [finding for finding in report.findings if finding.rule == rule]
        yield from _rule(rule, found, folder)
        if any(fault.where == f"rule {rule}" for fault in report.faults):
            missing = ": failed, see below; what it should have found is missing"
            yield Text.assemble((rule, "bold"), (missing, "bold red"))
            yield Text()
        elif not found:
            yield Text.assemble((rule, "bold"), (": nothing found", "green"))
            yield Text()
    yield from _unjudged("Not judged", "red", report.rejected, folder)
    yield from _unjudged("Skipped", "dim", report.skipped, folder)
    for fault in report.faults:
        yield Text(f"! {visible(str(fault))}", style="bold red")
    for note in report.notes:
        yield Text(f"· {visible(note)}", style="yellow")
    yield from _summary(report)


def _common_folder(report: Report) -> str:
    """The folder that all paths of this scan have in common, with its slash, if it is absolute: others are short, and
    the next command takes them as they are."""
    paths = [one.path for one in (*report.rejected, *report.skipped)]
    for finding in report.findings:
        paths += [one.path for one in (finding.image, finding.match) if isinstance(one, Image) and one.scanned]
    folders = [path[: path.rfind("/") + 1] for path in paths]
    common = os.path.commonprefix(folders)  # noqa: RUF071 - cut at a slash below; commonpath refuses mixed paths
    folder = common[: common.rfind("/") + 1]
    return folder if folder.startswith("/") else ""


def _below(match: Image | Reference, folder: str) -> bool:
    return isinstance(match, Reference) or match.path.startswith(folder)


def _rule(rule: str, findings: Sequence[Finding], folder: str) -> Iterator[RenderableType]:
    if not findings:
        return
    pictures = len({finding.image.path for finding in findings})
    yield Text.assemble((rule, "bold"), f": {counted(len(findings), 'finding')} in {counted(pictures, 'picture')}")
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    group = None
    for finding in findings[:ROWS]:
        image, match = (visible(str(one).removeprefix(folder)) for one in (finding.image, finding.match))
        verdict = Text(finding.verdict.value, style=STYLES[finding.verdict])
        rows.add_row(verdict, Text.assemble((image, "bold"), (" matches ", "dim"), (match, "bold")))
        rows.add_row("", Text(visible(_evidence(finding, again=finding.group == group))))
        group = finding.group
    yield Padding(rows, (0, 0, 0, 2))
    yield from _more(len(findings) - ROWS)
    yield Text()


def _evidence(finding: Finding, *, again: bool) -> str:
    group = finding.group
    if group is None or group.size < 3 or again:
        return finding.reason
    return f"{finding.reason} (group of {group.size:,}, the two least alike: {group.smallest:.3f})"


def _unjudged(title: str, style: str, paths: Sequence[Unjudged], folder: str) -> Iterator[RenderableType]:
    if not paths:
        return
    counts = Counter(one.words for one in paths).most_common()
    yield Text.assemble((title, f"bold {style}"), f": {', '.join(f'{words} ({count:,})' for words, count in counts)}")
    table = Table(box=None, padding=(0, 1), show_header=False)
    for _ in range(2):
        table.add_column(overflow="fold")
    shown = ROWS if style == "red" else 5
    for one in paths[:shown]:
        table.add_row(Text(visible(one.path.removeprefix(folder))), Text(visible(one.reason), style="dim"))
    yield table
    yield from _more(len(paths) - shown)
    yield Text()


def _more(left_out: int) -> Iterator[RenderableType]:
    if left_out > 0:
        yield Text(f"  … and {left_out:,} more; --format json --output FILE has them all", style="dim")


def _summary(report: Report) -> Iterator[RenderableType]:
    yield Rule(style="dim")
    verdicts = Counter(finding.verdict for finding in report.findings)
    told = [
        (f"{verdicts[verdict]:,} to {verdict.value}", STYLES[verdict])
        for verdict in reversed(Verdict)
        if verdicts[verdict]
    ]
    line = Text(f"{report.found:,} found = {report.judged:,} judged + ")
    line.append(f"{len(report.rejected):,} rejected", "red" if report.rejected else "")
    line.append(f" + {len(report.skipped):,} skipped   ")
    for position, (words, style) in enumerate(told):
        line.append(", " if position else "").append(words, style)
    if not told:
        clean = report.judged and not report.rejected and not report.faults
        line.append("no findings" if report.judged else "nothing judged", "green" if clean else "")
    yield line
    rate = f", {report.judged / report.seconds:,.0f} a second" if report.seconds >= 1 else ""
    embedded = f"{report.embedded:,} embedded, {report.unchanged:,} unchanged"
    yield Text(f"{report.seconds:.1f} s{rate}; {embedded}; policy {visible(report.policy)}", style="dim")


def visible(text: str) -> str:
    """Returns text whose control and direction-changing characters are spelled out, on one line."""
    return "".join(
        character if unicodedata.category(character) not in _UNSEEN else character.encode("unicode_escape").decode()
        for character in text
    )


_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
