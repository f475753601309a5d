"""Finds pictures that are similar but no copies: the same thing photographed anew, or another thing like it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import Field

from moderator import Detector, Finding, Image, Options, Search


class LookalikeOptions(Options):
    """Options of `detector: lookalike`."""

    top: int = Field(5, ge=1)
    """The closest lookalikes kept for one picture, so that a catalogue of one style does not explode."""
    same: Sequence[str] = ("sku",)
    """Metadata columns: pictures that agree in one of them are one item, and no lookalikes."""


class Lookalike(Detector):
    """Reports pairs that are alike; copies are left to `duplicates`, views of one item are left out."""

    name = "lookalike"
    summary = "similar pictures that are no copies; the same sku is not a lookalike of itself"
    options_model = LookalikeOptions

    def detect(self, search: Search) -> Iterable[Finding]:
        def one_item(first: int, second: int) -> bool:
            return self._apart(search.images(first), search.images(second)) is None

        for match in search.alike(self.embedder, self.rule.threshold, self.options.top, one_item):
            pair = self._apart(search.images(match.content), search.images(match.other))
            if pair is not None:
                yield self.finding(*pair, match.evidence, f"alike: {match.evidence[-1].words}")

    def _apart(self, ours: Sequence[Image], theirs: Sequence[Image]) -> tuple[Image, Image] | None:
        """Returns the first two images that are not of one item; None where there are none."""
        pairs = ((image, other) for image in ours if image.scanned for other in theirs)
        return next((pair for pair in pairs if not self._same_item(*pair)), None)

    def _same_item(self, image: Image, other: Image) -> bool:
        columns = [(image.metadata.get(name), other.metadata.get(name)) for name in self.options.same]
        return any(ours and ours == theirs for ours, theirs in columns)
