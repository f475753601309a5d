"""What is calibrated on: similarities of pictures that are the same, and of pictures that are not.

From pictures without labels: copies made of them by the edit battery are the same, each two pictures are not. Pairs
that are copies already by a hash (identical bytes or pixels, PDQ) or by verification, or that a reviewer has called a
match, are no impostors; nor are variants that metadata name, of which a hash and a cosine see no colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from moderator.calibrate.tail import Counts, Impostors, Scores
from moderator.contracts import Embedder, Fingerprint, Store, VectorBlock
from moderator.search import exact, rungs
from moderator.vectors import Ids, Matrix

KEPT = 5_000
"""How many of the closest pairs are kept at least; the others are only counted."""
BY_VERIFICATION = "verified at"
"""What the reason begins with where verification alone calls two copies."""
SAMPLE = 1_000
"""Pictures from whose pairs the score of the last one kept is estimated."""
Pair = tuple[int, int]
"""Two contents, the smaller id first."""


@dataclass(frozen=True, slots=True)
class Decided:
    """Pairs of SHA-256 that reviewers have called a match, or none; these outweigh what a hash or a model says."""

    same: frozenset[frozenset[str]] = frozenset()
    different: frozenset[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Genuine:
    """Similarities of pictures and their copies, all `[n]`.

    Attributes:
        pictures: the pictures' numbers.
        edits: what was done to each.
        scores: cosine similarities; 1 for a copy that a hash finds, whatever the threshold.
    """

    pictures: Counts
    edits: Sequence[str]
    scores: Scores


@dataclass(frozen=True, slots=True)
class Similarities:
    """What one embedder says.

    Attributes:
        twins: pairs left out of the impostors because they are copies, by content id, with what says so.
        contents: the content ids of the pictures by their numbers.
        variants: pairs left out of them because they are one item in two colours, likewise.
    """

    genuine: Genuine
    impostors: Impostors
    twins: Mapping[Pair, str]
    contents: Ids
    variants: Mapping[Pair, str] = field(default_factory=dict)


def of_pictures(
    store: Store,
    embedder: Embedder,
    contents: Sequence[int],
    decided: Decided,
    verified: Mapping[Pair, float],
    variants: Set[Pair] = frozenset(),
) -> tuple[Impostors, Mapping[Pair, str]]:
    """Returns the similarities of each two of `contents`, and the pairs left out because they are copies.

    Args:
        verified: pairs that verification calls copies, with the probability.
        variants: pairs that are left out too.
    """
    ids = np.array(sorted(contents), dtype=np.int64)
    model = embedder.model
    floor = _floor(store, embedder, ids)
    first: list[Ids] = [np.empty(0, np.int64)]
    second: list[Ids] = [np.empty(0, np.int64)]
    scores: list[Scores] = [np.empty(0)]
    chosen = ids.tolist()
    for hits in exact.above(
        store.vectors(model, "images", chosen), lambda: store.vectors(model, "images", chosen), floor, len(ids)
    ):
        once = hits.contents < hits.others
        first.append(hits.contents[once])
        second.append(hits.others[once])
        scores.append(hits.scores[once].astype(np.float64))
    one, other, score = np.concatenate(first), np.concatenate(second), np.concatenate(scores)
    order = np.argsort(-score, kind="stable")
    one, other, score = one[order], other[order], score[order]
    near = list(zip(one.tolist(), other.tolist(), strict=True))
    twins = twins_of(store, near, decided, verified)
    out = twins.keys() | variants
    left = np.array([pair not in out for pair in near], dtype=np.bool_)
    pairs = len(ids) * (len(ids) - 1) // 2 - len(out)
    numbers = np.searchsorted(ids, one[left]), np.searchsorted(ids, other[left])
    return Impostors(*numbers, score[left], len(ids), pairs), twins


def _floor(store: Store, embedder: Embedder, ids: Ids) -> float:
    """The score above which about `KEPT` pairs lie that no hash calls copies, or one in 200 where there are more; -1
    for few pictures."""
    pairs = len(ids) * (len(ids) - 1) // 2
    share = max(KEPT / max(pairs, 1), 1 / 200)
    if share >= 0.5:
        return -1.0
    chosen = np.sort(np.random.default_rng(0).choice(ids, min(SAMPLE, len(ids)), replace=False)).tolist()
    whole = [_whole(block) for block in store.vectors(embedder.model, "images", chosen)]
    contents, matrix = (np.concatenate(parts) for parts in zip(*whole, strict=True))
    prints = fingerprints(store, contents.tolist())
    different = np.triu(~rungs.same_picture([prints[one] for one in contents.tolist()]), 1)
    products = (matrix @ matrix.T)[different]
    return float(np.quantile(products, 1 - share)) if len(products) else -1.0


def _whole(block: VectorBlock) -> tuple[Ids, Matrix]:
    """The contents of a block, and their vectors as wholes."""
    whole = [view == "whole" for view in block.views]
    return block.contents[whole], block.matrix[whole]


def twins_of(
    store: Store, pairs: Sequence[Pair], decided: Decided, verified: Mapping[Pair, float]
) -> Mapping[Pair, str]:
    """Returns which pairs are copies already, and what says so: a reviewer, a hash, or verification.

    Pairs that only `verified` names are asked too. A reviewer's word that two are none outweighs all but equal bytes.
    """
    asked = list(dict.fromkeys([*pairs, *verified]))
    prints = fingerprints(store, sorted({one for pair in asked for one in pair}))
    told = ((pair, _twin(prints[pair[0]], prints[pair[1]], decided, verified.get(pair))) for pair in asked)
    return {pair: why for pair, why in told if why}


def _twin(a: Fingerprint, b: Fingerprint, decided: Decided, verified: float | None) -> str:
    digests = frozenset((a.sha256.hex(), b.sha256.hex()))
    if digests in decided.same:
        return "a reviewer"
    if digests in decided.different:
        return ""
    if held := next((rung.words for rung in rungs.hash_rungs(a, b) if rung.holds), ""):
        return held
    return "" if verified is None else f"{BY_VERIFICATION} {verified:.3f}"


def same_by_hash(store: Store, pairs: Sequence[Pair]) -> npt.NDArray[np.bool_]:
    """Returns bool `[n]`: which pairs of contents a hash calls copies."""
    twins = twins_of(store, pairs, Decided(), {})
    return np.array([pair in twins for pair in pairs], dtype=np.bool_)


def fingerprints(store: Store, contents: Sequence[int]) -> Mapping[int, Fingerprint]:
    """Returns the fingerprints of contents by id."""
    return {
        int(content): one
        for block in store.hashes("all", contents)
        for content, one in zip(block.contents, block.fingerprints, strict=True)
    }


def of_pairs(store: Store, embedder: Embedder, pairs: Sequence[tuple[int, int]]) -> Scores:
    """Returns the cosine of each pair of contents by its closest views, as a scan does; NaN where one has no vector."""
    wanted = sorted({content for pair in pairs for content in pair})
    known = dict(rungs.by_content(store.vectors(embedder.model, "all", wanted), embedder.model))
    return np.array(
        [
            rungs.closest_views(known[first], known[second])[0] if {first, second} <= known.keys() else np.nan
            for first, second in pairs
        ]
    )
