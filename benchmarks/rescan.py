"""A folder that has not changed, or hardly, scanned again: walking it, asking what is known, and the whole scan."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable
from itertools import count
from pathlib import Path

import numpy as np

from benchmarks import corpus
from benchmarks.table import publish, timed
from benchmarks.upload import Made
from moderator import Registry, hookimpl, scan
from moderator.contracts import Embedder, Entry, Fingerprint, Found, Store, Vectors
from moderator.ingest import Ingest
from moderator.intake.decode import intake_id
from moderator.intake.walk import walk
from moderator.policy import EmbedderSpec, Limits, Policy, Rule
from moderator.stores.sql import SqlStore
from moderator.vectors import normalise

FILES = 100_000
FOLDER = 1_000
"""Files in one folder."""


def make(folder: Path, store: Store, numbers: range) -> None:
    """Writes small files and stores them as a scan of pictures would have, with random vectors and hashes."""
    paths = [folder / f"{number // FOLDER:03}" / f"{number:06}.jpg" for number in numbers]
    for number, path in zip(numbers, paths, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
    found = [item[0] for item in walk([str(path) for path in paths]) if isinstance(item, tuple)]
    random = np.random.default_rng(numbers.start)
    rows = normalise(random.standard_normal((len(numbers), corpus.DIMENSION), dtype=np.float32))
    for start in range(0, len(numbers), 5_000):
        entries = [
            Entry(one, _fingerprint(one, random.bytes(256)), (Vectors(corpus.MODEL, ("whole",), row[None]),))
            for one, row in zip(found[start : start + 5_000], rows[start : start + 5_000], strict=True)
        ]
        store.write(entries, intake_id(Limits()), "picture")


def _fingerprint(found: Found, pdq: bytes) -> Fingerprint:
    digest = hashlib.sha256(found.path.encode()).digest()
    return Fingerprint(digest, found.size, "JPEG", 1, 1, 1, digest, pdq, 100)


class Plugin:
    """Has the embedder that the store was filled for."""

    @hookimpl
    def register_embedders(self) -> Iterable[type[Embedder]]:
        return [Made]


def whole(folder: Path, url: str, files: int = FILES) -> None:
    """Scans the folder as a user does, with a rule for duplicates and one for prohibited pictures."""
    registry = Registry.discover()
    registry.register(Plugin(), "benchmark", "0")
    rules = [Rule(id=name, detector=name, threshold=0.9) for name in ("duplicates", "prohibited")]
    policy = Policy(version=1, store=url, embedders={"made": EmbedderSpec(type="made")}, rules=rules)
    if scan(policy, [str(folder)], registry=registry).unchanged != files:
        raise RuntimeError("an unchanged file was taken for a changed one")


def main() -> None:
    """Times the walk alone, the walk with what is known, and the whole scan, the first time and later."""
    embedder = Made(EmbedderSpec(type="made"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "in"
        with SqlStore.open(f"sqlite:///{temporary}/store.db") as store:
            make(folder, store, range(FILES))
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
        url = f"sqlite:///{temporary}/store.db"
        scanned = "the whole scan, two rules: pairs are"
        rows.append(timed(f"{scanned} looked for", FILES, "files", lambda: whole(folder, url), runs=1))
        rows.append(timed(f"{scanned} those of the last scan", FILES, "files", lambda: whole(folder, url)))
        numbers = count(FILES)

        def one_more() -> None:
            number = next(numbers)
            with SqlStore.open(url) as store:
                make(folder, store, range(number, number + 1))
            whole(folder, url, number + 1)

        rows.append(timed(f"{scanned} those, and the pairs of one new picture", FILES, "files", one_more))
    publish("rescan", rows, f"nothing has changed; random hashes and vectors of {corpus.DIMENSION} dimensions")


if __name__ == "__main__":
    main()
