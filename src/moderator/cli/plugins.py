"""`moderator plugins`: what is installed, what each plugin adds, and what failed."""

from __future__ import annotations

import typer

from moderator.cli import screen


def plugins() -> None:
    """List plugins, what they add, and which failed.

    The exit code is 2 when one failed.
    """
    from rich.text import Text

    from moderator.registry import Registry

    registry = Registry.discover()
    out = screen.console()
    table = screen.table("plugin", "version", "module")
    for plugin in registry.plugins:
        table.add_row(Text(plugin.name), Text(plugin.version), Text(plugin.module))
    out.print(table)
    added = screen.table("adds", "name", "what it is", "options")
    for kind, items in (
        ("detector", registry.detectors),
        ("embedder", registry.embedders),
        ("store", registry.stores),
        ("format", registry.reporters),
    ):
        for name, item in items.items():
            model = getattr(item, "options_model", None)
            options = ", ".join(model.model_fields) if model else ""
            added.add_row(kind, Text(name), Text(getattr(item, "summary", "")), Text(options))
    out.print(added)
    for fault in registry.faults:
        out.print(Text.assemble(("! ", "bold red"), str(fault)))
    raise typer.Exit(2 if registry.faults else 0)
