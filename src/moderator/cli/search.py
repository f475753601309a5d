"""`moderator search`: the stored pictures closest to a picture or a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli import output, screen
from moderator.cli.options import EmbedderOption, JsonOption, PolicyOption, Session, StoreOption, session
from moderator.errors import ArgumentError

if TYPE_CHECKING:
    from moderator.enquiry import Neighbour


def search(
    image: Annotated[str | None, typer.Argument(metavar="IMAGE", help="A picture; it is not stored.")] = None,
    text: Annotated[str | None, typer.Option("--text", "-t", help="Words instead of a picture (CLIP only).")] = None,
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="How many to show.")] = 10,
    embedder: EmbedderOption = None,
    policy: PolicyOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    show_sql: Annotated[
        bool, typer.Option("--show-sql", help="Print the search as a statement for the store's own client.")
    ] = False,
) -> None:
    """Show the stored pictures closest to a picture or a text."""
    from moderator import enquiry

    if (image is None) == (text is None):
        raise ArgumentError("give a picture or --text, one of the two")
    if show_sql and image is None:
        raise ArgumentError("--show-sql needs a picture")
    chosen = session(policy, store)
    name = _embedder(chosen, embedder, text)
    model = chosen.registry.make_embedder(chosen.policy.embedders[name])
    with chosen.known_store() as opened:
        if show_sql and image is not None:
            output.show(enquiry.search_sql(chosen.policy, opened, model, image, top))
            return
        if image is not None:
            found = enquiry.search_image(chosen.policy, opened, model, image, top)
        else:
            found = enquiry.search_text(chosen.policy, opened, model, text or "", top)
        if not found.pictures:
            raise ArgumentError(
                f"the store {opened.url} holds no picture embedded by `{name}`",
                hint="scan some pictures with this policy first",
            )
    for note in found.notes:
        screen.errors().print(f"note: {note}", markup=False)
    if as_json:
        import json

        rows = [{"path": one.image.path, "score": round(one.score, 6), "signal": name} for one in found.pictures]
        output.show(json.dumps(rows, indent=2) + "\n")
        return
    _show(found.pictures, name)


def _show(found: Sequence[Neighbour], name: str) -> None:
    from rich.text import Text

    from moderator.reports.terminal import visible

    table = screen.table(f"cosine by {name}", "picture")
    for one in found:
        table.add_row(f"{one.score:.3f}", Text(visible(one.image.path)))
    screen.console().print(table)


def _embedder(chosen: Session, wanted: str | None, text: str | None) -> str:
    """Returns the embedder to ask: the one named, else the first that can take what is asked."""
    if wanted is None and text is not None:
        made = ((name, chosen.registry.make_embedder(spec)) for name, spec in chosen.policy.embedders.items())
        wanted = next((name for name, embedder in made if embedder.reads_text), None)
    return chosen.embedder(wanted)
