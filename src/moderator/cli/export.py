"""`moderator export`: vectors for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from moderator.cli import output, screen
from moderator.cli.options import EmbedderOption, PicturesArgument, PolicyOption, StoreOption, listed, session
from moderator.wording import counted

app = typer.Typer(help="Write vectors for other programs.", no_args_is_help=True)


class Client(StrEnum):
    """Whose client loads the script."""

    MYSQL = "mysql"
    MARIADB = "mariadb"
    OCEANBASE = "oceanbase"
    TIDB = "tidb"


@app.callback()
def root() -> None:
    """Write vectors for other programs."""


@app.command()
def sql(
    pictures: PicturesArgument,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the script here, not to the screen.")
    ] = None,
    dialect: Annotated[Client, typer.Option(help="Whose client loads it.")] = Client.MYSQL,
    embedder: EmbedderOption = None,
    policy: PolicyOption = None,
    store: StoreOption = None,
) -> None:
    """Write a script that loads pictures' names and vectors into a table.

    The table is image_embeddings (id, image_name, embedding VECTOR(n)), made where it is missing:
    `mysql DATABASE < FILE` loads it. The pictures are read into the store first, as by a scan.

    Exit codes: 0 all written, 2 your input, 3 environment, 5 some pictures could not be read.
    """
    from moderator import export
    from moderator.cli.progress import progress
    from moderator.ingest import Ingest
    from moderator.intake.walk import walk
    from moderator.reports.terminal import visible

    chosen = session(policy, store)
    if out is not None:
        output.check_writable(out)
    walked = list(walk(pictures or [], exclude=chosen.policy.exclude, listed=listed()))
    model = chosen.registry.make_embedder(chosen.policy.embedders[chosen.embedder(embedder)])
    with chosen.open_store() as opened:
        outcome = Ingest(opened, [model], chosen.policy.limits, progress()).run(walked, "picture")
        parts = export.sql(opened, model.model, outcome.judged, dialect.value)
        if out is not None:
            output.write(out, parts)
        else:
            for part in parts:
                output.show(part)
    complaints = screen.errors()
    for one in outcome.rejected:
        complaints.print(f"not written: {visible(one.path)}: {one.reason}", markup=False)
    if out is not None:
        complaints.print(f"{counted(len(outcome.judged), 'picture')} in {out}", markup=False)
    raise typer.Exit(5 if outcome.rejected else 0)
