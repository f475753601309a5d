"""`CatalogueOptions`: what a detector may know from a catalogue's metadata, such as sku and colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from moderator.contracts.detector import Options
from moderator.models import Image


class CatalogueOptions(Options):
    """Options of a detector that tells items and their variants by metadata columns."""

    same: Sequence[str] = ("sku",)
    """Metadata columns: pictures that agree in one of them are one item."""
    differ: Sequence[str] = ("colour", "color")
    """Metadata columns: pictures of one item that differ in one of them are variants."""

    def agree(self, image: Image, other: Image) -> str:
        """Returns the column in which two images are one item; empty where there is none."""
        return next((name for name in self.same if self.known(image, name) == self.known(other, name) != ""), "")

    def variant(self, image: Image, other: Image) -> str:
        """Says in what two images of one item differ (`sku 17 in colour blue and red`); empty where they do not."""
        same = self.agree(image, other)
        for name in self.differ if same else ():
            ours, theirs = self.known(image, name), self.known(other, name)
            if ours and theirs and ours != theirs:
                colours = sorted(one.metadata[name].strip() for one in (image, other))
                return f"{same} {image.metadata[same].strip()} in {name} {' and '.join(colours)}"
        return ""

    @staticmethod
    def known(image: Image, column: str) -> str:
        """Returns what the metadata say of an image in a column, as it is compared: without spaces around it and
        whether large or small letters; empty where they say nothing."""
        return image.metadata.get(column, "").strip().casefold()

    @staticmethod
    def lacking(columns: Iterable[str], there: Iterable[str]) -> str:
        """Says that a rule asks for metadata columns of which no scanned picture has any, and which they have."""
        asked, has = " or ".join(f"`{name}`" for name in columns), ", ".join(sorted(there))
        words = f"asks for the metadata column {asked}, which no scanned picture has"
        return f"{words}; they have: {has}" if has else words

    def item(self, image: Image) -> str:
        """Returns a key that the images of one item share; without metadata, an item is a content."""
        known = ((name, self.known(image, name)) for name in self.same)
        return next((f"{name}={value}" for name, value in known if value), str(image.content))
