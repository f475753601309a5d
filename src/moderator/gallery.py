"""The pictures of one scan, by the content they hold and the name they were found by."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from moderator.contracts import Found, Store
from moderator.models import Image
from moderator.paths import printable

TOGETHER = 500
"""Contents of a scan whose pictures are read at once: most detectors ask for them in this order."""


class Gallery:
    """Knows what was scanned, and what that is compared with.

    Args:
        scanned: the files of this scan with their contents.
        against: the files that they are compared with; None: everything stored.
    """

    def __init__(
        self,
        store: Store,
        scanned: Sequence[tuple[Found, int]],
        against: Sequence[tuple[Found, int]] | None = None,
    ) -> None:
        self._store = store
        self._scanned = {printable(found.path): found for found, _ in scanned}
        self._others = None if against is None else {printable(found.path): found for found, _ in against}
        relative = any(not os.path.isabs(found.name) for found, _ in scanned)  # noqa: PTH117
        self._here = printable(os.path.join(os.getcwd(), "")) if relative else ""  # noqa: PTH109, PTH118
        self._images: dict[int, Sequence[Image]] = {}
        self.subjects = list(dict.fromkeys(content for _, content in scanned))
        self._places = {content: place for place, content in enumerate(self.subjects)}
        self.against = None if against is None else sorted({content for _, content in against})

    def images(self, content: int) -> Sequence[Image]:
        """All images with this content that are asked about: those of this scan first, then by path."""
        if content not in self._images:
            place = self._places.get(content)
            following = () if place is None else self.subjects[place : place + TOGETHER]
            wanted = [one for one in dict.fromkeys((content, *following)) if one not in self._images]
            stored = self._store.images(wanted)
            self._images.update({one: self._asked(stored.get(one, ())) for one in wanted})
        return self._images[content]

    def _asked(self, stored: Sequence[Image]) -> Sequence[Image]:
        named = [self._named(image) for image in stored if self._is_asked(image)]
        return sorted(named, key=lambda image: (not image.scanned, image.path))

    def _is_asked(self, image: Image) -> bool:
        return self._others is None or image.path in self._scanned or image.path in self._others

    def _named(self, image: Image) -> Image:
        """Gives a picture the name it was found by; one of an earlier scan has its full path, or where this scan's are
        named from the current folder and it lies below that, its path from there."""
        found = self._scanned.get(image.path) or (self._others or {}).get(image.path)
        if found is None:
            return replace(image, path=image.path.removeprefix(self._here), file=image.path)
        scanned = image.path in self._scanned
        return replace(image, path=found.name, file=found.path, scanned=scanned, since=image.since if scanned else "")
