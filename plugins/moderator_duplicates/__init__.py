"""The `duplicates` detector: groups of copies among the scanned pictures and everything stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from moderator import hookimpl

if TYPE_CHECKING:
    from moderator import Detector


@hookimpl
def register_detectors() -> Iterable[type[Detector]]:
    from moderator_duplicates.detector import Duplicates

    return [Duplicates]
