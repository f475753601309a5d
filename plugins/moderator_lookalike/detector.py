"""Finds pictures that are similar but no copies: the same thing photographed anew, or another thing like it.

With a catalogue's metadata, the views of one item are merged, and an item in another colour is a variant.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Annotated

from pydantic import Field

from moderator import CatalogueOptions, Detector, Evidence, Finding, Image, Kind, Match, Search, Verdict

Cosine = Annotated[float, Field(ge=-1, le=1)]
MANY = 20
"""Fewer pairs are no flood, however few the pictures are."""
ALL = sys.maxsize
"""Variants of one item explode no catalogue: each is told."""


class LookalikeOptions(CatalogueOptions):
    """Options of `detector: lookalike`. Two views of one item are no lookalikes; two items are told once, by their
    closest views."""

    top: int = Field(5, ge=1)
    """The closest lookalikes kept for one picture, so that a catalogue of one style does not explode."""
    variants: Verdict = Verdict.ALLOW
    """The verdict on variants, which are no fault of a catalogue."""
    category: str = "category"
    """The metadata column that `thresholds` is about."""
    thresholds: Mapping[str, Cosine] = Field(default_factory=dict)
    """Least similarity by category, in place of the rule's; of two categories, the stricter one counts."""


class Lookalike(Detector):
    """Reports pairs that are alike; copies are left to `duplicates`."""

    name = "lookalike"
    summary = "similar pictures that are no copies; views of one sku are merged, other colours are variants"
    options_model = LookalikeOptions
    asked_last = True

    def detect(self, search: Search) -> Iterable[Finding]:
        def asked(first: int, second: int) -> float | None:
            pair = self._apart(search.images(first), search.images(second))
            return None if pair is None else self._threshold(*pair)

        self._note_columns(search)
        least = min([self.rule.threshold, *self.options.thresholds.values()])
        told: dict[frozenset[str], tuple[Image, Image, Match]] = {}
        more: Counter[frozenset[str]] = Counter()
        for match in search.alike(self.embedder, least, self.options.top, asked):
            pair = self._apart(search.images(match.content), search.images(match.other))
            if pair is not None:
                items = frozenset(map(self.options.item, pair))
                more[items] += items in told
                told.setdefault(items, (*pair, match))  # the closest comes first
        for items, (image, other, match) in told.items():
            count = more[items]
            views = f"; and {count:,} other pair{'s' * (count > 1)} of views of the two items" if count else ""
            yield self.finding(image, other, match.evidence, f"{_reason(match)}{views}")
        self._note_style(search, [match.score for *_, match in told.values()])
        yield from self._variants(search)

    def _note_columns(self, search: Search) -> None:
        """Says which columns of a table of metadata were asked for and are not there, or are written otherwise, and
        which categories none is of."""
        there: dict[str, set[str]] = {}
        for image in (image for content in search.subjects for image in search.images(content)):
            for name, value in image.metadata.items():
                there.setdefault(name, set()).update([value] if value else [])
        own = self.options.thresholds
        for option, asked in (("same", self.options.same), ("differ", self.options.differ)):
            meant = {name.casefold() for name in there} & {name.casefold() for name in asked}
            if there and not there.keys() & set(asked) and (meant or option in self.options.model_fields_set):
                search.note(f"{self.rule.id} {self.options.lacking(asked, there)}")
        for name in sorted(own.keys() - there.get(self.options.category, set())) if there else ():
            words = f"has a threshold for the {self.options.category} `{name}`, which no scanned picture is of"
            search.note(f"{self.rule.id} {words}")

    def _note_style(self, search: Search, scores: Sequence[float]) -> None:
        """Says where the threshold suits no collection like this one, and which would leave the few that stand out."""
        pictures = len(search.subjects)
        few = max(1, pictures // 10)
        if len(scores) < max(MANY, pictures / 2):
            return
        threshold = math.floor(sorted(scores, reverse=True)[few - 1] * 100) / 100
        left = sum(score >= threshold for score in scores)
        search.note(
            f"{self.rule.id} tells {len(scores):,} pairs among {pictures:,} pictures, as where many are of one style: "
            f"a threshold of {threshold:.2f} would leave {left:,}"
        )

    def _variants(self, search: Search) -> Iterator[Finding]:
        """Yields items in another colour, however alike, by their closest views: those that are no copies, and those
        that a model of copies takes for edited ones."""
        images = (image for content in search.subjects for image in search.images(content))
        if not any(image.metadata.get(column) for image in images for column in self.options.differ):
            return

        def asked(first: int, second: int) -> float | None:
            pairs = product(search.images(first), search.images(second))
            return self.rule.threshold if any(self.options.variant(*pair) for pair in pairs) else None

        alike = search.alike(self.embedder, self.rule.threshold, ALL, asked)
        found = (*search.copies(self.embedder, self.rule.threshold), *alike)
        told: set[str] = set()
        for match in sorted(found, key=lambda match: -match.score):
            sides = ((one, *search.twins_of(one)) for one in (match.content, match.other))
            for image, other in product(*([image for one in side for image in search.images(one)] for side in sides)):
                words = self.options.variant(image, other) if image.scanned else ""
                if words and words not in told:
                    told.add(words)
                    evidence = (Evidence("metadata", Kind.VARIANT, 1.0, 1.0, words), *match.evidence)
                    reason = f"variant: {words}; {match.evidence[-1].words}"
                    yield replace(self.finding(image, other, evidence, reason), verdict=self.options.variants)

    def _apart(self, ours: Sequence[Image], theirs: Sequence[Image]) -> tuple[Image, Image] | None:
        """Returns the first two images that are not of one item; None where there are none."""
        pairs = ((image, other) for image in ours if image.scanned for other in theirs)
        return next((pair for pair in pairs if not self.options.agree(*pair)), None)

    def _threshold(self, image: Image, other: Image) -> float:
        values = (one.metadata.get(self.options.category, "") for one in (image, other))
        own: Mapping[str, float] = self.options.thresholds
        return max(own.get(value, self.rule.threshold) for value in values)


def _reason(match: Match) -> str:
    last = match.evidence[-1].words
    return f"variant: {match.strongest.words}; {last}" if match.kind is Kind.VARIANT else f"alike: {last}"
