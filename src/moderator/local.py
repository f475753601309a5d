"""Local features of stored contents: read from their files by killable workers when first asked, or from the store.

Features are made of candidates only and kept in the store: those of references always, because a reference's file need
not stay; those of pictures while they are few. Nothing from which a picture can be seen is kept, unless the policy
allows thumbnails of references.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

from threadpoolctl import ThreadpoolController

from moderator.contracts import Found, Store
from moderator.errors import UnreadableImage, VectorError
from moderator.intake.decode import Decoded
from moderator.intake.pool import DecoderPool, SpareWorkers
from moderator.machine import cores
from moderator.models import Image
from moderator.parts import box_of
from moderator.paths import found_at
from moderator.policy import Limits
from moderator.search.verify import features
from moderator.search.verify.features import Features

T = TypeVar("T")
R = TypeVar("R")
Views = Mapping[str, Features]
"""Features of one content by the name of the view: `whole`, `on black`, `frame 7`."""
Wanted = Mapping[int, Collection[str] | None]
"""The views that are asked for by content; None: all."""
TOGETHER = 32
"""Contents read and stored together."""
HELD = 128
"""Views whose pixels are held in memory, some 1.5 MB each with smaller sizes of them: as many as a chunk of pairs may
ask for. Those of others are decoded again, in a tenth of the time that features take."""
KNOWN = 1_000
"""Views whose features are held beside them, some 80 kB each."""
KEPT = 20_000
"""Contents of a store up to which features of its pictures are kept too: 1.6 GB. In a larger one the few that a scan
needs again are hardly among those that earlier ones made."""


class LocalFeatures:
    """Gives the local features of contents; a context manager, as it may have started workers.

    Args:
        thumbnails: whether a small picture is kept of references too.
        spare: decoding workers that are taken before any is started.
    """

    def __init__(self, store: Store, limits: Limits, *, thumbnails: bool, spare: SpareWorkers | None = None) -> None:
        self._store = store
        self._limits = limits
        self._thumbnails = thumbnails
        self._spare = spare
        self._held: OrderedDict[int, Views] = OrderedDict()
        self._known: OrderedDict[int, Views] = OrderedDict()
        self._pool: DecoderPool | None = None
        self._threads = ThreadPoolExecutor(cores())

    def __enter__(self) -> LocalFeatures:
        return self

    def __exit__(self, *exc: object) -> None:
        self._threads.shutdown()
        if self._pool is not None:
            self._pool.__exit__(*exc)

    def map(self, call: Callable[[T], R], items: Iterable[T]) -> Sequence[R]:
        """Calls on each item, on all cores: OpenCV and numpy let go of the interpreter while they work.

        Each call has one thread for its products of matrices: those of several calls spin while they wait for one
        another, which took two thirds of the time of a pair.
        """
        with self._products.limit(limits=1, user_api="blas"):
            return list(self._threads.map(call, items))

    @cached_property
    def _products(self) -> ThreadpoolController:
        """The libraries that multiply, with OpenCV's own, which must be loaded to be found."""
        features.opencv()
        return ThreadpoolController()

    def of(self, asked: Mapping[int, Collection[str]]) -> Mapping[int, Views]:
        """Returns features by content, of the views asked for and of the first, which stands for one that is none: with
        pixels where a file is still there and holds this content, else as stored; what is known in neither way is left
        out. Of the many views of a film no others are made, nor held."""
        missing = {content: labels for content, labels in asked.items() if not self._has(content, labels)}
        for content, made in self._made(missing).items():
            first = next(iter(made))
            asked_for = {label: one for label, one in made.items() if label == first or label in missing[content]}
            self._held[content] = {**self._held.get(content, {}), **asked_for}
        found = {content: self._held[content] for content in asked if content in self._held}
        for content in found:
            self._held.move_to_end(content)
        while len(self._held) > len(found) and sum(map(len, self._held.values())) > HELD:
            content, views = self._held.popitem(last=False)
            self._known[content] = {label: one.with_pixels(None) for label, one in views.items()}
        while sum(map(len, self._known.values())) > KNOWN:
            self._known.popitem(last=False)
        return found

    def _has(self, content: int, labels: Collection[str]) -> bool:
        """Whether all these views are held, of which parts are looked at in the first."""
        held = self._held.get(content)
        return held is not None and all(label in held or box_of(label) for label in labels)

    def keep(self, references: Sequence[int]) -> None:
        """Stores the features of references whose files are there."""
        for start in range(0, len(references), TOGETHER):
            self._made(dict.fromkeys(references[start : start + TOGETHER], ()))

    def _made(self, asked: Mapping[int, Collection[str]]) -> dict[int, Views]:
        """Reads contents from their files or else from the store, and stores what is new: of a reference, whose file
        need not stay, all views."""
        contents = list(asked)
        if not contents:
            return {}
        references = self._store.images(contents, "reference")
        pictures = self._store.images(contents)
        files = {one: [*pictures.get(one, ()), *references.get(one, ())] for one in contents}
        wanted = {content: None if content in references else labels for content, labels in asked.items()}
        decoded = self._read(files, wanted)
        known = {content: self._known.pop(content) for content in contents if content in self._known}
        # Where there is no file, what is stored may have a thumbnail, which what is known here has not.
        unknown = [content for content in contents if content not in known or content not in decoded]
        stored = {content: unpack(one) for content, one in self._store.features(features.NAME, unknown).items()}
        before = known | stored
        made = self.map(lambda content: _extracted(decoded[content], before.get(content, {})), decoded)
        fresh = dict(zip(decoded, made, strict=True))
        self._keep({one: fresh[one] for one in decoded if one not in known}, stored, references)
        return before | fresh

    def _keep(self, made: Mapping[int, Views], stored: Mapping[int, Views], references: Collection[int]) -> None:
        """Stores of what was made now what is not stored yet."""
        packed = {}
        for content, views in made.items():
            thumbnails = self._thumbnails and content in references
            before = stored.get(content, {})
            bare = thumbnails and any(one.pixels is None for one in before.values())
            if (bare or views.keys() - before.keys()) and (content in references or self._few):
                packed[content] = pack({**before, **views}, thumbnails=thumbnails)
        if packed:
            self._store.write_features(features.NAME, packed)

    @cached_property
    def _few(self) -> bool:
        """Whether features of pictures are kept; see `KEPT`."""
        generation = self._store.hash_generation()
        return generation is not None and generation.sequence <= KEPT

    def _read(self, files: Mapping[int, list[Image]], wanted: Wanted) -> dict[int, Decoded]:
        """Decodes each content from the first of its files that still holds it."""
        found: dict[int, Decoded] = {}
        waiting = dict(files)
        while tries := {content: images.pop(0) for content, images in waiting.items() if images}:
            found |= self._decoded(tries, wanted)
            waiting = {content: images for content, images in waiting.items() if content not in found}
        return found

    def _decoded(self, files: Mapping[int, Image], wanted: Wanted) -> dict[int, Decoded]:
        at = [(found_at(image.path), content) for content, image in files.items()]
        contents = {path: content for path, content in at if path and os.path.isfile(path)}  # noqa: PTH113
        present = [Found(path, path, files[content].size, 0, {}) for path, content in contents.items()]
        if not present:
            return {}
        if self._pool is None:
            self._pool = DecoderPool(self._limits, [features.PREPARED], spare=self._spare)
        decoded = {}
        for found, one in self._pool.decode(present):
            content = contents[found.path]
            # A file that has changed since holds another content.
            if isinstance(one, UnreadableImage) or one.fingerprint.sha256.hex() != files[content].sha256:
                continue
            if one.views:
                decoded[content] = _without_others(one, wanted[content])
        return decoded


def _without_others(decoded: Decoded, labels: Collection[str] | None) -> Decoded:
    """Returns the same less the pixels of views that are neither the first nor asked for; None asks for all."""
    if labels is None:
        return decoded
    first = decoded.views[0].label
    views = (one if one.label == first or one.label in labels else replace(one, prepared=()) for one in decoded.views)
    return replace(decoded, views=tuple(views))


def _extracted(decoded: Decoded, stored: Views) -> Views:
    """Returns the features of each view that has pixels, which are not worked out again where they are stored."""
    return {
        view.label: stored[view.label].with_pixels(view.prepared[0])
        if view.label in stored
        else features.extract(view.prepared[0])
        for view in decoded.views
        if view.prepared
    }


def pack(views: Views, *, thumbnails: bool) -> bytes:
    """Returns what is stored of a content: for each view its name and features, each with its length before it."""
    parts = []
    for label, one in views.items():
        for part in (label.encode(), one.pack(thumbnail=thumbnails)):
            parts += [len(part).to_bytes(4, "little"), part]
    return b"".join(parts)


def unpack(packed: bytes) -> Views:
    """Returns what `pack` wrote. Raises: VectorError."""
    views, at = {}, 0
    while at < len(packed):
        label, at = _part(packed, at)
        body, at = _part(packed, at)
        views[label.decode()] = features.unpack(body)
    return views


def _part(packed: bytes, at: int) -> tuple[bytes, int]:
    length = int.from_bytes(packed[at : at + 4], "little")
    end = at + 4 + length
    if end > len(packed):
        raise VectorError("stored local features are cut short")
    return packed[at + 4 : end], end
