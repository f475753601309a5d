"""Several edits, one after another, as they happen to a picture that goes around."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image

from moderator.edits import geometry, overlays, settings, tones
from moderator.edits.edit import Edit, Scene

_STEPS: Sequence[Sequence[Edit]] = (
    [edit for edit in geometry.EDITS if edit.name in ("crop-70", "mirror", "rotate-5", "squash")],
    [edit for edit in tones.EDITS if edit.family == "tone"],
    [edit for edit in overlays.EDITS if edit.name in ("caption", "stickers", "watermark")],
)
"""One of each is chosen, in this order."""


def three(picture: Image.Image, scene: Scene) -> Image.Image:
    """Chooses an edit of place, one of tone and one laid over it."""
    for choices in _STEPS:
        picture = choices[int(scene.random.integers(len(choices)))].change(picture, scene)
    return picture


def chain(*edits: Callable[[Image.Image, Scene], Image.Image]) -> Callable[[Image.Image, Scene], Image.Image]:
    """Returns these edits one after another."""

    def change(picture: Image.Image, scene: Scene) -> Image.Image:
        for edit in edits:
            picture = edit(picture, scene)
        return picture

    return change


MIXED = (
    Edit("three-edits", "mixed", "hard", "an edit of place, one of tone, one over it", three),
    Edit(
        "shared-around", "mixed", "hard", "cropped, in a screenshot, saved at quality 30",
        chain(geometry.crop(0.8), settings.screenshot, tones.jpeg(30)),
    ),
)  # fmt: skip
