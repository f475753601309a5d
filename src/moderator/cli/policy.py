"""`moderator policy`: checks a policy, and describes the format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moderator.cli import output, screen
from moderator.cli.options import session

app = typer.Typer(help="Check a policy, or print the format's JSON Schema.", no_args_is_help=True)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy file, or the name of a ready one.")],
) -> None:
    """Check a policy and name every problem by line."""
    from moderator.asking import check_prompts

    chosen = session(str(file))
    made = {name: chosen.registry.make_embedder(chosen.policy.embedders[name]) for name in chosen.policy.used}
    check_prompts(chosen.policy, made)
    store = chosen.registry.check_store(chosen.url)
    rules = ", ".join(f"{rule.id} ({rule.detector}, {rule.verdict.value})" for rule in chosen.policy.rules)
    out = screen.console()
    out.print(f"{file} is fine.", markup=False)
    out.print(f"  rules: {rules}", markup=False)
    out.print(f"  store: {store}", markup=False)


@app.command()
def schema() -> None:
    """Print the JSON Schema of policies, for editors."""
    import json

    from moderator.policy import Policy

    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Policy.model_json_schema()}
    output.show(json.dumps(document, indent=2) + "\n")
