r"""How paths are written where text must be UTF-8: bytes that are none stand as `\xNN`, in reports and in stores."""

from __future__ import annotations

import os
import re


def printable(path: str) -> str:
    r"""Returns a path, or any text, that can be printed and stored: bytes that are no UTF-8 become `\xNN`."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def file_of(text: str) -> str:
    """Returns a path as the system takes it, from what `printable` wrote."""
    raw = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), text.encode())
    return os.fsdecode(raw)


def found_at(text: str) -> str | None:
    """Returns where the file is whose path `printable` wrote; None where it is gone."""
    return next((path for path in (text, file_of(text)) if os.path.lexists(path)), None)
