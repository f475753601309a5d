"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli.password import warn_of_secret
from moderator.errors import ArgumentError, InputError, PolicyError

if TYPE_CHECKING:
    from moderator.contracts import Store
    from moderator.policy import Policy
    from moderator.registry import Registry
    from moderator.scanning import Pictures

LOCAL = Path("policy.yaml")

PolicyOption = Annotated[
    str | None,
    typer.Option(
        "--policy",
        "-p",
        metavar="FILE",
        help="A policy file, or the name of a ready one: default, offline, ci, catalog, trust-and-safety. "
        "Without it, policy.yaml here if there is one, else the default.",
    ),
]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="Where vectors are kept, such as sqlite:///FILE. Else the policy's."),
]
PicturesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PICTURES",
        help="Files, folders, glob patterns, a CSV or JSONL manifest, or - for a list on standard input, one "
        "a line or separated by NUL.",
    ),
]
MetadataOption = Annotated[
    Path | None,
    typer.Option(
        metavar="CSV", help="A CSV or JSONL file with a path column; its columns join the pictures, in later scans too."
    ),
]
BetweenOption = Annotated[
    tuple[str, str] | None,
    typer.Option(metavar="A B", help="Two folders: only pairs of one picture of A and one of B; A's are kept."),
]
EmbedderOption = Annotated[
    str | None,
    typer.Option("--embedder", metavar="NAME", help="One of the policy's embedders; the first one where left out."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON.")]
FiguresOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all figures here.")]
DrawingOption = Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Draw what is shown here.")]
ConfidenceOption = Annotated[float, typer.Option("--confidence", min=0.5, max=0.999, help="Of the intervals.")]


@dataclass(frozen=True, slots=True)
class Session:
    """The plugins and the policy that a command works with."""

    registry: Registry
    policy: Policy
    name: str

    @property
    def url(self) -> str:
        """Where the store is."""
        return self.policy.store or ""

    def open_store(self) -> Store:
        return self.registry.open_store(self.url)

    def known_store(self) -> Store:
        """Opens the store for a command that only asks. Raises: ArgumentError, as `made`."""
        made(self.url)
        return self.open_store()

    @contextmanager
    def store_or_none(self) -> Iterator[Store]:
        """The store; where there is none yet an empty one that is gone in the end, as what only asks makes none."""
        with tempfile.TemporaryDirectory(prefix="moderator-") as folder:
            none_yet = absent(self.url) is not None
            with self.registry.open_store(f"sqlite:///{folder}/empty.db") if none_yet else self.open_store() as opened:
                yield opened

    def embedder(self, wanted: str | None) -> str:
        """Returns the embedder that was named, or else the policy's first. Raises: ArgumentError."""
        return next(iter(self.policy.embedders)) if wanted is None else self.policy.declared(wanted)


def made(url: str) -> str:
    """Returns the URL of a store. Raises: ArgumentError for a file that is not there, which to open would make: what is
    asked of a mistyped name must not be answered by an empty store."""
    if (file := absent(url)) is not None:
        raise ArgumentError(f"there is no store at {file}", hint="a scan makes it, and `moderator references add`")
    return url


def absent(url: str) -> Path | None:
    """Returns the file of a store that is not there yet, which to open would make; None for any other store."""
    from moderator.stores import sqlite

    file = sqlite.path_of(url) if url.startswith(sqlite.PREFIX) else None
    return None if file is None or file.exists() else file


def listed() -> Iterator[str]:
    """Yields the paths of standard input, one a line, or where a NUL is in it, between those, as `git diff -z` and
    `find -print0` write them. A name may have any bytes. Read only where `-` is a source."""
    text = sys.stdin.buffer.read()
    for path in text.split(b"\0" if b"\0" in text else b"\n"):
        yield os.fsdecode(path)


def session(policy: str | None, store: str | None = None) -> Session:
    """Finds the plugins and loads the policy. Raises: PolicyError, InputError."""
    from moderator.policy import load_policy
    from moderator.registry import Registry

    registry = Registry.discover()
    path, name = find_policy(policy)
    try:
        loaded = load_policy(path, registry.vocabulary())
    except PolicyError as error:
        if registry.faults:  # a name may be unknown only because its plugin is broken
            failed = "; ".join(f"{one.plugin} {one.version}: {one.message}" for one in registry.faults)
            error.hint = f"these plugins failed: {failed}"
        raise
    if store is not None:
        loaded = loaded.model_copy(update={"store": store})
    chosen = Session(registry, loaded, name)
    warn_of_secret(chosen.url)
    return chosen


def find_policy(policy: str | None) -> tuple[Path, str]:
    """Returns the file that a `--policy` option means, and what to call it. Raises: InputError."""
    from moderator.resources import ready_policies

    ready = ready_policies()
    if policy is None:
        return (LOCAL, str(LOCAL)) if LOCAL.is_file() else (ready["default"], "default")
    if policy in ready and not Path(policy).is_file():
        return ready[policy], policy
    if not Path(policy).exists():
        hint = f"name a file (`moderator init` writes one), or one of: {', '.join(ready)}"
        raise InputError(f"no such policy: {policy}", hint=hint)
    return Path(policy), policy


def wanted_pictures(
    sources: Sequence[str] | None, metadata: Path | None, between: tuple[str, str] | None
) -> Pictures:
    """Returns what the arguments of a scan name. Raises: ArgumentError."""
    from moderator.intake.manifest import read_manifest
    from moderator.scanning import Pictures

    rows = read_manifest(metadata) if metadata is not None else []
    if metadata is not None and not rows:
        raise ArgumentError(f"the table of metadata {metadata} has no rows")
    columns = {os.path.abspath(row.path): row.columns for row in rows}  # noqa: PTH100 - links are not followed
    return Pictures(sources or [], listed(), columns, between)
