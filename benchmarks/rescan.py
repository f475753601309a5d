"""A folder that has not changed, scanned again: walking it and asking the store what is known of each file."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.table import publish, timed
from moderator.contracts import Entry, Fingerprint, Store, Vectors
from moderator.ingest import Ingest
from moderator.intake.decode import intake_id
from moderator.intake.walk import walk
from moderator.policy import EmbedderSpec, Limits
from moderator.stores.sql import SqlStore
from moderator.testing import FakeEmbedder

FILES = 100_000
FOLDER = 1_000
"""Files in one folder."""


def make(folder: Path, store: Store, embedder: FakeEmbedder) -> None:
    """Writes small files and stores them as a scan of pictures would have."""
    for number in range(FILES):
        path = folder / f"{number // FOLDER:03}" / f"{number:06}.jpg"
        if number % FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(b"%d" % number)
    found = [item[0] for item in walk([str(folder)]) if isinstance(item, tuple)]
    vector = np.full((1, embedder.model.dimension), embedder.model.dimension**-0.5, dtype=np.float32)
    made = (Vectors(embedder.model, ("whole",), vector),)
    for start in range(0, FILES, 5_000):
        entries = [
            Entry(one, Fingerprint(hashlib.sha256(one.path.encode()).digest(), one.size, "JPEG", 1, 1, 1), made)
            for one in found[start : start + 5_000]
        ]
        store.write(entries, intake_id(Limits()), "picture")


def main() -> None:
    """Times the walk alone, and the walk with what is known."""
    embedder = FakeEmbedder(EmbedderSpec(type="fake", model="quarters"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "in"
        with SqlStore.open(f"sqlite:///{temporary}/store.db") as store:
            make(folder, store, embedder)
            ingest = Ingest(store, [embedder], Limits())

            def rescan() -> None:
                walked = list(walk([str(folder)]))
                if ingest.run(walked, "picture").unchanged != FILES:
                    raise RuntimeError("an unchanged file was taken for a changed one")
                ingest.forget_missing([str(folder)], [item[0] for item in walked if isinstance(item, tuple)])

            rows = [
                timed("walk alone", FILES, "files", lambda: list(walk([str(folder)]))),
                timed("walk, ask what is known, forget what has gone", FILES, "files", rescan),
            ]
    publish("rescan", rows, "nothing has changed; the rules, which come after, are not asked here")


if __name__ == "__main__":
    main()
