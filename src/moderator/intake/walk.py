"""Finds files: folders, single files, globs, a list on standard input, manifests with metadata.

Regular files only. Links are not followed; what is passed over is told, with a reason.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from moderator.contracts import Found
from moderator.errors import ArgumentError
from moderator.intake.manifest import MANIFESTS, read_manifest
from moderator.models import Unjudged
from moderator.paths import printable

NAMED = {"symlink": "named_symlink", "not_regular": "named_not_regular"}
"""Codes of what was named itself and not met in a folder: it is no picture that can be passed over unseen."""


def walk(
    sources: Sequence[str],
    *,
    exclude: Sequence[str] = (),
    metadata: Mapping[str, Mapping[str, str]] | None = None,
    listed: Iterable[str] = (),
) -> Iterator[tuple[Found, bool] | Unjudged]:
    """Yields each file once, with whether it was named (and not met in a folder), or why it was passed over.

    Args:
        sources: files, folders, glob patterns, manifests (`.csv`, `.jsonl` with a path column), or `-` for
            the paths in `listed`.
        exclude: folder names that are not entered.
        metadata: columns by absolute path, joined to what is found.
        listed: paths, one an item, as from standard input; used by the source `-`.

    Raises:
        ArgumentError: a source is not there, a pattern matches nothing, or a list has its paths in quotes.
    """
    table = dict(metadata or {})
    seen: set[str] = set()
    for name in _named(sources, listed, table):
        for path, skipped in _files(name, frozenset(exclude)):
            absolute = os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links
            if absolute not in seen:
                seen.add(absolute)
                found = skipped or _stat(path, absolute, table.get(absolute, {}))
                if isinstance(found, Unjudged):
                    yield replace(found, code=NAMED.get(found.code, found.code)) if path == name else found
                else:
                    yield found, path == name


def _named(
    sources: Sequence[str], listed: Iterable[str], table: dict[str, Mapping[str, str]]
) -> Iterator[str]:
    """Yields the paths that were named, filling `table` from manifests; all sources are checked first."""
    if not sources:
        raise ArgumentError("no pictures were named", hint="name files or folders, or `-` to read a list")
    expanded: list[str] = []
    for source in sources:
        if source == "-":
            expanded += map(_unquoted, (line.rstrip("\r\n") for line in listed if line.strip()))
        elif os.path.lexists(source):
            if Path(source).suffix.lower() in MANIFESTS and Path(source).is_file():
                rows = read_manifest(Path(source))
                table.update({os.path.abspath(row.path): row.columns for row in rows})  # noqa: PTH100
                expanded += [row.path for row in rows]
            else:
                expanded.append(source)
        elif matches := sorted(glob.glob(source, recursive=True)):  # noqa: PTH207 - patterns may be absolute
            expanded += matches
        else:
            raise ArgumentError(f"no such file or folder: {printable(source)}")
    yield from map(_plain, expanded)


def _plain(path: str) -> str:
    """Returns a path as git writes it and as stored pictures are named: without the `./` that says nothing."""
    while path.startswith("./"):
        path = path[2:].lstrip("/") or "."
    return path


def _unquoted(line: str) -> str:
    """Returns a line of a list. Raises: ArgumentError for one in quotes, as git writes what is not plain ASCII."""
    if len(line) > 1 and line[0] == line[-1] == '"' and not os.path.lexists(line):
        raise ArgumentError(
            f"the list has a path in quotes, and there is no such file: {printable(line)}",
            hint="`git diff -z` and `git ls-files -z` write paths as they are",
        )
    return line


def _files(name: str, exclude: frozenset[str]) -> Iterator[tuple[str, Unjudged | None]]:
    """Yields the files below `name` in sorted order, or `name` itself."""
    if not os.path.isdir(name):  # noqa: PTH112
        yield name, None
        return
    pending = [name]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                children = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield folder, Unjudged(printable(folder), "unreadable_folder", f"cannot list: {error.strerror}")
            continue
        folders = []
        for entry in children:
            path = _plain(entry.path)
            if not entry.is_dir(follow_symlinks=False):
                yield path, None
            elif entry.name in exclude:
                yield path, Unjudged(printable(path), "excluded", "folder excluded by policy")
            else:
                folders.append(path)
        pending += reversed(folders)


def _stat(path: str, absolute: str, metadata: Mapping[str, str]) -> Found | Unjudged:
    name = printable(path)
    try:
        status = os.lstat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Unjudged(name, "missing", f"cannot be read: {reason}")
    if stat.S_ISLNK(status.st_mode):
        return Unjudged(name, "symlink", "a symbolic link; links are not followed")
    if not stat.S_ISREG(status.st_mode):
        return Unjudged(name, "not_regular", "not a regular file (a device, pipe or socket)")
    return Found(name, absolute, status.st_size, status.st_mtime_ns, metadata)
