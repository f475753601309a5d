"""The `duplicates` detector: groups of copies among the scanned pictures and everything stored."""

from __future__ import annotations

from collections.abc import Iterable

from moderator import Detector, hookimpl


@hookimpl
def register_detectors() -> Iterable[type[Detector]]:
    from moderator_duplicates.detector import Duplicates

    return [Duplicates]
