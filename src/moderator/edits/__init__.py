"""The edit battery: what people do to a picture before they send it again, as seeded edits by Pillow and numpy.

Benchmarks, `moderator attack`, `moderator calibrate` and the demonstration take their edited copies from here. An edit
gives the same pixels for the same seed and picture, whatever else was edited before.
"""

from __future__ import annotations

from collections.abc import Mapping

from moderator.edits import geometry, overlays, settings, tones
from moderator.edits.edit import Edit, Family, Severity
from moderator.edits.mixed import MIXED

BATTERY: tuple[Edit, ...] = (*geometry.EDITS, *tones.EDITS, *overlays.EDITS, *settings.EDITS, *MIXED)
"""Every edit, the milder families first."""

EDITS: Mapping[str, Edit] = {edit.name: edit for edit in BATTERY}
"""The battery by name."""

PLAIN = ("crop-70", "mirror", "upside-down", "rotate-25", "squash")
"""The edits that anyone makes with two taps; a detector must find practically all of them."""

__all__ = ["BATTERY", "EDITS", "PLAIN", "Edit", "Family", "Severity"]
