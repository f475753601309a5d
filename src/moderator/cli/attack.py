"""`moderator attack`: edited copies against a policy, and which of them get past it."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from moderator.cli import output, screen
from moderator.cli.options import ConfidenceOption, DrawingOption, FiguresOption, PolicyOption, session
from moderator.errors import ModelError


def attack(
    pictures: Annotated[
        list[str], typer.Argument(metavar="PICTURES", help="Your own pictures; copies are made of some of them.")
    ],
    policy: PolicyOption = None,
    count: Annotated[
        int, typer.Option("--pictures", "-n", min=1, help="Of how many pictures copies are made, at most.")
    ] = 20,
    edit: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this edit, and others so named; else all.")
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="EMBEDDER", help="Leave out this embedder and its rules, such as one without weights."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Chooses the pictures and drives the edits.")] = 0,
    confidence: ConfidenceOption = 0.95,
    least: Annotated[
        float | None, typer.Option(metavar="RATE", min=0, max=1, help="Exit with 1 if fewer copies are found.")
    ] = None,
    as_json: FiguresOption = None,
    svg: DrawingOption = None,
) -> None:
    """Show which edited copies get past a policy.

    Of each edit it is told what is blocked, sent to review or missed. The pictures become references of each set that a
    rule asks, and pictures that were there before; the copies are scanned as uploads. A copy is found if a rule on
    duplicates or prohibited pictures names its original as a copy; one that cannot be judged is missed, and makes the
    command exit with 5. Nothing is stored; the policy's own sets,
    allowlists, texts and decisions have no part in it.
    """
    from moderator.attack import Asked, chosen_edits
    from moderator.attack import attack as run
    from moderator.attack import without as less
    from moderator.cli import attacked as shown
    from moderator.cli.progress import progress

    chosen = session(policy)
    attacked, left_out = less(chosen.policy, without or [])
    for file in (as_json, svg):
        if file is not None:
            output.check_writable(file)
    edits = chosen_edits(edit or [])
    with tempfile.TemporaryDirectory(prefix="moderator-") as folder:
        asked = Asked(Path(folder).resolve(), count, seed, edits)
        try:
            found = run(attacked, chosen.registry, pictures, asked, progress())
        except ModelError as error:
            error.hint = f"{error.hint}; or attack the other rules: --without EMBEDDER".removeprefix("; ")
            raise
    if left_out:
        note = f"not attacked, without {', '.join(without or [])}: the rules {', '.join(left_out)}"
        found = replace(found, notes=(*found.notes, note))
    console = screen.console()
    console.print(shown.renderable(found, chosen.name, confidence))
    if as_json is not None:
        output.write(as_json, shown.document(found, chosen.name, seed, confidence))
    if svg is not None:
        output.write(svg, screen.drawn(shown.renderable(found, chosen.name, confidence), "moderator attack", 130))
    raise typer.Exit(found.exit_code(least))
