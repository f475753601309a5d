"""`moderator scan`: judges pictures by a policy and reports."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from moderator.cli import output, screen
from moderator.cli.options import PolicyOption, StoreOption, session
from moderator.models import Report, Verdict


def scan(
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="PICTURES",
            help="Files, folders, glob patterns, a CSV or JSONL manifest, or - for a list on standard input.",
        ),
    ],
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
    metadata: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="A CSV or JSONL file with a path column; its columns join the pictures."),
    ] = None,
) -> None:
    """Judge pictures by a policy and report the evidence.

    Exit codes: 0 clean, 1 findings, 2 your input, 3 environment, 4 a bug, 5 not all judged, 130 interrupted.
    """
    from moderator.cli.progress import progress
    from moderator.scan import Pictures
    from moderator.scan import scan as run

    chosen = session(policy, store)
    console = screen.console()
    at_terminal = out is None and console.is_terminal
    width = console.width if out is None else screen.PLAIN_WIDTH
    reporter = chosen.registry.reporter(format, width=width, colour=at_terminal)
    if out is not None:
        output.check_writable(out)
    wanted = Pictures(pictures, _listed(), _metadata(metadata))
    report = run(chosen.policy, wanted, registry=chosen.registry, progress=progress(), name=chosen.name)
    text = reporter.render(report)
    if out is None:
        output.show(text)
    else:
        output.write(out, text)
        screen.errors().print(f"{_counts(report)}; the report is in {out}", markup=False)
    raise typer.Exit(report.exit_code(fail_on or chosen.policy.fail_on))


def _listed() -> Iterator[str]:
    """Yields the lines of standard input, whatever bytes a file name has; read only where `-` is a source."""
    for line in sys.stdin.buffer:
        yield os.fsdecode(line)


def _metadata(path: Path | None) -> Mapping[str, Mapping[str, str]]:
    from moderator.intake.manifest import read_manifest

    if path is None:
        return {}
    return {os.path.abspath(row.path): row.columns for row in read_manifest(path)}  # noqa: PTH100


def _counts(report: Report) -> str:
    return (
        f"{report.found:,} found = {report.judged:,} judged + {len(report.rejected):,} rejected + "
        f"{len(report.skipped):,} skipped; {len(report.findings):,} findings"
    )
