"""`moderator models`: whether a policy's models are here, fetching them, and checking them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli import screen
from moderator.cli.options import PolicyOption, Session, session
from moderator.errors import ModelError

if TYPE_CHECKING:
    from moderator.contracts import Embedder

app = typer.Typer(help="List, fetch and check the models of a policy.", no_args_is_help=True)
NameArgument = Annotated[
    str | None, typer.Argument(metavar="NAME", help="One of the policy's embedders; else all that rules use.")
]


@app.command("list")
def show(policy: PolicyOption = None) -> None:
    """List the policy's models and whether their weights are here."""
    from rich.text import Text

    chosen = session(policy)
    table = screen.table("name", "type", "model", "weights", "used by")
    for name, spec in chosen.policy.embedders.items():
        try:
            state = Text(f"here: {chosen.registry.make_embedder(spec).model}", style="green")
        except ModelError as error:
            state = Text(str(error), style="red")
        rules = ", ".join(rule.id for rule in chosen.policy.rules if chosen.policy.embedder_of(rule) == name)
        table.add_row(Text(name), Text(spec.type), Text(spec.model), state, Text(rules))
    screen.console().print(table)


@app.command()
def pull(name: NameArgument = None, policy: PolicyOption = None) -> None:
    """Download weights from the hub.

    Nothing else of moderator ever downloads anything.
    """
    for label, embedder in _embedders(session(policy), name):
        try:
            here = embedder.model
            screen.console().print(f"{label}: already here ({here})", markup=False)
        except ModelError:
            screen.console().print(f"{label}: {embedder.pull()}", markup=False)


@app.command()
def verify(name: NameArgument = None, policy: PolicyOption = None) -> None:
    """Load each model and check what it embeds to."""
    for label, embedder in _embedders(session(policy), name):
        screen.console().print(f"{label}: {embedder.verify()}", markup=False)


@app.command()
def optimize(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of the policy's embedders, of the type clip.")],
    pictures: Annotated[
        list[str] | None,
        typer.Argument(metavar="PICTURES", help="Pictures to prove it on, like those you scan; else the demo's."),
    ] = None,
    policy: PolicyOption = None,
) -> None:
    """Make a CLIP fast.

    It runs in int8 on onnxruntime from then on, without torch, and is proved against fp32.
    """
    from moderator.optimise import optimise

    chosen = session(policy)
    chosen.policy.declared(name)
    towers = optimise(chosen.policy, chosen.registry, name, pictures or [])
    out = screen.console()
    out.print(f"{name}: {towers.told}", markup=False)
    out.print(f"written to {towers.folder}", markup=False)
    out.print(f"to scan with it, write `precision: int8` under `{name}` in the policy", markup=False)


def _embedders(chosen: Session, name: str | None) -> list[tuple[str, Embedder]]:
    declared = chosen.policy.embedders
    wanted = chosen.policy.used if name is None else [chosen.policy.declared(name)]
    return [(one, chosen.registry.make_embedder(declared[one])) for one in wanted]
