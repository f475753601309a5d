"""The pairs that verification has to tell apart, measured: edited copies, their panels and recoloured variants of a
folder's pictures, against themselves and against the pictures that SSCD finds closest, as a scan would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.collection import (
    COPY,
    ITEM,
    OTHER,
    RECOLOURED,
    VARIANT,
    Picture,
    backgrounds,
    called_one,
    distinct,
    frame,
    same,
)
from benchmarks.copies import Made, Shown, opened, saved
from benchmarks.looked_at import looked_at
from benchmarks.recolour import recoloured
from moderator.edits import EDITS
from moderator.intake.panels import panels
from moderator.search.verify import probability, signs
from moderator.search.verify.colour import colour
from moderator.search.verify.features import Features
from moderator.search.verify.within import part_of
from moderator.vectors import Matrix

SEED = 7
EDITED, EACH = 100, 10
"""Most pictures of a collection that are edited, and copies of each by edits of the battery, besides `OFTEN`."""
OFTEN = (
    *("bands", "bands", "laid-over", "palette", "jpeg-5", "three-edits"),
    *("sepia", "equalise", "bend", "clarity", "gradient"),
    *("labels", "background", "haze", "hdr", "duotone", "grain"),
)
"""Edits by which each picture gets copies besides: those that are most like another colour, or another picture, and
differ most among themselves."""
RECOLOURS = 8
"""Recoloured variants of each of those."""
EDITED_TOO = (
    *("padding", "mirror", "rotate-5", "squash", "screenshot", "bands", "laid-over", "palette", "jpeg-5"),
    *("sepia", "equalise", "bend", "clarity", "gradient"),
    *("labels", "background", "haze", "hdr", "duotone"),
)
EDITED_VARIANTS = 5
"""Edits, one of which is done to each of the last variants, and of how many. One that hides the other colour does not
count."""
MILD = (
    *("jpeg-30", "jpeg-10", "blur", "sharpen", "noise", "shrink", "squash", "mirror", "rotate-5"),
    *("brightness", "contrast", "gamma", "saturation", "colour-cast", "vignette"),
)
"""Edits after which next to all of a picture is left: two copies under any two of them are copies of each other."""
BETWEEN, COPIES_BETWEEN, VARIANTS_BETWEEN = "between edits", 5, 3
"""The edit of pairs of such copies, and of a variant and such a copy; how many of a picture are measured."""
SHOWN_TOO = 5
"""Times as many pictures are measured against one another as they are."""
NEAR = 4
"""References that each copy is measured against, besides its own; a panel is against half as many."""
ALIKE = 0.75
"""Cosine from which on two pictures without metadata may be one, in two states: what such a pair is, nothing tells."""
STILL, UNMOVED = 0.9, 8.0
"""Cosine from which on two photographs of one item are frames between which next to nothing moved, and the levels by
which less than half of their pixels then differ, where the camera stood still and people went by."""
UNTOLD = -1
"""What is not counted: two photographs of a coloured item, which may be one and its crop, two still frames, and what
was looked at (`looked_at.csv`)."""
UNLIKELY = 0.001
"""Probability of one picture, by the shipped model, below which colours of two pictures are not measured: as they take
most of the time, and no model that is fitted asks them of such a pair."""
SHOWN = 0.6
"""Cosine from which on a panel of an edited picture is taken to show that picture, and not another tile."""

Vector = npt.NDArray[np.float64]

_pictures: list[Features] = []
"""In a process that measures: what pairs are of."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Measured pairs of one collection.

    Attributes:
        whole, stored: float64 `[n, signs]`, with both pictures and with one as stored; NaN where nothing is aligned.
        labels: what a pair is; `VARIANT` of two photographs of the metadata may be two views of an item.
        edits: how the first picture was made; `panels` says whether only a panel of it was looked at.
        hashed: whether the perceptual hash calls the two one picture; a panel is not asked.
    """

    whole: npt.NDArray[np.float64]
    stored: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    edits: npt.NDArray[np.str_]
    panels: npt.NDArray[np.bool_]
    hashed: npt.NDArray[np.bool_]

    def save(self, path: Path) -> None:
        """Writes a file that `load` reads."""
        np.savez(path, **{one.name: getattr(self, one.name) for one in fields(self)})


def load(path: Path) -> Pairs:
    """Returns what `Pairs.save` wrote."""
    with np.load(path) as kept:
        return Pairs(**{one.name: kept[one.name] for one in fields(Pairs)})


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """The pairs of one collection before any is measured: what is slow to make, and stays as it is when signs change.

    Attributes:
        pictures: features of all pictures, edited or not, and of panels.
        pairs: int64 `[n, 2]`, which two of those.
        labels, edits, panels, hashed: as in `Pairs`.
    """

    pictures: Sequence[Features]
    pairs: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    edits: npt.NDArray[np.str_]
    panels: npt.NDArray[np.bool_]
    hashed: npt.NDArray[np.bool_]


def asked(folder: Path, edited: int = EDITED) -> Asked:
    """Edits and recolours pictures of a folder, and pairs what that gives, and the pictures as they are, with those
    closest to it."""
    behind, known = backgrounds(list(distinct(folder, SEED)))
    made = Made(SEED, [opened(one.path) for one in behind])
    known = known[: SHOWN_TOO * edited]
    references = [made.shown(opened(one.path), number) for number, one in enumerate(known)]
    known, references, vectors = _apart(known, references, made.embedded(references))
    queries = [*((one, False) for one in references), *_edited(made, known[:edited])]
    cosines = made.embedded([shown for shown, _ in queries]) @ vectors.T
    relations = _relations(known)
    relations[(relations == ITEM) & ((vectors @ vectors.T >= STILL) | _unmoved(known, relations == ITEM))] = UNTOLD
    relations[looked_at(known)] = UNTOLD
    rows: list[tuple[tuple[int, int], int, str, bool, bool]] = []
    for number, ((one, panel), row) in enumerate(zip(queries, cosines, strict=True)):
        for place in _places(one, row, panel=panel):
            label = int(relations[one.source, place])
            if one.edit == RECOLOURED and label in (COPY, VARIANT):
                label = VARIANT if label == COPY else UNTOLD
            if label != UNTOLD and not (one.source == place and not one.edit):
                hashed = not panel and _hashed(one, references[place])
                rows.append(((number, place), label, one.edit, panel, hashed))
    for pair, label in _between(queries):
        rows.append((pair, label, BETWEEN, False, _hashed(*(queries[number][0] for number in pair))))
    # The references are the first of the queries, so a reference's place is its number.
    return Asked([one.local for one, _ in queries], *(np.array(each) for each in zip(*rows, strict=True)))


def measured(of: Asked) -> Pairs:
    """Measures pairs, on all cores."""
    asked = zip(of.pairs.tolist(), np.isin(of.labels, (COPY, VARIANT)).tolist(), strict=True)
    # Spawned, as OpenCV's threads do not live on in a process that is forked, and would be waited for.
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=_keep, initargs=(of.pictures,)) as pool:
        signs = list(pool.map(_signs, asked, chunksize=32))
    whole, stored = (np.stack(each) for each in zip(*signs, strict=True))
    return Pairs(whole, stored, of.labels, of.edits, of.panels, of.hashed)


def _apart(
    known: Sequence[Picture], shown: Sequence[Shown], vectors: Matrix
) -> tuple[list[Picture], list[Shown], Matrix]:
    """Leaves out pictures that may be copies of an earlier one, where no metadata tells: to call such a pair two
    pictures could lie."""
    same = called_one((one.hashes, one.quality) for one in shown)
    same = (same | (vectors @ vectors.T > ALIKE)) & (_relations(known) == OTHER)
    kept = [place for place in range(len(known)) if not same[place, :place].any()]
    apart = [replace(shown[place], source=at) for at, place in enumerate(kept)]
    return [known[place] for place in kept], apart, vectors[kept]


def _edited(made: Made, known: Sequence[Picture]) -> Iterator[tuple[Shown, bool]]:
    """Yields edited copies and variants, and panels of those copies, and whether each is a panel."""
    for number, one in enumerate(known):
        picture = opened(one.path)
        for copy, edit in made.copies(picture, number, [*made.chosen(number, EACH), *(EDITS[name] for name in OFTEN)]):
            shown = made.shown(copy, number, edit.name)
            yield shown, False
            for panel in _panels(made, copy, shown):
                yield panel, True
        for variant in _variants(made, picture, number):
            yield made.shown(variant, number, RECOLOURED), False


def _variants(made: Made, picture: Image.Image, number: int) -> Iterator[Image.Image]:
    """Yields recoloured variants of a picture, the last ones edited after that."""
    for take in range(RECOLOURS):
        if (variant := recoloured(picture, np.random.default_rng([SEED, number, 2 + take]))) is None:
            continue
        if take < RECOLOURS - EDITED_VARIANTS:
            yield saved(variant)
        else:
            edit = EDITS[EDITED_TOO[(EDITED_VARIANTS * number + take) % len(EDITED_TOO)]]
            shown, original = made.alike((variant, picture), number, edit)
            if not same(frame(shown), frame(original)):
                yield shown


def _panels(made: Made, picture: Image.Image, shown: Shown) -> Iterator[Shown]:
    for box in panels(picture)[:1]:
        if (alone := part_of(shown.local, box)) is not None:
            part = picture.crop(tuple(np.rint(np.array(box) * (picture.size * 2)).astype(int).tolist()))
            yield made.shown(part, shown.source, shown.edit, alone)


def _places(one: Shown, cosines: Vector, *, panel: bool) -> Iterable[int]:
    """The references that a picture is measured against."""
    near = np.argsort(-cosines).tolist()
    if not panel:
        return dict.fromkeys([*near[:NEAR], one.source])
    own = near[0] == one.source and cosines[one.source] >= SHOWN
    return [place for place in near[: NEAR // 2] if place != one.source or own]


def _relations(known: Sequence[Picture]) -> npt.NDArray[np.int64]:
    items, families = (np.array([getattr(one, name) for one in known]) for name in ("item", "family"))
    told = np.full((len(known), len(known)), OTHER)
    told[families[:, None] == families] = VARIANT
    told[items[:, None] == items] = UNTOLD if len(set(items)) > len(set(families)) else ITEM
    np.fill_diagonal(told, COPY)
    return told


def _between(queries: Sequence[tuple[Shown, bool]]) -> Iterator[tuple[tuple[int, int], int]]:
    """Yields pairs of mildly edited copies of one picture, and of its variants and such copies, and what each pair is;
    two uploads of a scan are compared, neither of which is the original."""
    random = np.random.default_rng(SEED)
    copies: dict[int, list[int]] = {}
    variants: dict[int, list[int]] = {}
    for number, (one, panel) in enumerate(queries):
        if not panel and one.edit in MILD:
            copies.setdefault(one.source, []).append(number)
        elif one.edit == RECOLOURED:
            variants.setdefault(one.source, []).append(number)
    for source, known in copies.items():
        pairs = list(combinations(known, 2))
        random.shuffle(pairs)
        yield from ((pair, COPY) for pair in pairs[:COPIES_BETWEEN])
        for variant in variants.get(source, ())[:VARIANTS_BETWEEN]:
            yield (variant, int(random.choice(known))), VARIANT


def _unmoved(known: Sequence[Picture], asked: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Returns which two of the pictures asked are frames of a camera that stood still, bool `[n, n]`."""
    frames = {place: frame(opened(known[place].path)) for place in np.flatnonzero(asked.any(axis=1)).tolist()}
    told = np.zeros_like(asked)
    for first, second in np.argwhere(np.triu(asked)).tolist():
        told[first, second] = np.median(np.abs(frames[first] - frames[second]).max(axis=2)) < UNMOVED
    return told | told.T


def _hashed(one: Shown, other: Shown) -> bool:
    return bool(called_one((shown.hashes, shown.quality) for shown in (one, other))[0, 1])


def _keep(pictures: Sequence[Features]) -> None:
    _pictures[:] = pictures


def _signs(asked: tuple[tuple[int, int], bool]) -> tuple[Vector, Vector]:
    """Measures a pair, with both pictures and with one as stored.

    Args:
        asked: which two pictures, and whether they are one, in whatever colours: then colours are always measured.
    """
    (one, other), same = asked
    first, second = _pictures[one], _pictures[other]
    return _measured(first, second, same=same), _measured(first, second.with_pixels(None), same=same)


def _measured(first: Features, second: Features, *, same: bool) -> Vector:
    if not (ways := signs.measure(first, second)):
        return np.full(len(signs.SIGNS), np.nan)
    likely, told = probability.likeliest(ways)
    if same or likely >= UNLIKELY:
        return signs.coloured(told, colour(told.fine))
    return told.signs
