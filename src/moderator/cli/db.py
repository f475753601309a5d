"""`moderator db`: makes, migrates, checks and empties the database of a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli import screen
from moderator.cli.options import PolicyOption, StoreOption, made, session
from moderator.errors import ArgumentError, StoreError
from moderator.wording import counted

if TYPE_CHECKING:
    from moderator.stores.sql import SqlStore

app = typer.Typer(help="Make, migrate, check and empty the database of a store.", no_args_is_help=True)
PATIENT = 3600.0
"""Seconds that a server may take to write a whole table anew."""


@app.command()
def init(policy: PolicyOption = None, store: StoreOption = None) -> None:
    """Make the database and its tables, where they are missing.

    On a server this wants a user who may CREATE. The user of later scans needs less: grants.sql in sql/mysql or
    sql/mariadb.
    """
    from moderator.stores.sql import SqlStore

    SqlStore.create(_url(policy, store))
    status(policy, store)


@app.command()
def upgrade(policy: PolicyOption = None, store: StoreOption = None) -> None:
    """Bring the tables to the newest schema."""
    from moderator.stores.migrations import migrate
    from moderator.stores.sql import SqlStore

    with SqlStore.unmigrated(_url(policy, store), PATIENT) as opened:
        number = migrate(opened.session, opened.url)
    screen.console().print(f"{opened.url}: schema {number}", markup=False)


@app.command()
def status(policy: PolicyOption = None, store: StoreOption = None) -> None:
    """Show engine, schema and counts, and change nothing."""
    out = screen.console()
    with _opened(policy, store) as opened:
        facts = {"store": opened.url, **opened.status()}
    for name, value in facts.items():
        out.print(f"{name:18} {value}", markup=False)


@app.command()
def check(policy: PolicyOption = None, store: StoreOption = None) -> None:
    """Say what is damaged, left over, or set up unsafely.

    The whole store is read. The exit code is 3 when something is damaged.
    """
    from rich.text import Text

    from moderator.stores import upkeep

    out, wrong = screen.console(), False
    styles = {"ok": "green", "note": "yellow", "wrong": "bold red"}
    with _opened(policy, store) as opened:
        for one in upkeep.check(opened):
            wrong |= one.state == "wrong"
            out.print(Text.assemble((f"{one.state:6}", styles[one.state]), (f"{one.name}: ", "bold"), one.message))
    raise typer.Exit(3 if wrong else 0)


@app.command()
def codes(policy: PolicyOption = None, store: StoreOption = None) -> None:
    """Write the search codes of vectors that lack them.

    A search on MySQL goes by them. They are written with each vector, so only what another program wrote can lack them.
    """
    with _opened(policy, store) as opened:
        written = opened.write_codes()
    screen.console().print(f"{counted(written, 'code')} written", markup=False)


@app.command()
def index(policy: PolicyOption = None, store: StoreOption = None) -> None:
    """Make the server's vector indexes anew.

    What they find is measured. `moderator search`, and a scan for pairs of pictures, ask them where the policy says
    `search: {approximate: true}`. Pictures that are added later are compared exactly beside them; after a removal they
    are not asked until made again. A user with the rights of grants.sql wants one more line of it then, to remove
    references.
    """
    with _opened(policy, store) as opened:
        recalls = opened.build_indexes()
    out = screen.console()
    for model, words in recalls.items():
        out.print(f"{model}: {words}", markup=False)
    if not recalls:
        out.print("no index: the engine has none, or the store no vectors")


@app.command()
def functions(policy: PolicyOption = None, store: StoreOption = None) -> None:
    """Install cosine_similarity for the engine's own shell."""
    with _opened(policy, store) as opened:
        names = opened.install_functions()
    screen.console().print(f"installed: {', '.join(names) or 'none, this engine needs none'}", markup=False)


@app.command()
def purge(
    set_name: Annotated[
        str | None, typer.Option("--set", metavar="SET", help="Remove this reference set as well.")
    ] = None,
    pictures: Annotated[
        str | None, typer.Option(metavar="PATH", help="Forget the pictures at or below this path as well.")
    ] = None,
    gone: Annotated[bool, typer.Option("--gone", help="Forget the pictures whose files are gone as well.")] = False,
    everything: Annotated[
        bool, typer.Option("--everything", help="Remove all pictures, references, decisions and reports.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    policy: PolicyOption = None,
    store: StoreOption = None,
) -> None:
    """Remove what nothing refers to.

    Its bytes are taken off the disk as far as the engine can. Files are never touched.
    """
    from moderator.stores import upkeep

    out = screen.console()
    with _opened(policy, store) as opened:
        paths = upkeep.stored_paths(opened, pictures, gone=gone)
        named = [f"the reference set {set_name}"] if set_name else []
        named += [f"what is known of {counted(len(paths), 'picture')}"] if paths else []
        asked = "everything" if everything else " and ".join(named)
        if asked and not yes and not _confirmed(f"Remove {asked} from {opened.url}?"):
            out.print("nothing was removed")
            return
        unknown = []
        if set_name is not None:
            entries = opened.remove_references(set_name, [])
            out.print(f"{set_name}: {entries:,} removed", markup=False)
            if not entries:
                unknown.append(f"a reference set `{set_name}` with entries")
        if pictures is not None or gone:
            opened.forget(paths)
            out.print(f"{counted(len(paths), 'picture')} forgotten")
            if not paths and not gone:
                unknown.append(f"a picture at or below {pictures}")
        removed = upkeep.purge_everything(opened) if everything else upkeep.purge_unused(opened)
        out.print(f"{counted(removed, 'content')} removed with vectors, hashes and features")
        if left := upkeep.erase(opened):
            out.print(f"note: {left}", markup=False)
        if unknown:  # whoever asks that something be erased must not read a mistyped name as done
            hint = "`moderator references list` and `moderator db status` show what is there"
            raise ArgumentError(f"not in {opened.url}: {' nor '.join(unknown)}", hint=hint)


def _confirmed(question: str) -> bool:
    import sys

    if not sys.stdin.isatty():
        raise ArgumentError("this cannot be undone, and there is no terminal to ask", hint="--yes does it unasked")
    return typer.confirm(question, err=True)


def _url(policy: str | None, store: str | None) -> str:
    """The URL of a store that is ours to keep."""
    from moderator.stores.sql import SqlStore

    chosen = session(policy, store)
    if chosen.registry.stores.get(chosen.url.partition(":")[0]) is not SqlStore:
        raise ArgumentError("`moderator db` keeps SQL stores only", hint=f"known: {', '.join(SqlStore.schemes)}")
    return chosen.url


@contextmanager
def _opened(policy: str | None, store: str | None) -> Iterator[SqlStore]:
    """The store as it is, if it has the newest schema. Raises: ArgumentError, StoreError."""
    from moderator.stores.migrations import migrations, missing
    from moderator.stores.sql import SqlStore

    with SqlStore.unmigrated(made(_url(policy, store)), PATIENT) as opened:
        known = migrations(opened.session.dialect.name)
        if lacking := missing(opened.session, known, opened.url):
            told = f"{opened.url} lacks {counted(len(lacking), 'migration')}"
            raise StoreError(told, hint="`moderator db upgrade` makes up for it")
        yield opened
