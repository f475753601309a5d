"""Writes what the documentation takes from the program: the commands' help, the policy's schema, and the picture of a
scan of the demonstration.

    python docs/make.py            writes docs/cli.md, docs/policy.schema.json and docs/scan.svg where they are stale
    python docs/make.py --check    exits with 1 when they are
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from moderator.cli.app import COMMANDS, application

DOCS = Path(__file__).parent


def named(group: Any, name: str = "") -> Iterator[str]:
    """Yields the names of all commands, those of a group after one another."""
    yield from [] if name and getattr(group, "commands", None) else [name]
    for sub, command in getattr(group, "commands", {}).items():
        yield from named(command, f"{name} {sub}".strip())


def moderator(*arguments: str) -> str:
    """Returns what the command prints, on a terminal of 100 columns without colours."""
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-m", "moderator", *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def commands() -> str:
    """Returns docs/cli.md."""
    parts = ["# Commands\n\nWritten by `python docs/make.py` from the program's own help.\n"]
    for command in named(get_command(application(COMMANDS))):
        lines = [line.rstrip() for line in moderator(*command.split(), "--help").strip().splitlines()]
        parts.append(f"## moderator {command}".rstrip() + "\n\n```text\n" + "\n".join(lines) + "\n```\n")
    return "\n".join(parts)


def picture() -> str:
    """Returns the report of a real scan of the demonstration, as a terminal shows it, drawn as SVG."""
    from rich.console import Console
    from rich.text import Text

    from moderator import Registry, demo, load_policy, scan
    from moderator.policy import ReferenceSet
    from moderator.reports.terminal import renderable
    from moderator.resources import ready_policies

    with tempfile.TemporaryDirectory() as folder:
        made = demo.make(Path(folder))
        sets = {"prohibited": ReferenceSet(label="prohibited pictures", folder=made.references)}
        registry = Registry.discover()
        policy = load_policy(ready_policies()["offline"], registry.vocabulary())
        policy = policy.model_copy(update={"reference_sets": sets, "store": f"sqlite:///{folder}/moderator.db"})
        before = Path.cwd()
        os.chdir(folder)
        try:
            report = scan(policy, ["pictures"], registry=registry, name="offline")
        finally:
            os.chdir(before)
    console = Console(record=True, width=116, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115, PTH123
    console.print(Text("$ moderator scan pictures --policy offline\n", style="bold"))
    console.print(renderable(report))
    # Without fonts from elsewhere: a page that shows it asks no one.
    return re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="moderator"), flags=re.DOTALL)


def told(path: Path, text: str) -> str:
    """Returns what is compared of a document: of the picture its words and where they stand, but no figure, as
    similarities and seconds differ between machines."""
    return re.sub(r"\d+(\.\d+)?", "0", text.replace("&#160;", "")) if path.suffix == ".svg" else text


def main() -> int:
    """Writes or checks the documents and returns the exit code."""
    made = {
        DOCS / "cli.md": commands(),
        DOCS / "policy.schema.json": moderator("policy", "schema"),
        DOCS / "scan.svg": picture(),
    }
    json.loads(made[DOCS / "policy.schema.json"])
    stale = {
        path: text
        for path, text in made.items()
        if not path.is_file() or told(path, path.read_text(encoding="utf-8")) != told(path, text)
    }
    if "--check" not in sys.argv:
        for path, text in stale.items():
            path.write_text(text, encoding="utf-8")
        return 0
    if stale:
        names = ", ".join(path.name for path in stale)
        sys.stderr.write(f"not what the program says: {names}; run `python docs/make.py`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
