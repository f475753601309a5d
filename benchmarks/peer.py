"""Runs one tool on references and queries and writes its scores; started by `peers.py` in the tool's own environment.

    python peer.py ASKED.json TOLD.npy

It imports nothing of moderator, and each tool only where it is asked. Scores `[queries, references]`: higher is closer.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

Asked = dict[str, Any]
"""`method`, the files `references` and `queries`, and the `folder` that both are in."""


def imagededup(asked: Asked) -> Any:
    """Bits that differ, negated; of the network the cosine."""
    from imagededup import methods

    encoder = getattr(methods, asked["method"])(verbose=False)
    ours, theirs = (
        [encoder.encode_image(image_file=path) for path in asked[files]] for files in ("queries", "references")
    )
    if asked["method"] == "CNN":
        first, second = (np.concatenate(rows) for rows in (ours, theirs))
        return first @ second.T / np.outer(np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1))
    return -differing(*(np.array([list(bytes.fromhex(one)) for one in rows], np.uint8) for rows in (ours, theirs)))


def imagehash(asked: Asked) -> Any:
    """Bits that differ, negated."""
    import imagehash as tool
    from PIL import Image

    def hashes(files: list[str]) -> Any:
        return np.stack([np.packbits(getattr(tool, asked["method"])(Image.open(path)).hash.ravel()) for path in files])

    return -differing(hashes(asked["queries"]), hashes(asked["references"]))


def differing(ours: Any, theirs: Any) -> Any:
    """Returns how many bits differ, `[n, m]`, of bytes `[n, k]` and `[m, k]`."""
    return np.stack([np.bitwise_count(row ^ theirs).sum(axis=1).astype(float) for row in ours])


def cleanvision(asked: Asked) -> Any:
    """1 for two pictures of one set."""
    from cleanvision import Imagelab

    lab = Imagelab(filepaths=[*asked["references"], *asked["queries"]], verbose=False)
    lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, verbose=False)
    sets = [one for kind in ("exact_duplicates", "near_duplicates") for one in lab.info[kind]["sets"]]
    return together(asked, sets)


def together(asked: Asked, sets: Any) -> Any:
    """Returns 1 for pairs that are in one set, minus infinity elsewhere."""
    rows, columns = (
        {Path(path).resolve(): place for place, path in enumerate(asked[files])} for files in ("queries", "references")
    )
    scores = np.full((len(rows), len(columns)), -np.inf)
    for one in sets:
        paths = [Path(path).resolve() for path in one]
        for row in (rows[path] for path in paths if path in rows):
            scores[row, [columns[path] for path in paths if path in columns]] = 1.0
    return scores


def difpy(asked: Asked) -> Any:
    """Its mean squared error over its turns, negated, by its own function on its own tensors."""
    import difPy
    from difPy.dif import _compare_imgs

    built = difPy.build(asked["folder"], show_progress=False)
    tensors = {Path(path).resolve(): built._tensor_dictionary[at] for at, path in built._filename_dictionary.items()}
    ours, theirs = ([tensors[Path(path).resolve()] for path in asked[files]] for files in ("queries", "references"))
    return -np.array([[_compare_imgs._compute_mse(one, other) for other in theirs] for one in ours])


def immaculate(asked: Asked) -> Any:
    """1 for two pictures of one set."""
    from immaculate import find_duplicates

    found = find_duplicates(asked["folder"], method=asked["method"])
    return together(asked, [*found.exact, *found.near])


TOOLS = {one.__name__: one for one in (imagededup, imagehash, cleanvision, difpy, immaculate)}


def main() -> None:
    """Runs the tool that is asked."""
    asked = json.loads(Path(sys.argv[1]).read_text())
    tool, _, asked["method"] = asked["method"].partition(":")
    scores = TOOLS[tool](asked)
    np.save(sys.argv[2], np.asarray(scores, dtype=np.float64))


if __name__ == "__main__":
    sys.path.pop(0)  # the folder of the benchmarks has modules of other names
    main()
