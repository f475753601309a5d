"""Fits the model of verification to measured pairs, and writes `probability.json`.

    python -m benchmarks.fit_verification [-n PICTURES] [--kept FOLDER] [--into FILE] COLLECTION...

Each collection is a folder of pictures: they are edited by the battery, or recoloured, and measured against themselves
and against the pictures that SSCD finds closest. All collections weigh the same. Every figure is of one that the model
which tells it has not seen, as other people's pictures will be; what is shipped is fitted to all.
"""

from __future__ import annotations

import argparse
import json
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.collection import COPY, ITEM, OTHER, RECOLOURED, VARIANT
from benchmarks.measured import BETWEEN, EDITED, Pairs, asked, load, measured
from benchmarks.table import Column, publish
from moderator.edits import PLAIN
from moderator.policy import Verify
from moderator.search.verify import probability
from moderator.search.verify.signs import SIGNS
from moderator.verification import likelier

TARGET = Path(probability.__file__).with_name("probability.json")
TREES, LEAVES, RATE, L2, LEAST = 300, 8, 0.06, 3.0, 40
STRUCTURE_CAUTION, COLOURS_CAUTION = 0.87, 0.0
"""By how much the log odds of the forests are lowered. Chosen on the
collections left out, by how many copies, views of one scene and things in another colour are told at .9; of what does
about as well, so that the tests' collages are told, and their two views of a scene are not."""
EACH = 1000.0
"""What the pairs of a collection weigh together."""
REAL = 3.0
"""How many times as much a variant of a table of products weighs, beside one that we have recoloured."""
SURE = Verify().probability
KINDS = ("whole", "stored")
"""Of both pictures of a pair, or of one and what is stored of the other."""
STRUCTURE = {
    "inliers": 1, "agreed": 1, "kept": 1, "residual": -1, "wander": -1, "stretch": 0, "elsewhere": -1,
    "elsewhere_share": -1, "textured": 0, "agreeing": 1, "fine_share": 1, "fine_correlation": 1, "weakest": 1,
    "dense": 1, "patch": 1, "coarse_share": 1, "coarse_correlation": 1, "overlap": 0, "overlap_first": 0,
    "plain": 0, "bent": -1,
}  # fmt: skip
"""Signs that tell whether two pictures are one, and whether more of them must make it likelier (1) or not (-1)."""
COLOURS = {
    "luma": -1, "plain_luma": -1, "shading": -1, "chroma": -1, "plain_chroma": -1, "left": -1, "recoloured": -1,
    "part": -1, "part_left": -1, "missing": -1, "bare": 1, "thing": -1, "cast": -1, "saturation": 0,
    "gamma": 0, "contrast": 0, "unexplained": -1, "moved": 1, "mostly": 1, "plain": 0, "fine_share": 1,
    "coarse_correlation": 0, "overlap": 0, "textured": 0, "fine_correlation": 1, "dense": 1,
}  # fmt: skip
"""The same of whether colours differ by an edit of the whole."""

Signs = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """What a model is fitted to: pairs that could be aligned, each collection as heavy as any other.

    Attributes:
        recoloured: variants that we have made.
        between: pairs of edited pictures.
    """

    signs: Signs
    labels: npt.NDArray[np.int64]
    recoloured: Flags
    between: Flags
    weights: Signs


def examples(collections: Sequence[Pairs], kind: str) -> Examples:
    """Returns the examples of some collections, of `whole` or `stored` pairs."""
    signs = [getattr(one, kind) for one in collections]
    known = [~np.isnan(one[:, 0]) for one in signs]
    return Examples(
        np.concatenate([one[kept] for one, kept in zip(signs, known, strict=True)]),
        np.concatenate([one.labels[kept] for one, kept in zip(collections, known, strict=True)]),
        np.concatenate([_made(one)[kept] for one, kept in zip(collections, known, strict=True)]),
        np.concatenate([(one.edits == BETWEEN)[kept] for one, kept in zip(collections, known, strict=True)]),
        np.concatenate([_weights(one)[kept] * EACH / kept.sum() for one, kept in zip(collections, known, strict=True)]),
    )


def _made(pairs: Pairs) -> Flags:
    made: Flags = (pairs.labels == VARIANT) & np.isin(pairs.edits, (RECOLOURED, BETWEEN))
    return made


def _weights(pairs: Pairs) -> Signs:
    return np.where((pairs.labels == VARIANT) & ~_made(pairs), REAL, 1.0)


def both(of: Examples) -> Mapping[str, Any]:
    """Returns the two forests of a model.

    Two photographs of one item in two colours may be one photograph recoloured, or two views: which, no table tells.
    They are kept from the first forest, and where that calls them one picture, the second learns their colours. So are
    pairs of edited pictures, which made two photographs of one item twice as often one picture.
    """
    told = (of.labels != VARIANT) | of.recoloured
    same = np.isin(of.labels, (COPY, VARIANT)) & told
    asked = told & ~of.between
    structure = fitted(of.signs[asked], same[asked], of.weights[asked], (STRUCTURE, STRUCTURE_CAUTION))
    forest = probability.forest(structure)
    guessed = ~told.copy()
    guessed[guessed] = [forest.probability(one) >= 0.5 for one in of.signs[guessed]]
    same |= guessed
    colours = fitted(of.signs[same], of.labels[same] == COPY, of.weights[same], (COLOURS, COLOURS_CAUTION))
    return {"structure": structure, "colours": colours}


def fitted(signs: Signs, holds: Flags, weights: Signs, asked: tuple[Mapping[str, int], float]) -> Mapping[str, Any]:
    """Returns a forest's document for signs `[n, len(SIGNS)]` and what they should tell.

    Args:
        asked: the signs that it may ask, and its caution.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    monotone, caution = asked
    columns = [SIGNS.index(name) for name in monotone]
    boosted = HistGradientBoostingClassifier(
        max_iter=TREES, learning_rate=RATE, max_leaf_nodes=LEAVES, l2_regularization=L2, min_samples_leaf=LEAST,
        monotonic_cst=list(monotone.values()), early_stopping=False, random_state=0,
    ).fit(signs[:, columns], holds, sample_weight=weights)  # fmt: skip
    trees = [_tree(grown[0].nodes, columns) for grown in boosted._predictors]
    return {"base": round(float(boosted._baseline_prediction.ravel()[0]) - caution, 6), "trees": trees}


def _tree(nodes: Any, columns: Sequence[int]) -> list[list[float]]:
    """Renumbers the nodes so that the right child is the one after the left."""
    order = [0]
    for place in order:
        if not nodes[place]["is_leaf"]:
            order += [int(nodes[place]["left"]), int(nodes[place]["right"])]
    at = {old: new for new, old in enumerate(order)}
    return [
        [-1, 0, 0, round(float(nodes[old]["value"]), 5)]
        if nodes[old]["is_leaf"]
        else [columns[nodes[old]["feature_idx"]], _rounded(nodes[old]["num_threshold"]), at[int(nodes[old]["left"])], 0]
        for old in order
    ]


def _rounded(threshold: float) -> float:
    return float(f"{threshold:.5g}")


def told(document: Mapping[str, Any], signs: Signs, hashed: Flags) -> Signs:
    """Returns float64 `[n]`, the probabilities of a copy, of pairs that the perceptual hash calls one picture or not; 0
    where nothing was aligned."""
    model = probability.Model(*(probability.forest(document[name]) for name in ("structure", "colours")))
    same = np.array([0.0 if np.isnan(one[0]) else model.same(one) for one in signs])
    same = np.where(hashed, likelier(same), same)
    return np.array([each and model.copy_and_variant(each, one)[0] for each, one in zip(same, signs, strict=True)])


def left_out(collections: Mapping[str, Pairs], kind: str) -> Iterator[tuple[str, Pairs, Signs]]:
    """Yields each collection and the probabilities that a model fitted to all others gives its pairs."""
    for name, one in collections.items():
        others = [pairs for other, pairs in collections.items() if other != name]
        yield name, one, told(both(examples(others, kind)), getattr(one, kind), one.hashed)


def recall(scores: Signs, copies: Flags, others: Flags, precision: float) -> float:
    """Returns the share of copies at the lowest score with a precision among copies and others."""
    order = np.argsort(-scores, kind="stable")
    right, wrong = np.cumsum(copies[order]), np.cumsum(others[order])
    good = np.flatnonzero(right >= precision * (right + wrong))
    return float(right[good[-1]] / max(1, copies.sum())) if len(good) else 0.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What a model finds of a collection that it has not seen.

    Panels count as negatives only, as most copies have none, and pairs of edited pictures do not count. Shares are of
    `copies` edited copies.

    Attributes:
        strict, loose: found at a precision of .999, and of .99, among all pairs of the collection.
        strict_others: found at .999 where variants are no negatives.
        sure, plain: found at the shipped probability, of all edits and of the plain ones.
        false: pairs that are told as copies there, of how many, by what they are.
    """

    collection: str
    copies: int
    strict: float
    loose: float
    strict_others: float
    sure: float
    plain: float
    false: Mapping[str, tuple[int, int]]


def columns(kinds: Iterable[str]) -> dict[str, Column]:
    """Returns the columns of figures, one of them for each kind of pair that may be told falsely."""

    def false(kind: str) -> Column:
        return lambda one: "{} of {:,}".format(*one.false[kind]) if one.false[kind][1] else ""

    return {
        "collection": lambda one: one.collection,
        "copies": lambda one: f"{one.copies:,}",
        "at .999": lambda one: f"{one.strict:.3f}",
        "at .99": lambda one: f"{one.loose:.3f}",
        ".999, no variants": lambda one: f"{one.strict_others:.3f}",
        f"at {SURE:g}": lambda one: f"{one.sure:.3f}",
        "plain": lambda one: f"{one.plain:.3f}",
        **{kind: false(kind) for kind in kinds},
    }


def figures(name: str, pairs: Pairs, scores: Signs) -> Figures:
    """Returns the figures of pairs."""
    between = pairs.edits == BETWEEN
    copies = (pairs.labels == COPY) & ~pairs.panels & ~between
    plain = copies & np.isin(pairs.edits, PLAIN)
    different, variants = (pairs.labels != COPY) & ~between, (pairs.labels == VARIANT) & ~between
    found, made = scores >= SURE, pairs.edits == RECOLOURED
    kinds = {
        "others": pairs.labels == OTHER, "one item": pairs.labels == ITEM,
        "recoloured": variants & made, "other colours": variants & ~made,
    }  # fmt: skip
    return Figures(
        name, int(copies.sum()),
        recall(scores, copies, different, 0.999), recall(scores, copies, different, 0.99),
        recall(scores, copies, different & ~variants, 0.999),
        float(found[copies].mean()), float(found[plain].mean()),
        {kind: (int(found[one].sum()), int(one.sum())) for kind, one in kinds.items()},
    )  # fmt: skip


def judged(collections: Mapping[str, Pairs], kind: str) -> list[Figures]:
    """Returns the figures of every collection, and of all their pairs at once."""
    known = list(left_out(collections, kind))
    every = [np.concatenate(parts) for parts in zip(*(_parts(pairs) for _, pairs, _ in known), strict=True)]
    together = "all", Pairs(*every), np.concatenate([scores for _, _, scores in known])
    return [figures(*one) for one in (*known, together)]


def _parts(pairs: Pairs) -> tuple[Any, ...]:
    return tuple(getattr(pairs, one.name) for one in fields(Pairs))


def document(collections: Mapping[str, Pairs]) -> Mapping[str, Any]:
    """Returns what is shipped."""
    labels = np.concatenate([one.labels for one in collections.values()])
    counts = ", ".join(f"{int((labels == label).sum()):,} {name}" for name, label in _NAMES.items())
    model = f"boosted trees (at most {TREES} of {LEAVES} leaves, rate {RATE}, monotone)"
    every = list(collections.values())
    models = {kind: both(examples(every, kind)) for kind in KINDS}
    return {"signs": list(SIGNS), "fitted": f"{model} on {counts}, of {len(collections)} collections", **models}


_NAMES = {"copies": COPY, "variants": VARIANT, "photographs of one item": ITEM, "others": OTHER}


def _measured(folder: Path, edited: int, kept: Path | None) -> Pairs:
    """Returns a collection's pairs, and keeps them and what they are measured of, or takes them from there."""
    if kept is None:
        return measured(asked(folder, edited))
    kept.mkdir(exist_ok=True)
    pairs, pictures = kept / f"{folder.name}.npz", kept / f"{folder.name}.pickle"
    if pairs.is_file():
        return load(pairs)
    if pictures.is_file():
        made = pickle.loads(pictures.read_bytes())
    else:
        made = asked(folder, edited)
        pictures.write_bytes(pickle.dumps(made))
    known = measured(made)
    known.save(pairs)
    return known


def main() -> None:
    """Measures, reports and writes the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collections", nargs="+", type=Path, help="at least two folders")
    kept = "a folder where pairs are kept, and taken from; without its *.npz those of its *.pickle are measured anew"
    parser.add_argument("--kept", type=Path, help=kept)
    parser.add_argument("-n", type=int, default=EDITED, help=f"pictures of each that are edited ({EDITED})")
    parser.add_argument("--into", type=Path, default=TARGET, help="the file that is written (the shipped one)")
    chosen = parser.parse_args()
    collections = {folder.name: _measured(folder, chosen.n, chosen.kept) for folder in chosen.collections}
    shipped = document(collections)
    chosen.into.write_text(json.dumps(shipped, separators=(",", ":")) + "\n")
    for kind in KINDS:
        rows = judged(collections, kind)
        note = f"each collection left out in turn; {shipped['fitted']}"
        publish(f"verification-{kind}", rows, note, columns(rows[0].false))


if __name__ == "__main__":
    main()
