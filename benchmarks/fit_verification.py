"""Fits the model of verification to measured pairs, and writes `probability.json`.

    python -m benchmarks.fit_verification FOLDER...

The pairs come from pictures of any folders: each is edited by the battery, or recoloured, and measured against itself
and against the pictures that SSCD finds closest to it. Figures are cross-fitted: no pair is told by a model that has
seen its picture.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.copies import COPY, OTHER, VARIANT, Pairs, measured
from moderator.search.verify import probability
from moderator.search.verify.signs import SIGNS

TARGET = Path(probability.__file__).with_name("probability.json")
TREES, LEAVES, RATE = 150, 8, 0.08
FOLDS = 5
STRUCTURE = {
    "inliers": 1, "agreed": 1, "kept": 1, "residual": -1, "stretch": 0, "textured": 0, "agreeing": 1, "fine_share": 1,
    "fine_correlation": 1, "dense": 1, "patch": 1, "coarse_share": 1, "coarse_correlation": 1, "overlap": 0,
    "overlap_first": 0, "plain": 0,
}  # fmt: skip
"""Signs that tell whether two pictures are one, and whether more of them must make it likelier (1) or not (-1)."""
COLOURS = {
    "luma": -1, "plain_luma": -1, "shading": -1, "chroma": -1, "plain_chroma": -1, "left": -1, "recoloured": -1,
    "cast": -1, "saturation": 0, "gamma": 0, "contrast": 0, "plain": 0, "fine_share": 1, "coarse_correlation": 0,
    "overlap": 0, "textured": 0, "fine_correlation": 1, "dense": 1,
}  # fmt: skip
"""The same of whether colours differ by an edit of the whole."""

Signs = npt.NDArray[np.float64]


def fitted(signs: Signs, holds: npt.NDArray[np.bool_], asked: Mapping[str, int]) -> Mapping[str, Any]:
    """Returns a forest's document for signs `[n, len(SIGNS)]` and what they should tell."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    columns = [SIGNS.index(name) for name in asked]
    boosted = HistGradientBoostingClassifier(
        max_iter=TREES, learning_rate=RATE, max_leaf_nodes=LEAVES, l2_regularization=1.0, min_samples_leaf=15,
        monotonic_cst=list(asked.values()), random_state=0,
    ).fit(signs[:, columns], holds)  # fmt: skip
    trees = [_tree(grown[0].nodes, columns) for grown in boosted._predictors]
    return {"base": round(float(boosted._baseline_prediction.ravel()[0]), 6), "trees": trees}


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


def both(signs: Signs, labels: npt.NDArray[np.int64]) -> Mapping[str, Any]:
    """Returns the two forests of a model."""
    same = labels != OTHER
    return {
        "structure": fitted(signs, same, STRUCTURE),
        "colours": fitted(signs[same], labels[same] == COPY, COLOURS),
    }


def cross_fitted(signs: Signs, labels: npt.NDArray[np.int64], groups: npt.NDArray[np.int64]) -> Signs:
    """Returns `[n, 2]`, the probabilities of a copy and a variant, each by a model that has not seen its group."""
    told = np.zeros((len(signs), 2))
    for fold in range(FOLDS):
        held = groups % FOLDS == fold
        document = both(signs[~held], labels[~held])
        model = probability.Model(*(probability.forest(document[name]) for name in ("structure", "colours")))
        told[held] = [model.copy_and_variant(one) for one in signs[held]]
    return told


def document(pairs: Pairs, source: str) -> Mapping[str, Any]:
    """Returns what is shipped."""
    counts = {name: int((pairs.labels == label).sum()) for name, label in _NAMES.items()}
    return {
        "signs": list(SIGNS),
        "fitted": f"boosted trees ({TREES} of {LEAVES} leaves, rate {RATE}, monotone) on {counts} pairs of {source}",
        "whole": both(pairs.whole, pairs.labels),
        "stored": both(pairs.stored, pairs.labels),
    }


_NAMES = {"copy": COPY, "variant": VARIANT, "other": OTHER}


def main() -> None:
    """Measures, fits, reports cross-fitted figures and writes the model."""
    pairs = measured([Path(name) for name in sys.argv[1:]])
    for name, signs in (("whole", pairs.whole), ("stored", pairs.stored)):
        told = cross_fitted(signs, pairs.labels, pairs.groups)
        for label, number in _NAMES.items():
            share = float((told[pairs.labels == number, 0] >= 0.9).mean())
            print(f"{name}: {share:.4f} of {label} pairs are called copies at .9")
    TARGET.write_text(json.dumps(document(pairs, f"{len(set(pairs.groups.tolist())):,} pictures")) + "\n")


if __name__ == "__main__":
    main()
