"""The `prohibited` detector: matches against reference sets."""

from __future__ import annotations

from collections.abc import Iterable

from moderator import Detector, hookimpl


@hookimpl
def register_detectors() -> Iterable[type[Detector]]:
    from moderator_prohibited.detector import Prohibited

    return [Prohibited]
