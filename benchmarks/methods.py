"""The product's own methods on a collection: its whole ladder as a scan climbs it, and the parts of that alone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.collection import Collection
from benchmarks.figures import Scored, Scores
from benchmarks.peers import Absent
from moderator import Registry, load_policy
from moderator.calibrate.verified import probability, telling, told
from moderator.contracts import Found, Store
from moderator.errors import ModelError
from moderator.ingest import Ingest
from moderator.intake.walk import walk
from moderator.ladder import StoredSearch
from moderator.models import Match, ModelId
from moderator.policy import EmbedderSpec, Policy, Verify
from moderator.resources import ready_policies
from moderator.search import rungs
from moderator.vectors import Ids, Matrix
from moderator.verification import Verifier

SURE = Verify().probability
EMBEDDER = "sscd"
"""What the ready policy `offline` calls its embedder, whichever model stands in for it here."""
MODELS = {
    "SSCD": (EmbedderSpec(type="onnx", model="sscd"), 0.6),
    "SSCD distilled": (EmbedderSpec(type="onnx", model="sscd-distilled"), 0.6),
    "CLIP": (EmbedderSpec(type="clip", model="clip-ViT-B-32"), 0.92),
}
"""Models by name, with the similarity from which on the ready policies ask whether two are copies, or one is banned."""

Judged = Sequence[tuple[Found, int]]


def policy(model: EmbedderSpec, store: Path) -> Policy:
    """Returns the ready policy `offline` on a model, in a store of its own, telling every verified pair."""
    chosen = load_policy(ready_policies()["offline"])
    return telling(chosen.model_copy(update={"store": f"sqlite:///{store}", "embedders": {EMBEDDER: model}}))


def scored(collection: Collection, folder: Path, *, as_set: bool = True) -> Iterator[Scored | Absent]:
    """Yields the product's methods, each on the same files: pairs by themselves, and unless `as_set` is False, the
    references as a set, of which a picture's matches are rivals; or why a model cannot be had."""
    for place, (name, (model, threshold)) in enumerate(MODELS.items()):
        asked = policy(model, folder / f"{model.model}.db")
        try:
            yield from _model(collection, name, asked, threshold, hashed=place == 0, as_set=as_set)
        except ModelError as error:
            yield name, str(error)


def _model(
    collection: Collection, name: str, asked: Policy, threshold: float, *, hashed: bool, as_set: bool
) -> Iterator[Scored]:
    registry = Registry.discover()
    embedders = registry.make_embedders(asked)
    with registry.open_store(asked.store or "") as store, Verifier(store, asked.limits, asked.verify or Verify()) as it:
        ingest = Ingest(store, list(embedders.values()), asked.limits)
        known = _read(ingest, [str(one.path) for one in collection.references])
        queries = _read(ingest, [str(one.path) for one in collection.queries])
        search = StoredSearch(store, asked, embedders, queries, known, it)
        started = time.monotonic()
        ladder = _placed(search.copies(EMBEDDER, threshold), queries, known)
        yield Scored(f"moderator: {name}, verified", ladder, SURE, time.monotonic() - started)
        ids = _contents(queries), _contents(known)
        cosines = _cosines(store, embedders[EMBEDDER].model, *ids)
        yield Scored(f"{name}, cosine alone", cosines, threshold)
        if as_set:
            store.add_references("known", [(content, "", "") for _, content in known], "benchmark")
            search = StoredSearch(store, asked, embedders, queries, None, it)
            matches = (match for match, _ in search.prohibited(EMBEDDER, threshold, ["known"]))
            yield Scored(f"moderator: {name}, as a reference set", _placed(matches, queries, known), SURE)
        if hashed:
            yield Scored("PDQ, eight orientations", _bits(store, *ids), rungs.PDQ_THRESHOLD)


def _read(ingest: Ingest, paths: Sequence[str]) -> Judged:
    """Reads files that are all readable; returns them in their order."""
    by_path = {found.path: (found, content) for found, content in ingest.run(walk(paths), "picture").judged}
    return [by_path[path] for path in paths]


def _contents(judged: Judged) -> Ids:
    return np.array([content for _, content in judged], dtype=np.int64)


def _placed(matches: Iterable[Match], queries: Judged, known: Judged) -> Scores:
    rows: dict[int, list[int]] = {}
    for row, (_, content) in enumerate(queries):
        rows.setdefault(content, []).append(row)
    columns = {content: column for column, (_, content) in enumerate(known)}
    scores = np.full((len(queries), len(known)), -np.inf)
    for match in matches:
        for row in rows.get(match.content, ()):
            scores[row, columns[match.other]] = score(match)
    return scores


def score(match: Match) -> float:
    """Returns one number for the ladder, the probability of a copy as `calibrate` tells it: 1 where bytes settle it."""
    return probability(told(match))


def _cosines(store: Store, model: ModelId, queries: Ids, known: Ids) -> Scores:
    vectors = _vectors(store, model, np.unique(np.concatenate([queries, known])))
    ours, theirs = (np.stack([vectors[int(one)] for one in ids]) for ids in (queries, known))
    return (ours @ theirs.T).astype(np.float64)


def _vectors(store: Store, model: ModelId, contents: Ids) -> dict[int, Matrix]:
    """The vector of each content as a whole."""
    return {
        content: row
        for block in store.vectors(model, "all", contents.tolist())
        for content, view, row in zip(block.contents.tolist(), block.views, block.matrix, strict=True)
        if view == "whole"
    }


def _bits(store: Store, queries: Ids, known: Ids) -> Scores:
    """PDQ as a cosine, 1 - 2d/256, in the closest of eight orientations; nothing for flat pictures."""
    prints = {
        content: one
        for block in store.hashes("all", np.unique(np.concatenate([queries, known])).tolist())
        for content, one in zip(block.contents.tolist(), block.fingerprints, strict=True)
    }
    scores = np.full((len(queries), len(known)), -np.inf)
    upright = {column: rungs.pdq_rows(prints[int(one)], 1) for column, one in enumerate(known)}
    columns = [column for column, rows in upright.items() if len(rows)]
    theirs = np.concatenate([upright[column] for column in columns])
    for row, one in enumerate(queries):
        ours = rungs.pdq_rows(prints[int(one)], 8)
        if len(ours):
            scores[row, columns] = np.rint((ours @ theirs.T).max(axis=0) * 128) / 128
    return scores
