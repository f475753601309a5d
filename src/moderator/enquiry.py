"""Questions about single pictures, asked without storing them: what is stored that is like it, how alike are two."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moderator import verification
from moderator.contracts import Embedder, Found, Store, Vectors
from moderator.errors import ArgumentError, ModelError, UnreadableImage
from moderator.intake.decode import Decoded
from moderator.intake.pool import DecoderPool
from moderator.intake.walk import walk
from moderator.models import Evidence, Image, Kind, Preprocessing, Unjudged
from moderator.parts import box_of
from moderator.policy import DUPLICATES, PROHIBITED, Limits, Policy
from moderator.registry import Registry
from moderator.search import rungs
from moderator.search.near import Near
from moderator.search.verify import Verification, features, verify_within
from moderator.vectors import Matrix


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two pictures and every rung of the ladder tried on them, strongest first."""

    first: str
    second: str
    evidence: tuple[Evidence, ...]
    missing: Mapping[str, str]
    """Models that could not be had, with why: their rungs have no score."""

    @property
    def kind(self) -> Kind | None:
        """What the strongest rung that holds says; None when none does."""
        return next((rung.kind for rung in self.evidence if rung.holds), None)


def compare(policy: Policy, registry: Registry, first: str, second: str) -> Comparison:
    """Tries every rung on two pictures: hashes, verification, then each rule's embedder at that rule's threshold.

    A model that cannot be had is a rung that was not tried, and says why.

    Raises:
        UnreadableImage: one of the two cannot be judged.
    """
    embedders: dict[str, Embedder] = {}
    missing: dict[str, str] = {}
    for name in policy.used:
        try:
            embedders.update(registry.make_embedders(_only(policy, name)))
        except ModelError as error:
            missing[name] = str(error)
    preparations = [embedder.preprocessing for embedder in embedders.values()]
    ours, theirs = _decode(policy.limits, [*preparations, features.PREPARED], [first, second])
    known = {
        name: [_viewed(embedder, place, one) for one in (ours, theirs)]
        for place, (name, embedder) in enumerate(embedders.items())
    }
    asked = [
        rungs.cosine_rung(rung, *known[rung.signal]) if rung.signal in known else rung
        for rung in _asked(policy, embedders)
    ]
    evidence = (*rungs.hash_rungs(ours.fingerprint, theirs.fingerprint), *asked)
    if policy.verify is not None and not verification.identical(evidence):
        views = rungs.closest_views(*next(iter(known.values())))[1] if known else ("whole", "whole")
        told = _verified(ours, theirs, views)
        evidence = verification.with_verified(evidence, verification.evidence(told, policy.verify, evidence))
    return Comparison(first, second, evidence, missing)


def _verified(ours: Decoded, theirs: Decoded, closest: tuple[str, str]) -> Verification:
    """Verifies the two views that are closest by a model; of a part, what lies around it too."""
    sides = []
    for one, label in zip((ours, theirs), closest, strict=True):
        prepared = {view.label: view.prepared[-1] for view in one.views if view.prepared[-1].size}
        sides.append(features.extract(prepared.get(label, one.views[0].prepared[-1])))
    return verify_within(sides[0], sides[1], (box_of(closest[0]), box_of(closest[1])))


def _only(policy: Policy, name: str) -> Policy:
    return policy.model_copy(update={"rules": [rule for rule in policy.rules if policy.embedder_of(rule) == name]})


def _asked(policy: Policy, embedders: Mapping[str, Embedder]) -> Sequence[Evidence]:
    """The cosine rungs of a policy, in the order of the ladder; the note names the rule."""
    asked: dict[tuple[str, Kind, float], list[str]] = {}
    for rule in policy.rules:
        name = policy.embedder_of(rule)
        copies = rule.detector in (DUPLICATES, PROHIBITED) and name in embedders and embedders[name].finds_copies
        kind = Kind.EDITED_COPY if copies else Kind.LOOKALIKE
        asked.setdefault((name, kind, rule.threshold), []).append(rule.id)
    rungs_asked = [
        Evidence(name, kind, None, threshold, f"asked by {', '.join(rules)}")
        for (name, kind, threshold), rules in asked.items()
    ]
    return sorted(rungs_asked, key=lambda rung: (rung.kind.rank, -rung.threshold))


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A stored picture and its cosine similarity to what was asked for."""

    image: Image
    score: float


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The closest stored pictures, the closest first, and what is to be said of the search."""

    pictures: Sequence[Neighbour]
    notes: Sequence[str] = ()


def search_image(policy: Policy, store: Store, embedder: Embedder, path: str, top: int) -> Neighbourhood:
    """Returns the `top` stored pictures closest to the one at `path`. Raises: UnreadableImage, ModelError."""
    return _nearest(policy, store, embedder, _embed_file(policy, embedder, path)[1], top)


def search_text(policy: Policy, store: Store, embedder: Embedder, text: str, top: int) -> Neighbourhood:
    """Returns the `top` stored pictures closest to a text. Raises: ModelError for a model without text."""
    return _nearest(policy, store, embedder, embedder.embed_text([text]), top)


def search_sql(policy: Policy, store: Store, embedder: Embedder, path: str, top: int) -> str:
    """Returns the search for the picture at `path` as a statement for the client of the store's engine, one for each
    view where the picture has several.

    Raises:
        ArgumentError: the store is no server's, or holds no picture that was embedded so.
        UnreadableImage, ModelError: as `search_image`.
    """
    views, vectors = _embed_file(policy, embedder, path)
    statements = [store.search_sql(embedder.model, vector, top) for vector in vectors]
    if None in statements:
        raise ArgumentError(
            f"the store {store.url} cannot be searched by SQL, or holds no picture embedded so",
            hint="scan some pictures into a MySQL, MariaDB, OceanBase or TiDB store first",
        )
    return "\n".join(f"-- {view}\n{statement}" for view, statement in zip(views, statements, strict=True))


def _nearest(policy: Policy, store: Store, embedder: Embedder, vectors: Matrix, top: int) -> Neighbourhood:
    notes: list[str] = []
    best = Near(store, policy.search, notes.append).closest(embedder.model, vectors, "images", top)
    images = store.images([content for _, content in best])
    found = [Neighbour(image, score) for score, content in best for image in images.get(content, ())]
    return Neighbourhood(found[:top], notes)


def _embed_file(policy: Policy, embedder: Embedder, path: str) -> tuple[list[str], Matrix]:
    """The labels of a picture's views and their vectors."""
    (decoded,) = _decode(policy.limits, [embedder.preprocessing], [path])
    return [view.label for view in decoded.views], _embed(embedder, 0, decoded)


def _embed(embedder: Embedder, place: int, decoded: Decoded) -> Matrix:
    return embedder.embed([pixels for view in decoded.views if (pixels := view.prepared[place]).size])


def _viewed(embedder: Embedder, place: int, decoded: Decoded) -> Vectors:
    labels = tuple(view.label for view in decoded.views if view.prepared[place].size)
    return Vectors(embedder.model, labels, _embed(embedder, place, decoded))


def _decode(limits: Limits, preparations: Sequence[Preprocessing], paths: Sequence[str]) -> list[Decoded]:
    """Decodes named files in order. Raises: UnreadableImage."""
    decoded: dict[str, Decoded] = {}
    with DecoderPool(limits, preparations, workers=len(paths)) as pool:
        files = [_file(path) for path in paths]
        for found, result in pool.decode({found.path: found for found in files}.values()):
            if isinstance(result, UnreadableImage):
                raise UnreadableImage(result.code, f"{found.name}: {result.reason}")
            if result.fingerprint.state == "rejected":
                raise UnreadableImage(result.fingerprint.code, f"{found.name}: {result.fingerprint.reason}")
            decoded[found.path] = result
    return [decoded[found.path] for found in files]


def _file(path: str) -> Found:
    if os.path.isdir(path):  # noqa: PTH112
        raise ArgumentError(f"{path} is a folder", hint="name one picture")
    (item,) = walk([path])
    if isinstance(item, Unjudged):
        raise UnreadableImage(item.code, f"{item.path}: {item.reason}")
    return item[0]
