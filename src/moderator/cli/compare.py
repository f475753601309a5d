"""`moderator compare`: all evidence about two pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli import output, screen
from moderator.cli.options import JsonOption, PolicyOption, session

if TYPE_CHECKING:
    from moderator.enquiry import Comparison


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A picture.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    policy: PolicyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every rung of evidence about two pictures."""
    from moderator import enquiry

    chosen = session(policy)
    found = enquiry.compare(chosen.policy, chosen.registry, first, second)
    if as_json:
        _write(found)
    else:
        _show(found)


def _write(found: Comparison) -> None:
    import json

    from moderator.reports.json import rung_document

    rungs = [rung_document(rung) for rung in found.evidence]
    document = {"kind": found.kind.value if found.kind else None, "evidence": rungs, "missing": dict(found.missing)}
    output.show(json.dumps(document, indent=2) + "\n")


def _show(found: Comparison) -> None:
    from rich.text import Text

    table = screen.table("evidence", "if it holds", "score", "asked", "", "note")
    for rung in found.evidence:
        score = "-" if rung.score is None else f"{rung.score:.3f}"
        holds = Text("holds", style="bold green") if rung.holds else Text("")
        table.add_row(rung.signal, rung.kind.words, score, f"{rung.threshold:.3f}", holds, Text(rung.note))
    out = screen.console()
    out.print(table)
    for rung in found.evidence:
        if rung.region is not None and rung.holds:
            shares = f"{rung.region.image_coverage:.0%} of the first is {rung.region.match_coverage:.0%} of the second"
            out.print(f"Where they agree, by {rung.signal}: {shares}.", markup=False)
    for name, why in found.missing.items():
        out.print(Text.assemble((f"{name} was not tried: ", "yellow"), why))
    untried = any(rung.score is None for rung in found.evidence)
    if found.kind is None:
        out.print("No rung holds" + ("; not every rung could be tried." if untried else ": two different pictures."))
    else:
        out.print(f"Strongest that holds: [bold]{found.kind.words}[/bold].")
