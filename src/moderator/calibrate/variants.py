"""Pictures of one item in two colours, as a catalogue's metadata tell them: neither copies nor plainly different.

A scan that has the metadata leaves them out of `duplicates`, unless their very pixels are the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product

from moderator.calibrate.similarities import Pair
from moderator.contracts import CatalogueOptions, Store
from moderator.intake.walk import walk
from moderator.models import Image
from moderator.policy import DUPLICATES, Policy

Columns = Mapping[str, Mapping[str, str]]
"""Metadata columns of pictures, by absolute path."""


def remembered(store: Store, policy: Policy, sources: Sequence[str]) -> Columns:
    """Returns the metadata that earlier scans have joined to these pictures. Raises: ArgumentError."""
    walked = walk(sources, exclude=policy.exclude)
    known = store.known([item[0].path for item in walked if isinstance(item, tuple)], "picture")
    return {path: one.metadata for path, one in known.items() if one.metadata}


def variants_of(policy: Policy, images: Mapping[int, Sequence[Image]]) -> Mapping[Pair, str]:
    """Returns which two contents the policy's `duplicates` rules take for one item in two colours, and its words."""
    told: dict[Pair, str] = {}
    for options in _catalogues(policy):
        for first, second in _of_one_item(options, images):
            words = [options.variant(*pair) for pair in product(images[first], images[second])]
            if all(words):
                told.setdefault((first, second), words[0])
    return told


def _catalogues(policy: Policy) -> Sequence[CatalogueOptions]:
    """What each rule knows of items; without a rule, what the default one does."""
    named = [rule.options for rule in policy.rules_of(DUPLICATES)] or [{}]
    columns = ("same", "differ")
    return [CatalogueOptions(**{name: one[name] for name in columns if name in one}) for one in named]


def _of_one_item(options: CatalogueOptions, images: Mapping[int, Sequence[Image]]) -> Iterator[Pair]:
    for column in options.same:
        items: dict[str, list[int]] = defaultdict(list)
        for content in sorted(images):
            for value in {options.known(image, column) for image in images[content]} - {""}:
                items[value].append(content)
        for several in items.values():
            yield from combinations(several, 2)
