"""Reads pictures into a store: what is unchanged is left alone, what is new is decoded, embedded, and written.

A batch is one transaction, so a scan that is killed goes on where it was, and nothing is half stored.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice

from moderator.contracts import Embedder, Entry, Found, Known, Progress, Role, Store
from moderator.errors import UnreadableImage, VectorError
from moderator.intake.decode import Decoded, intake_id
from moderator.models import Unjudged
from moderator.paths import found_at, printable
from moderator.policy import Limits
from moderator.runners.local import LocalRunner
from moderator.runners.runner import Batch, Embedded, Outcome, Runner

LOOKUP = 2_000
"""Paths asked of the store at once."""
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
        self,
        store: Store,
        embedders: Sequence[Embedder],
        limits: Limits,
        progress: Progress | None = None,
        runner: Runner | None = None,
    ) -> None:
        self._store = store
        self._embedders = embedders
        self._progress = progress or Progress()
        self._runner = runner or LocalRunner(embedders, limits)
        self._intake = intake_id(limits)

    def run(self, walked: Iterable[Walked], role: Role, *, remember: bool = False) -> Ingested:
        """Ingests what `walk` yields, in `role`.

        Args:
            remember: what the store knows as a path's metadata stays, where `walk` has none.

        Raises:
            ModelError: weights cannot be loaded.
            StoreError: a batch cannot be written; those before it are.
        """
        outcome = Ingested()
        changed: list[tuple[Found, bool]] = []
        files = self._files(walked, outcome)
        while some := list(islice(files, LOOKUP)):
            changed += self._news(some, role, outcome, remember=remember)
        if changed:
            with (
                self._progress.stage("Reading and embedding", len(changed)) as advance,
                closing(self._read(changed, role, outcome)) as batches,
            ):
                for done in batches:
                    advance(done)
            self._complete(changed, role, outcome)
        outcome.judged.sort(key=lambda pair: pair[0].path)
        for unjudged in (outcome.rejected, outcome.skipped):  # whether known already or read just now
            unjudged.sort(key=lambda one: one.path)
        return outcome

    @staticmethod
    def _files(walked: Iterable[Walked], outcome: Ingested) -> Iterator[tuple[Found, bool]]:
        for item in walked:
            if isinstance(item, Unjudged):
                outcome.passed_over(item)
            else:
                yield item

    # What is already known

    def _news(
        self, files: Sequence[tuple[Found, bool]], role: Role, outcome: Ingested, *, remember: bool
    ) -> list[tuple[Found, bool]]:
        """Accounts for the files that have not changed and returns the others."""
        known = self._store.known([found.path for found, _ in files], role)
        lacking = self._lacking({one.content for one in known.values() if one.state == "judged"})
        news, renamed = [], []
        for given, named in files:
            one = known.get(given.path)
            found = replace(given, metadata=one.metadata) if remember and one and not given.metadata else given
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

    def _read(self, files: Sequence[tuple[Found, bool]], role: Role, outcome: Ingested) -> Generator[int]:
        """Decodes, embeds and writes, all at once, and yields how many files each batch has accounted for."""
        named = {found.path: was_named for found, was_named in files}
        awaited: deque[_Awaited] = deque()
        refused: dict[bytes, VectorError] = {}
        with self._runner.read(found for found, _ in files) as batches:
            for batch in batches:
                awaited.append(self._embed(batch, awaited))
                if len(awaited) > self._runner.depth:
                    yield self._write(awaited.popleft(), refused, named, role, outcome)
            while awaited:
                yield self._write(awaited.popleft(), refused, named, role, outcome)

    def _complete(self, files: Sequence[tuple[Found, bool]], role: Role, outcome: Ingested) -> None:
        """Reads once more what was written without a vector: a content that another program removed after this one had
        seen that it has its vectors."""
        read = {found.path for found, _ in files}
        contents = {found.path: content for found, content in outcome.judged if found.path in read}
        lacking = self._lacking(set(contents.values()))
        if again := [file for file in files if contents.get(file[0].path) in lacking]:
            for _ in self._read(again, role, Ingested()):
                continue

    def _embed(self, batch: Batch, awaited: Iterable[_Awaited]) -> _Awaited:
        """Has the contents embedded that have no vector yet and are not being embedded now."""
        decoded = [outcome for _, outcome in batch.outcomes if isinstance(outcome, Decoded)]
        digests = [one.fingerprint.sha256 for one in decoded if one.fingerprint.state == "judged"]
        known = self._store.contents(digests, self._intake)
        under_way = set[bytes]().union(*(one.digests for one in awaited))
        wanted = []
        for embedder in self._embedders:
            has = self._store.embedded(embedder.model, list(known.values()))
            wanted.append({digest for digest in digests if known.get(digest) not in has and digest not in under_way})
        return _Awaited(batch.outcomes, set[bytes]().union(*wanted), self._runner.embed(batch, wanted))

    def _write(
        self,
        batch: _Awaited,
        refused: dict[bytes, VectorError],
        named: Mapping[str, bool],
        role: Role,
        outcome: Ingested,
    ) -> int:
        """Writes a batch in one transaction and accounts for its files. `refused` are the contents without a
        direction that this run has met."""
        made = batch.vectors()
        refused.update({digest: one for digest, one in made.items() if isinstance(one, VectorError)})
        entries: list[Entry] = []
        unreadable: list[str] = []
        for found, one in batch.outcomes:
            if isinstance(one, UnreadableImage):
                outcome.passed_over(Unjudged(found.name, one.code, one.reason), named=named[found.path])
                unreadable.append(found.path)
            else:
                entries.append(_entry(found, one, made, refused))
        if unreadable and role == "picture":
            self._store.forget([printable(path) for path in unreadable])
        ids = self._store.write(entries, self._intake, role)
        for entry, content in zip(entries, ids, strict=True):
            self._account(entry, content, outcome)
        outcome.embedded += len(made.keys() - refused.keys())
        return len(batch.outcomes)

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
            if path not in here and found_at(path) is None
        ]
        if gone:
            self._store.forget(gone)
        return len(gone)


@dataclass(frozen=True, slots=True)
class _Awaited:
    """A batch that is being embedded: its files, the contents that are, and what waits for their vectors."""

    outcomes: Sequence[Outcome]
    digests: Collection[bytes]
    vectors: Callable[[], Embedded]


def _entry(found: Found, decoded: Decoded, made: Embedded, refused: Mapping[bytes, VectorError]) -> Entry:
    # The size and time are those of the bytes that were read, not of an earlier look.
    found = replace(found, size=decoded.size, mtime_ns=decoded.mtime_ns)
    fingerprint = decoded.fingerprint
    if (error := refused.get(fingerprint.sha256)) is not None:
        return Entry(found, replace(fingerprint, state="rejected", code="vector_refused", reason=str(error)))
    vectors = made.get(fingerprint.sha256, ())
    return Entry(found, fingerprint, () if isinstance(vectors, VectorError) else tuple(vectors))
