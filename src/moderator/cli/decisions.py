"""`moderator decide` and `moderator decisions`: a reviewer's word on two pictures."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli import screen
from moderator.cli.options import PolicyOption, StoreOption, session
from moderator.errors import ArgumentError

if TYPE_CHECKING:
    from moderator.models import Decision

app = typer.Typer(help="List and withdraw what reviewers have decided.", no_args_is_help=True)

PICTURE = "A file, a reference as SET#ENTRY, a text as SET#TEXT, or a SHA-256."
First = Annotated[str, typer.Argument(metavar="A", help=PICTURE)]
Second = Annotated[str, typer.Argument(metavar="B", help=PICTURE)]


def decide(
    first: First,
    second: Second,
    match: Annotated[
        bool | None,
        typer.Option("--match/--not-a-match", help="Confirm the match, or say that it is none; one is needed."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; needed, as scans and lists show it.")] = "",
    owner: Annotated[str | None, typer.Option(metavar="NAME", help="Who decides. Else the user's name.")] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="DATE", help="The last day (YYYY-MM-DD, UTC) on which it holds.")
    ] = None,
    policy: PolicyOption = None,
    store: StoreOption = None,
) -> None:
    """Keep a reviewer's word on two pictures, for later scans.

    It is heeded wherever the files are. What is called no match is not reported again, by any rule. Identical files
    always match.
    """
    from moderator import decisions
    from moderator.models import Decision
    from moderator.reports.terminal import visible

    if match is None or not reason.strip():
        raise ArgumentError("say --match or --not-a-match, and why with --reason")
    verdict = decisions.MATCH if match else decisions.NO_MATCH
    chosen = session(policy, store)
    with chosen.open_store() as opened:
        word = Decision("", "", verdict, reason.strip(), owner or getpass.getuser(), expires)
        made = decisions.decide(opened, chosen.policy, first, second, word)
    said = _said("a match" if match else "no match", made)
    screen.console().print(visible(f"{first} and {second}: {said}"), markup=False)


def _said(words: str, decision: Decision) -> str:
    until = f" until {decision.expires[:10]}" if decision.expires else ""
    return f"{words}{until}, says {decision.owner}"


@app.command("list")
def show(policy: PolicyOption = None, store: StoreOption = None) -> None:
    """List the decisions that hold."""
    from rich.padding import Padding
    from rich.text import Text

    from moderator import decisions
    from moderator.reports.terminal import visible

    chosen = session(policy, store)
    with chosen.known_store() as opened:
        found = decisions.listed(opened, chosen.policy)
    out = screen.console()
    for one in found:
        out.print(screen.two(one.first, one.second))
        words = f"{_said(one.words, one.decision)}: {one.decision.reason}"
        out.print(Padding(Text(visible(words)), (0, 0, 0, 2)))
    if not found:
        out.print("No decisions.")


@app.command()
def withdraw(first: First, second: Second, policy: PolicyOption = None, store: StoreOption = None) -> None:
    """Withdraw the decision on two pictures."""
    from moderator import decisions

    chosen = session(policy, store)
    with chosen.known_store() as opened:
        decisions.withdraw(opened, chosen.policy, first, second)
    screen.console().print("Withdrawn: the next scan judges the two by itself.")
