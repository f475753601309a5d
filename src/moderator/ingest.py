"""Reads pictures into a store: what is unchanged is left alone, what is new is decoded, embedded, and written.

A batch is one transaction, so a scan that is killed goes on where it was, and nothing is half stored.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import numpy.typing as npt

from moderator.contracts import Embedder, Entry, Fingerprint, Found, Known, Progress, Role, Store, Vectors
from moderator.errors import UnreadableImage, VectorError
from moderator.intake.decode import Decoded, intake_id
from moderator.intake.pool import DecoderPool
from moderator.intake.walk import printable
from moderator.models import Unjudged
from moderator.policy import Limits
from moderator.vectors import Matrix

LOOKUP = 2_000
"""Paths asked of the store at once."""
BATCH = 32
"""Pictures embedded and written in one transaction."""
SKIPPED = frozenset({"not_an_image", "symlink", "not_regular", "excluded"})
"""Codes of what was never a picture to judge; every other code is a rejection."""

Walked = tuple[Found, bool] | Unjudged
"""What `walk` yields: a file and whether it was named, or why a path was passed over."""


@dataclass(slots=True)
class Ingested:
    """What became of every path that was found."""

    judged: list[tuple[Found, int]] = field(default_factory=list)
    rejected: list[Unjudged] = field(default_factory=list)
    skipped: list[Unjudged] = field(default_factory=list)
    embedded: int = 0
    unchanged: int = 0

    def passed_over(self, unjudged: Unjudged, *, named: bool = False) -> None:
        """Files a path as skipped or rejected; a file that was named is never merely skipped."""
        skipped = unjudged.code in SKIPPED and not named
        (self.skipped if skipped else self.rejected).append(unjudged)


class Ingest:
    """Reads pictures into one store, for the embedders of one policy."""

    def __init__(
        self, store: Store, embedders: Sequence[Embedder], limits: Limits, progress: Progress | None = None
    ) -> None:
        self._store = store
        self._embedders = embedders
        self._limits = limits
        self._progress = progress or Progress()
        self._intake = intake_id(limits)

    def run(self, walked: Iterable[Walked], role: Role) -> Ingested:
        """Ingests what `walk` yields, in `role`.

        Raises:
            ModelError: weights cannot be loaded.
            StoreError: a batch cannot be written; those before it are.
        """
        outcome = Ingested()
        changed: list[tuple[Found, bool]] = []
        files = self._files(walked, outcome)
        while some := list(islice(files, LOOKUP)):
            changed += self._news(some, role, outcome)
        if changed:
            with self._progress.stage("Reading and embedding", len(changed)) as advance:
                for entries, done in self._read(changed, role, outcome):
                    ids = self._store.write(entries, self._intake, role)
                    for entry, content in zip(entries, ids, strict=True):
                        self._account(entry, content, outcome)
                    advance(done)
        outcome.judged.sort(key=lambda pair: pair[0].path)
        return outcome

    @staticmethod
    def _files(walked: Iterable[Walked], outcome: Ingested) -> Iterator[tuple[Found, bool]]:
        for item in walked:
            if isinstance(item, Unjudged):
                outcome.passed_over(item)
            else:
                yield item

    # What is already known

    def _news(self, files: Sequence[tuple[Found, bool]], role: Role, outcome: Ingested) -> list[tuple[Found, bool]]:
        """Accounts for the files that have not changed and returns the others."""
        known = self._store.known([found.path for found, _ in files], role)
        lacking = self._lacking({one.content for one in known.values() if one.state == "judged"})
        news, renamed = [], []
        for found, named in files:
            one = known.get(found.path)
            if one is None or not self._unchanged(found, one) or one.content in lacking:
                news.append((found, named))
                continue
            outcome.unchanged += 1
            if one.state == "judged":
                outcome.judged.append((found, one.content))
            else:
                outcome.passed_over(Unjudged(found.name, one.code, one.reason), named=named)
            if dict(one.metadata) != dict(found.metadata):
                renamed.append(found)
        if renamed and role == "picture":
            self._store.update_metadata(renamed)
        return news

    def _unchanged(self, found: Found, known: Known) -> bool:
        return (found.size, found.mtime_ns, self._intake) == (known.size, known.mtime_ns, known.intake)

    def _lacking(self, contents: set[int]) -> set[int]:
        """Which of these contents lack a vector of some model."""
        lacking: set[int] = set()
        for embedder in self._embedders:
            lacking |= contents - self._store.embedded(embedder.model, sorted(contents))
        return lacking

    # What is read

    def _read(
        self, files: Sequence[tuple[Found, bool]], role: Role, outcome: Ingested
    ) -> Iterator[tuple[list[Entry], int]]:
        """Yields batches ready to be written, with how many files each accounts for."""
        named = {found.path: was_named for found, was_named in files}
        preparations = [embedder.preprocessing for embedder in self._embedders]
        with DecoderPool(self._limits, preparations) as pool:
            results = pool.decode(found for found, _ in files)
            while some := list(islice(results, BATCH)):
                decoded: list[tuple[Found, Decoded]] = []
                unreadable: list[str] = []
                for found, result in some:
                    if isinstance(result, UnreadableImage):
                        refusal = Unjudged(found.name, result.code, result.reason)
                        outcome.passed_over(refusal, named=named[found.path])
                        unreadable.append(found.path)
                    else:
                        # The size and time are those of the bytes that were read, not of an earlier look.
                        found = replace(found, size=result.size, mtime_ns=result.mtime_ns)  # noqa: PLW2901
                        decoded.append((found, result))
                if unreadable and role == "picture":
                    self._store.forget([printable(path) for path in unreadable])
                yield self._entries(decoded, outcome), len(some)

    def _entries(self, decoded: Sequence[tuple[Found, Decoded]], outcome: Ingested) -> list[Entry]:
        """Embeds what has no vector yet, each content once, and pairs every file with its vectors."""
        judged = {one.fingerprint.sha256: one for _, one in decoded if one.fingerprint.state == "judged"}
        vectors: dict[bytes, list[Vectors]] = {digest: [] for digest in judged}
        refused: dict[bytes, str] = {}
        known = self._store.contents(list(judged), self._intake)
        for position, embedder in enumerate(self._embedders):
            has = self._store.embedded(embedder.model, list(known.values()))
            missing = {
                digest: [(view.label, view.prepared[position]) for view in one.views]
                for digest, one in judged.items()
                if known.get(digest) not in has
            }
            for digest, result in embed_each(embedder, missing):
                if isinstance(result, VectorError):
                    refused[digest] = str(result)
                else:
                    vectors[digest].append(result)
        outcome.embedded += sum(1 for digest, made in vectors.items() if made and digest not in refused)
        return [self._entry(found, one.fingerprint, vectors, refused) for found, one in decoded]

    @staticmethod
    def _entry(
        found: Found,
        fingerprint: Fingerprint,
        vectors: Mapping[bytes, Sequence[Vectors]],
        refused: Mapping[bytes, str],
    ) -> Entry:
        if (reason := refused.get(fingerprint.sha256)) is not None:
            return Entry(found, replace(fingerprint, state="rejected", code="vector_refused", reason=reason))
        return Entry(found, fingerprint, tuple(vectors.get(fingerprint.sha256, ())))

    @staticmethod
    def _account(entry: Entry, content: int, outcome: Ingested) -> None:
        fingerprint = entry.fingerprint
        if fingerprint.state == "judged":
            outcome.judged.append((entry.found, content))
        else:
            outcome.passed_over(Unjudged(entry.found.name, fingerprint.code, fingerprint.reason))

    def forget_missing(self, folders: Iterable[str], found: Iterable[Found]) -> int:
        """Removes stored pictures below `folders` whose files are gone, and returns how many."""
        here = {printable(one.path) for one in found}
        gone = [
            path
            for folder in folders
            for path in self._store.paths_under(os.path.abspath(folder))  # noqa: PTH100 - links are not followed
            if path not in here and not os.path.lexists(path)
        ]
        if gone:
            self._store.forget(gone)
        return len(gone)


def embed_each(
    embedder: Embedder, pictures: Mapping[bytes, Sequence[tuple[str, npt.NDArray[np.uint8]]]]
) -> Iterator[tuple[bytes, Vectors | VectorError]]:
    """Embeds all views of each content in batches; a content whose vector is refused spoils no other one."""
    rows = [(digest, view, picture) for digest, views in pictures.items() for view, picture in views]
    made: dict[bytes, list[tuple[str, Matrix]]] = {}
    refused: dict[bytes, VectorError] = {}
    for start in range(0, len(rows), embedder.batch):
        some = rows[start : start + embedder.batch]
        try:
            matrix = embedder.embed([picture for _, _, picture in some])
        except VectorError:
            for digest, view, picture in some:
                try:
                    made.setdefault(digest, []).append((view, embedder.embed([picture])))
                except VectorError as error:
                    refused[digest] = error
        else:
            for row, (digest, view, _) in enumerate(some):
                made.setdefault(digest, []).append((view, matrix[row : row + 1]))
    for digest in pictures:
        if digest in refused:
            yield digest, refused[digest]
        else:
            views, parts = zip(*made[digest], strict=True)
            yield digest, Vectors(embedder.model, views, np.concatenate(parts))
