"""`moderator db`: a store on a database server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from moderator.cli import screen
from moderator.cli.options import PolicyOption, StoreOption, session
from moderator.errors import ArgumentError

if TYPE_CHECKING:
    from moderator.stores.sql import SqlStore

app = typer.Typer(help="Look after a store on a database server.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Look after a store on a database server."""


@app.command()
def codes(policy: PolicyOption = None, store: StoreOption = None) -> None:
    """Write the search codes of vectors that lack them.

    A search on MySQL goes by them. They are written with each vector, so only what another program wrote can lack them.
    """
    with _sql_store(policy, store) as opened:
        written = opened.write_codes()
    screen.console().print(f"{written:,} codes written", markup=False)


@app.command()
def index(policy: PolicyOption = None, store: StoreOption = None) -> None:
    """Make the server's vector index of every model anew, and measure what it finds.

    `moderator search` asks it where the policy says `search: {approximate: true}`. Pictures that are added later are
    compared exactly beside it; after a removal it is not asked until it is made again.
    """
    with _sql_store(policy, store) as opened:
        recalls = opened.build_indexes()
    out = screen.console()
    for model, words in recalls.items():
        out.print(f"{model}: {words}", markup=False)
    if not recalls:
        out.print("no index: the engine has none, or the store no vectors")


@app.command()
def functions(policy: PolicyOption = None, store: StoreOption = None) -> None:
    """Install cosine_similarity and its parts for people in the engine's shell."""
    with _sql_store(policy, store) as opened:
        names = opened.install_functions()
    screen.console().print(f"installed: {', '.join(names) or 'none, this engine needs none'}", markup=False)


def _sql_store(policy: str | None, store: str | None) -> SqlStore:
    from moderator.stores.sql import SqlStore

    opened = session(policy, store).open_store()
    if not isinstance(opened, SqlStore):
        opened.close()
        raise ArgumentError(f"the store {opened.url} is kept by a plugin, which looks after it itself")
    return opened
