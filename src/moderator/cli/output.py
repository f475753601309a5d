"""Writes what a command made: whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from moderator.errors import OutputError


def check_writable(path: Path) -> None:
    """Refuses a file that could not be written, before long work is done for it. Raises: OutputError."""
    folder = path.parent
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder", hint="name a file")
    if _leads_elsewhere(path):
        if not os.access(path, os.W_OK):
            raise OutputError(f"cannot write {path}: no permission to write into it")
        return
    if not folder.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {folder}", hint="make the folder first")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"cannot write {path}: no permission to write in {folder}")


def write(path: Path, text: str | Iterable[str], *, keep: bool = False) -> None:
    """Writes a text, or its parts as they come, to a file for its owner only, by a temporary file that replaces it when
    complete; a device or a pipe is written into. With `keep`, a file that is there stays where links lead to, and
    readable to whom it was. Raises: OutputError."""
    path = path.resolve() if keep else path
    check_writable(path)
    temporary = ""
    try:
        if _leads_elsewhere(path):
            with path.open("a", encoding="utf-8", errors="backslashreplace") as stream:
                stream.writelines([text] if isinstance(text, str) else text)
            return
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.writelines([text] if isinstance(text, str) else text)
            stream.flush()
            os.fsync(stream.fileno())
            if keep and path.exists():
                os.fchmod(stream.fileno(), stat.S_IMODE(path.stat().st_mode))
        Path(temporary).replace(path)
    except BaseException as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(f"cannot write {path}: {error.strerror}") from error
        raise


def _leads_elsewhere(path: Path) -> bool:
    """Whether this is no file that may be replaced: /dev/null, a pipe, or /dev/stdout, even if that leads to a file."""
    return path.exists() and (not path.is_file() or (path.is_symlink() and path.absolute().is_relative_to("/dev")))


def show(text: str) -> None:
    """Writes to standard output, whatever its encoding; to nowhere once its reader has gone."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        abandon(sys.stdout)


def abandon(stream: IO[str]) -> None:
    """Lets a stream lead to nowhere. Whoever read it has seen enough, and the command goes on to its exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
