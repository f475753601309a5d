"""The `lookalike` detector: similar pictures that are no copies of one another."""

from __future__ import annotations

from collections.abc import Iterable

from moderator import Detector, hookimpl


@hookimpl
def register_detectors() -> Iterable[type[Detector]]:
    from moderator_lookalike.detector import Lookalike

    return [Lookalike]
