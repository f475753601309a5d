"""Pictures of a folder as references and strangers, with edited copies of both as files, all made from a seed.

Truth comes from how a copy was made, and from `products.csv` beside the pictures where there is one (`file`, and
`product_id`, or `sku` and `colour`): which other pictures show the same item, and which a variant of it.
"""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.batteries import BATTERIES, Battery
from benchmarks.copies import opened, pictures
from benchmarks.recolour import recoloured
from moderator.edits.copies import QUALITY
from moderator.fingerprint import Fingerprint
from moderator.intake.pdq import pdq
from moderator.search import rungs

RECOLOURED = "recoloured"
"""The edit that is none: it makes a variant, which no method may take for a copy."""
COPY, ITEM, VARIANT, OTHER, UNSURE = 0, 1, 2, 3, 4
RELATIONS = ("copy", "same item, another photo", "variant", "another picture", "unsure")
"""What a query is to a reference; the middle three are negatives, two of them hard ones. Unsure, and not counted, are
pictures that a hash calls one in some orientation, where no table says what they show: folders hold mirrored twins, and
one wallpaper dark and light; two files of one photograph, which a table names as two views; and a crop to a variant or
another photo of the item of which the same crop is the same picture: one of shorts and arms, of two photographs that
differ in a shirt, is made of either."""
SAME, FRAME = 16.0, 96
"""By less than how many levels every pixel of two pictures that are one differs, shrunk to so many pixels a side."""
BACKGROUNDS = 12
"""Pictures that collages and backgrounds are made of."""

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Map = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: references, edits of each, pictures that are no reference, and edits of each of those."""

    references: int
    edits: int
    strangers: int
    stranger_edits: int = 2


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the folder.

    Attributes:
        item: what it shows; two pictures with one item show the same thing.
        family: the item whatever its colour.
    """

    path: Path
    item: str
    family: str


@dataclass(frozen=True, slots=True)
class Query:
    """An edited copy: its file, the number of its source (references first, then strangers), and what was done."""

    path: Path
    source: int
    edit: str


@dataclass(frozen=True, slots=True)
class Collection:
    """References, strangers, and edited copies of both.

    Attributes:
        references: pictures to find, in a folder of their own.
        sources: the pictures that queries were made of: the references, then the strangers.
        twins: bool `[sources, sources]`, pairs that are `UNSURE`.
        shared: bool `[queries, references]`, crops that are `UNSURE`.
        flat: bool `[references]`, those that a scan calls too plain to recognise, such as a single colour.
        plain: the edits that anyone makes with two taps.
    """

    references: Sequence[Picture]
    sources: Sequence[Picture]
    queries: Sequence[Query]
    twins: Flags
    shared: Flags
    flat: Flags
    plain: Sequence[str]

    def relations(self) -> Numbers:
        """Returns what each query is to each reference, `[queries, references]`."""
        items = np.array([[one.item, one.family] for one in self.sources])
        told = np.full((len(self.queries), len(self.references)), OTHER)
        for row, query in enumerate(self.queries):
            item, family = items[query.source]
            ours = items[: len(self.references)]
            told[row, ours[:, 1] == family] = VARIANT
            told[row, ours[:, 0] == item] = ITEM
            told[row, self.twins[query.source, : len(self.references)]] = UNSURE
            if query.source < len(self.references):
                told[row, query.source] = VARIANT if query.edit == RECOLOURED else COPY
        told[self.shared] = UNSURE
        return told

    def judged(self) -> tuple[Flags, Flags]:
        """Returns which queries and which references are of the half that sets no threshold.

        A family is in one half as a whole, so that nothing a threshold was set by is judged with it.
        """
        families = sorted({one.family for one in self.sources}, key=lambda name: hashlib.sha256(name.encode()).digest())
        half = {family: place % 2 == 1 for place, family in enumerate(families)}
        return (
            np.array([half[self.sources[query.source].family] for query in self.queries]),
            np.array([half[one.family] for one in self.references]),
        )


def make(source: Path, folder: Path, sizes: Sizes, seed: int, battery: str = "own") -> Collection:
    """Chooses pictures of `source`, copies the references to `folder`/references, and writes copies of references and
    strangers, edited by one of `BATTERIES`, to `folder`/queries."""
    behind, known = backgrounds(list(distinct(source, seed)))
    count = min(sizes.references, len(known) * 2 // 3)
    for name in ("references", "queries"):
        (folder / name).mkdir(parents=True)
    references = [_copied(one, folder / "references", number) for number, one in enumerate(known[:count])]
    sources = [*references, *known[count : count + sizes.strangers]]
    queries: list[Query] = []
    with closing(BATTERIES[battery](seed, [one.path for one in behind])) as edits:
        for number, one in enumerate(sources):
            wanted = sizes.edits if number < count else sizes.stranger_edits
            stem = folder / "queries" / f"{number:04}"
            queries += (Query(path, number, edit) for path, edit in edits.copies(one.path, number, wanted, stem))
            queries += _recoloured(one, number, stem, seed)
        shared = _shared(queries, sources, count, edits)
    flat = np.array([pdq(opened(one.path))[1] == 0 for one in references])
    return Collection(references, sources, queries, twins(sources), shared, flat, edits.plain)


def backgrounds(known: Sequence[Picture]) -> tuple[list[Picture], list[Picture]]:
    """Returns the pictures that collages and backgrounds are made of, and the others, less what shows the same.

    A tile of a collage is a copy or a variant of what shows it, so that is neither asked nor searched. The smallest
    families are chosen, of which there is the least else; none where there are few pictures."""
    if len(known) <= 3 * BACKGROUNDS:
        return [], list(known)
    sizes = Counter(one.family for one in known)
    chosen = sorted(known, key=lambda one: sizes[one.family])[:BACKGROUNDS]
    shown = {one.family for one in chosen}
    return chosen, [one for one in known if one.family not in shown]


def _shared(queries: Sequence[Query], sources: Sequence[Picture], count: int, edits: Battery) -> Flags:
    """Returns which queries are crops that could be made of a reference as well as of their own source, bool
    `[queries, count]`."""
    told = np.zeros((len(queries), count), dtype=np.bool_)
    for row, query in enumerate(queries):
        own = sources[query.source]
        others = [at for at in range(count) if at != query.source and sources[at].family == own.family]
        if query.edit not in edits.crops or not others:
            continue
        shown, picture = frame(opened(query.path)), opened(own.path)
        for at in others:
            other = opened(sources[at].path).resize(picture.size)
            told[row, at] = same(shown, frame(edits.again(picture, query.source, query.edit, other)))
    return told


def frame(picture: Image.Image) -> Map:
    """Returns a picture shrunk to `FRAME` pixels a side, float32 `[FRAME, FRAME, 3]`, in levels."""
    return np.asarray(picture.resize((FRAME, FRAME), Image.Resampling.BOX), np.float32)


def same(one: Map, other: Map) -> bool:
    """Whether two pictures, as frames, differ nowhere by more than JPEG leaves."""
    return bool(np.abs(one - other).max() < SAME)


def twins(pictures: Sequence[Picture]) -> Flags:
    """Returns which two pictures without a table of products a hash calls one, and which two of one item are the same
    photograph, bool `[n, n]`."""
    hashes = (pdq(opened(one.path)) if one.item == one.family else (b"", 0) for one in pictures)
    told = called_one(hashes) & ~np.eye(len(pictures), dtype=np.bool_)
    shown: dict[str, list[tuple[int, Map]]] = {}
    for place, one in enumerate(pictures):
        if one.item != one.family:
            shown.setdefault(one.item, []).append((place, frame(opened(one.path))))
    for views in shown.values():
        for (first, ours), (second, theirs) in combinations(views, 2):
            told[first, second] = told[second, first] = same(ours, theirs)
    return told


def called_one(hashes: Iterable[tuple[bytes, int]]) -> Flags:
    """Returns which two pictures, known by PDQ's eight hashes and quality, are one by those, bool `[n, n]`."""
    bare = Fingerprint(b"", 0, "", 0, 0, 0)
    return rungs.same_picture([replace(bare, pdq=one, pdq_quality=quality) for one, quality in hashes])


def _copied(one: Picture, folder: Path, number: int) -> Picture:
    target = folder / f"{number:04}{one.path.suffix.lower()}"
    shutil.copyfile(one.path, target)
    return replace(one, path=target)


def _recoloured(one: Picture, number: int, stem: Path, seed: int) -> Iterator[Query]:
    """Writes a recoloured variant of every fourth picture."""
    if number % 4:
        return
    variant = recoloured(opened(one.path), np.random.default_rng([seed, number, 2]))
    if variant is not None:
        path = stem.with_name(f"{stem.name}-{RECOLOURED}.jpg")
        variant.save(path, quality=QUALITY)
        yield Query(path, number, RECOLOURED)


def distinct(folder: Path, seed: int) -> Iterator[Picture]:
    """Yields the pictures of a folder in a seeded order, each once where several have the same pixels."""
    products = _products(folder)
    met: set[bytes] = set()
    for path in pictures([folder], seed=seed):
        pixels = hashlib.sha256(opened(path).tobytes()).digest()
        if pixels not in met:
            met.add(pixels)
            name = str(path.relative_to(folder))  # where the folder is must not tell which half a picture is in
            yield Picture(path, *products.get(path.name, (name, name)))


def _products(folder: Path) -> dict[str, tuple[str, str]]:
    """Item and family by file name, from the table beside the pictures."""
    table = folder / "products.csv"
    if not table.is_file():
        return {}
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    families = {row["file"]: row.get("product_id") or row["sku"] for row in rows}
    return {row["file"]: (f"{families[row['file']]} {row.get('colour', '')}", families[row["file"]]) for row in rows}
