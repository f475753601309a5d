"""`moderator plan`: what to do about copies, written as a script."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
from moderator.models import Kind
from moderator.plan import Action


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
    """Scan pictures and write a shell script that deals with the copies; nothing is done.

    Read the script, start it (it tells what it would do), then start it with --yes. Each step hashes both files again
    and passes over what has changed. Which picture of a group stays is chosen by the rule's option `keep`; it may be
    one of an earlier scan.
    """
    from moderator.cli.progress import progress
    from moderator.plan import script, steps
    from moderator.reports.terminal import visible
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
    told = screen.errors()
    then = "lists them" if action is Action.LIST else "tells what it would do, with --yes it does it"
    told.print(f"{len(planned):,} to {action.value}; `sh {out}` {then}", markup=False)
    if not edited and action is not Action.HARDLINK:
        more = len(steps(report, [Kind.COPY, Kind.EDITED_COPY])) - len(planned)
        if more:
            told.print(f"edited copies, which no hash proves: {more:,}; they are in it with --edited", markup=False)
    for note in report.notes:
        told.print(f"note: {visible(note)}", markup=False)
    if report.rejected:
        told.print(f"{len(report.rejected):,} files could not be judged and are not in it", markup=False)
    raise typer.Exit(report.exit_code(chosen.policy.fail_on) if report.faults else 5 if report.rejected else 0)
