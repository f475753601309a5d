"""`moderator demo`: makes edited copies of a few photographs and scans them, nothing set up, nothing downloaded."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from moderator.cli import output, screen
from moderator.cli.options import session


def demo(
    folder: Annotated[
        Path | None, typer.Option(help="Make the pictures here and keep them; else they are removed in the end.")
    ] = None,
) -> None:
    """Show what a scan finds on a few edited photographs."""
    if folder is not None:
        _run(folder)
        return
    with tempfile.TemporaryDirectory(prefix="moderator-demo-") as temporary:
        _run(Path(temporary))


def _run(folder: Path) -> None:
    from rich.table import Table
    from rich.text import Text

    from moderator import demo as demonstration
    from moderator.cli.progress import progress
    from moderator.policy import ReferenceSet
    from moderator.scanning import scan

    chosen = session("offline", f"sqlite:///{folder.absolute() / 'moderator.db'}")
    out = screen.console()
    made = demonstration.make(folder)
    out.print(
        f"These {len(made.told)} pictures stand for uploads, and {len(demonstration.BANNED)} others, which no report "
        "shows, for a prohibited set:\n"
    )
    table = Table(box=None, show_header=False, padding=(0, 2))
    for name, words in sorted(made.told.items()):
        table.add_row(Text(name), Text(words, style="dim"))
    out.print(table)
    out.print(
        "\nEach is hashed and embedded by SSCD (a copy-detection model) on this machine, and asked: is it a copy of "
        "another one, does it match the prohibited set, is it like another one. What comes near is laid over one "
        "another and verified by keypoints, texture and colour. Each answer shows what it stands on, and the least "
        "that was asked.\n"
    )
    sets = {"prohibited": ReferenceSet(label="prohibited pictures", folder=made.references)}
    policy = chosen.policy.model_copy(update={"reference_sets": sets})
    report = scan(policy, [str(made.pictures)], registry=chosen.registry, progress=progress(), name="offline")
    reporter = chosen.registry.reporter("terminal", width=out.width, colour=out.is_terminal)
    output.show(reporter.render(report))
