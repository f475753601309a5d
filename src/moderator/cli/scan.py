"""`moderator scan`: judges pictures by a policy and reports."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli import output, screen
from moderator.cli.options import (
    BetweenOption,
    MetadataOption,
    PicturesArgument,
    PolicyOption,
    StoreOption,
    session,
    wanted_pictures,
)
from moderator.errors import ArgumentError
from moderator.verdict import Verdict
from moderator.wording import counted

if TYPE_CHECKING:
    from moderator.models import Report


class Where(StrEnum):
    """Where pictures are decoded and embedded."""

    LOCAL = "local"
    RAY = "ray"


def scan(
    pictures: PicturesArgument = None,
    policy: PolicyOption = None,
    store: StoreOption = None,
    format: Annotated[  # noqa: A002 - the option is named so
        str, typer.Option("--format", "-f", metavar="NAME", help="terminal, json, or a plugin's format.")
    ] = "terminal",
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the report here.")
    ] = None,
    fail_on: Annotated[
        Verdict | None, typer.Option(help="The mildest verdict that makes the exit code 1. Else the policy's.")
    ] = None,
    metadata: MetadataOption = None,
    between: BetweenOption = None,
    runner: Annotated[
        Where, typer.Option(help="Where pictures are read: on this machine, or on a Ray cluster (docs/scaling.md).")
    ] = Where.LOCAL,
    address: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="The Ray cluster. Else that of RAY_ADDRESS, else Ray starts here."),
    ] = None,
) -> None:
    """Judge pictures by a policy and report the evidence.

    Exit codes: 0 clean, 1 findings, 2 your input, 3 environment, 4 a bug, 5 not all judged, 130 interrupted.
    """
    from moderator.cli.consoles import PLAIN_WIDTH
    from moderator.cli.progress import progress
    from moderator.runners.ray import RayRunner
    from moderator.scanning import scan as run

    if address is not None and runner is not Where.RAY:
        raise ArgumentError("--address is that of a Ray cluster", hint="add --runner ray")
    chosen = session(policy, store)
    console = screen.console()
    at_terminal = out is None and console.is_terminal
    width = console.width if out is None else PLAIN_WIDTH
    reporter = chosen.registry.reporter(format, width=width, colour=at_terminal)
    if out is not None:
        output.check_writable(out)
    wanted = wanted_pictures(pictures, metadata, between)
    reader = partial(RayRunner, address=address) if runner is Where.RAY else None
    report = run(
        chosen.policy, wanted, registry=chosen.registry, progress=progress(), name=chosen.name, runner=reader
    )
    text = reporter.render(report)
    if out is None:
        output.show(text)
    else:
        output.write(out, text)
        for line in (f"{_counts(report)}; the report is in {out}", *screen.remarks(report)):
            screen.errors().print(line, markup=False)
    raise typer.Exit(report.exit_code(fail_on or chosen.policy.fail_on))


def _counts(report: Report) -> str:
    return (
        f"{report.found:,} found = {report.judged:,} judged + {len(report.rejected):,} rejected + "
        f"{len(report.skipped):,} skipped; {counted(len(report.findings), 'finding')}"
    )
