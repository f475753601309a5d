"""Other tools on the same files, each in an environment of its own that the benchmark makes, by the tool's own code.

`peer.py` runs there and knows nothing of moderator. A tool that cannot be had is named with the reason.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.collection import Collection
from benchmarks.environments import Environment, prepare, python_of
from benchmarks.figures import Scored, Scores

HERE = Path(__file__).parent
NEWER = (3, 12)
"""Python that immaculate asks for."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool's method: its name in `peer.py`, from which score on it calls two pictures copies unasked, and its own way
    from a `folder` to duplicates, where it has one."""

    name: str
    method: str
    environment: Environment
    default: float | None
    program: str = ""


HASHES = Environment("hashes", ("ImageHash==4.3.2", "difPy==4.2.1", "cleanvision==0.3.7"))
DEDUP = Environment("imagededup", ("imagededup==0.3.3.post2",))
"""Brings its own torch and torchvision, some gigabytes: those of PyPI fit no other build of torch."""
IMMACULATE = Environment("immaculate", ("immaculate[sscd]==0.3.0",), NEWER)

IMAGEDEDUP = "from imagededup.methods import {0}; {0}(verbose=False).find_duplicates(image_dir=folder, recursive=True)"
CLEANVISION = (
    "from cleanvision import Imagelab; lab = Imagelab(data_path=folder, verbose=False); "
    "lab.find_issues({'exact_duplicates': {}, 'near_duplicates': {}}, verbose=False)"
)
DIFPY = (
    "import difPy; built = difPy.build(folder, show_progress=False); "
    "difPy.search(built, similarity='similar', show_progress=False)"
)
FOUND = "from immaculate import find_duplicates; find_duplicates(folder, method='{}')"
PEERS = (
    *(Peer(f"imagededup {one}", f"imagededup:{one}", DEDUP, -10, IMAGEDEDUP.format(one)) for one in ("PHash", "DHash")),
    Peer("imagededup CNN", "imagededup:CNN", DEDUP, 0.9),
    Peer("ImageHash phash", "imagehash:phash", HASHES, 0),
    Peer("ImageHash dhash", "imagehash:dhash", HASHES, 0),
    Peer("cleanvision near_duplicates", "cleanvision:", HASHES, 1, CLEANVISION),
    Peer("difPy similar", "difpy:", HASHES, -5, DIFPY),
    *(
        Peer(f"immaculate {one}", f"immaculate:{one}", IMMACULATE, 1, FOUND.format(one))
        for one in ("pdq", "sscd_distilled", "sscd")
    ),
)
"""Bits and errors are negated, so that higher is closer. ImageHash has no threshold; its example takes equal hashes."""

Absent = tuple[str, str]
"""A tool that cannot be had, and why."""


def compared(collection: Collection, folder: Path, peers: Sequence[Peer] = PEERS) -> Iterator[Scored | Absent]:
    """Yields each tool's scores on a collection whose files are in `folder`, or why there are none."""
    refused: dict[str, str] = {}
    for peer in peers:
        name = peer.environment.name
        if name not in refused and (why := prepare(peer.environment)):
            refused[name] = why
        if name in refused:
            yield peer.name, refused[name]
            continue
        started = time.monotonic()
        scores, why = _run(peer, collection, folder)
        seconds = time.monotonic() - started
        yield (peer.name, why) if scores is None else Scored(peer.name, scores, peer.default, seconds)


def _run(peer: Peer, collection: Collection, folder: Path) -> tuple[Scores | None, str]:
    with tempfile.TemporaryDirectory() as temporary:
        asked, told = Path(temporary) / "asked.json", Path(temporary) / "told.npy"
        document = {
            "method": peer.method,
            "folder": str(folder),
            "references": [str(one.path) for one in collection.references],
            "queries": [str(one.path) for one in collection.queries],
        }
        asked.write_text(json.dumps(document))
        command = [str(python_of(peer.environment)), str(HERE / "peer.py"), str(asked), str(told)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            return None, ran.stderr.strip().splitlines()[-1][:160] if ran.stderr.strip() else "it failed"
        return np.load(told).astype(np.float64), ""
