"""`moderator references`: fills, lists and empties reference sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli import screen
from moderator.cli.options import PolicyOption, Session, StoreOption, session
from moderator.errors import ArgumentError

if TYPE_CHECKING:
    from moderator.contracts import Embedder

app = typer.Typer(help="Fill, list and empty the sets of prohibited pictures.", no_args_is_help=True)


@app.command()
def add(
    set_name: Annotated[str, typer.Argument(metavar="SET", help="The set; it is made if it is new.")],
    pictures: Annotated[list[str], typer.Argument(metavar="PICTURES", help="Files, folders, globs or a manifest.")],
    policy: PolicyOption = None,
    store: StoreOption = None,
    names: Annotated[
        bool, typer.Option("--names", help="Label each entry with its file name, which reports then show.")
    ] = False,
) -> None:
    """Add pictures to a set."""
    from moderator import references
    from moderator.cli.progress import progress
    from moderator.ingest import Ingest
    from moderator.policy import PROHIBITED
    from moderator.reports.terminal import visible

    chosen = session(policy, store)
    if not set_name.isprintable() or not set_name.strip() or len(set_name) > 64:
        raise ArgumentError("the set's name must be 1 to 64 printable characters")
    with chosen.open_store() as opened:
        ingest = Ingest(opened, _embedders(chosen), chosen.policy.limits, progress())
        added = references.add(opened, chosen.policy, ingest, set_name, pictures, named=names)
    out = screen.console()
    labelled = "; labelled by their file names" if names else ""
    out.print(f"{set_name}: {added.new:,} added, {added.known:,} already there{labelled}", markup=False)
    for one in added.ingested.rejected:
        out.print(f"  not added: {visible(one.path)}: {one.reason}", markup=False)
    if added.ingested.skipped:
        out.print(f"  skipped: {len(added.ingested.skipped):,} that are no pictures")
    if not any(chosen.policy.asks(rule, set_name) for rule in chosen.policy.rules_of(PROHIBITED)):
        out.print(f"  note: no rule of the policy {chosen.name} asks this set", markup=False)
    elif set_name not in chosen.policy.reference_sets:
        words = f"the policy {chosen.name} does not declare this set, so its pictures count as prohibited"
        out.print(f"  note: {words}", markup=False)
    raise typer.Exit(5 if added.ingested.rejected else 0)


@app.command("list")
def show(
    set_name: Annotated[str | None, typer.Argument(metavar="SET", help="Show this set's entries.")] = None,
    policy: PolicyOption = None,
    store: StoreOption = None,
) -> None:
    """List the sets, or the entries of one."""
    from rich.text import Text

    from moderator.reports.terminal import visible

    chosen = session(policy, store)
    with chosen.known_store() as opened:
        entries = opened.references([set_name]) if set_name else []
        counts = opened.reference_counts()
    out = screen.console()
    declared = chosen.policy.reference_sets
    if set_name is None:
        table = screen.table("set", "entries", "severity", "from")
        for name in sorted({*counts, *declared}):
            spec = declared.get(name)
            source = f"folder {spec.folder}" if spec and spec.folder else "added by command"
            table.add_row(Text(name), f"{counts.get(name, 0):,}", spec.severity if spec else "high", Text(source))
    elif not entries:
        raise ArgumentError(f"the set `{set_name}` is empty or not there", hint="`moderator references list` shows all")
    else:
        table = screen.table("entry", "label")
        for entry in entries:
            table.add_row(f"{entry.entry}", Text(visible(entry.label)))
    out.print(table)


@app.command()
def remove(
    set_name: Annotated[str, typer.Argument(metavar="SET", help="The set.")],
    entries: Annotated[list[int] | None, typer.Argument(metavar="ENTRY", help="Entries by number.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove the whole set.")] = False,
    policy: PolicyOption = None,
    store: StoreOption = None,
) -> None:
    """Remove entries or a whole set, with all that only they need."""
    from moderator import references

    if bool(entries) == everything:
        raise ArgumentError("name the entries to remove, or --all", hint=f"`moderator references list {set_name}`")
    with session(policy, store).known_store() as opened:
        removed = references.remove(opened, set_name, entries or [])
    if not removed:
        lacks, of = ("is empty or not there", "") if everything else ("has no such entries", f" {set_name}")
        raise ArgumentError(f"the set `{set_name}` {lacks}", hint=f"`moderator references list{of}` shows all")
    screen.console().print(f"{set_name}: {removed:,} removed", markup=False)


def _embedders(chosen: Session) -> list[Embedder]:
    """The embedders of the rules that ask reference sets; of all rules where none does."""
    from moderator.policy import PROHIBITED

    rules = chosen.policy.rules_of(PROHIBITED) or chosen.policy.rules
    return list(chosen.registry.make_embedders(chosen.policy.model_copy(update={"rules": rules})).values())
