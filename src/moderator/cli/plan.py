"""`moderator plan`: what to do about copies, written as a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from moderator.plan import Action
from moderator.wording import counted

if TYPE_CHECKING:
    from moderator.models import Kind, Report
    from moderator.plan import Step


def plan(
    pictures: PicturesArgument = None,
    action: Annotated[
        Action,
        typer.Option(help="list the copies; hardlink identical files to the one kept; move copies into a folder."),
    ] = Action.LIST,
    out: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Write the script here.")
    ] = Path("plan.sh"),
    into: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where move puts the copies, each under its whole path.")
    ] = None,
    edited: Annotated[
        bool, typer.Option("--edited", help="Also act on edited copies, which no hash proves: look at them first.")
    ] = False,
    policy: PolicyOption = None,
    store: StoreOption = None,
    metadata: MetadataOption = None,
    between: BetweenOption = None,
) -> None:
    """Write a shell script that deals with copies; nothing is done.

    The pictures are scanned first. Read the script, start it (it tells what it would do), then start it with --yes.
    Each step hashes both files again and passes over what has changed. Which picture of a group stays is chosen by the
    rule's option `keep`; it may be one of an earlier scan.

    Exit codes: 0 written, 2 your input, 3 environment, 5 written, but some pictures could not be judged.
    """
    from moderator.cli.progress import progress
    from moderator.models import Kind
    from moderator.plan import script, steps
    from moderator.scanning import scan

    if (action is Action.MOVE) != (into is not None):
        raise ArgumentError("--action move and --into FOLDER belong together")
    if action is Action.HARDLINK and edited:
        raise ArgumentError("a link in the place of an edited copy would lose the edit", hint="move edited copies")
    chosen = session(policy, store)
    output.check_writable(out)
    wanted = wanted_pictures(pictures, metadata, between)
    report = scan(chosen.policy, wanted, registry=chosen.registry, progress=progress(), name=chosen.name)
    kinds = [Kind.COPY, Kind.EDITED_COPY] if edited else [Kind.COPY]
    planned = steps(report, kinds, identical=action is Action.HARDLINK)
    output.write(out, script(report, action, planned, str(into.absolute()) if into else ""))
    sources = (*(pictures or ()), *(between or ()))
    for line in (*_told(report, planned, action, out, kinds), *_notes(report, sources, into)):
        screen.errors().print(line, markup=False)
    raise typer.Exit(report.exit_code(chosen.policy.fail_on) if report.faults else 5 if report.rejected else 0)


def _told(
    report: Report, planned: Sequence[Step], action: Action, out: Path, kinds: Sequence[Kind]
) -> Iterator[str]:
    from moderator.models import Kind
    from moderator.plan import elsewhere, steps

    then = "lists them" if action is Action.LIST else "tells what it would do, with --yes it does it"
    yield f"{len(planned):,} to {action.value}; `sh {out}` {then}"
    identical = action is Action.HARDLINK
    both = planned if Kind.EDITED_COPY in kinds or identical else steps(report, [Kind.COPY, Kind.EDITED_COPY])
    if more := len(both) - len(planned):
        yield f"edited copies, which no hash proves: {more:,}; they are in it with --edited"
    if more := len(steps(report, kinds, identical=identical, partly=True)) - len(planned):
        yield f"left alone, as they show more than the picture kept: {more:,}"
    if stored := elsewhere(report, kinds):
        yield f"left alone, as they were stored by an earlier scan and a picture of this one is kept: {stored:,}"


def _notes(report: Report, sources: Sequence[str], into: Path | None) -> Iterator[str]:
    from moderator.reports.terminal import visible

    yield from screen.remarks(report)
    for source in sources:
        if into is not None and Path(source).is_dir() and into.absolute().is_relative_to(Path(source).absolute()):
            yield f"note: {visible(f'{into} lies in {source}')}, where the next scan finds the copies again"
    if report.rejected:
        yield f"not in it, as they could not be judged: {counted(len(report.rejected), 'file')}"
