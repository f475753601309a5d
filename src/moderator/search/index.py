"""A local index: what is compared of a store, in a file that is mapped into memory and kept in step with the store.

A folder holds, for each model's codes and for the hashes, one file of rows that only grows and one small header. The
header says how many rows count; it is replaced whole (written beside, synced, renamed) after the rows are synced, so a
crash leaves the old index or the new one, and rows that no header counts are written over. Whatever does not fit -
another format, model, lineage or digest, a file that is too short, a last row that the store does not have - is built
anew, and a note says why.

The rows are made from vectors and hashes and as sensitive: folder 0700, files 0600, and `erase` removes them before the
store removes a reference.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import platformdirs

from moderator.contracts import Generation, Store
from moderator.errors import StoreError
from moderator.models import ModelId
from moderator.search.codes import Codes, each, encode, joined

FORMAT = 2
"""The version of rows and header; an index of another one is built anew."""
SEGMENT = 65_536
"""Rows under one digest: 32 MiB of 512 dimensions."""
ATTEMPTS = 3
"""How often an index is built while vectors are removed from the store meanwhile."""
SQLITE = "sqlite:///"

Note = Callable[[str], None]
Rows = npt.NDArray[np.void]


class Unfit(Exception):
    """Why an index that is there cannot be used."""


@dataclass(frozen=True, slots=True)
class Header:
    """What an index says it holds.

    Attributes:
        tail: SHA-256 of the row numbered `sequence`, as the store gave it; empty where that one was removed.
        digests: SHA-256 of each `SEGMENT` of rows.
    """

    format: int
    source: str
    lineage: str
    sequence: int
    tail: str
    rows: int
    file: str
    digests: tuple[str, ...]

    @property
    def version(self) -> str:
        """Names these rows: others, or rows of another store, have another one."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()


def folder_of(url: str) -> Path:
    """Returns where the index of the store at `url` is kept: beside a SQLite file, else in the user's cache."""
    if url.startswith(SQLITE):
        path = Path(url.removeprefix(SQLITE)).expanduser()
        return path.with_name(f"{path.name}.index")
    return platformdirs.user_cache_path("moderator") / "index" / hashlib.sha256(url.encode()).hexdigest()[:32]


def name_of(key: str) -> str:
    """Returns how the files of a source begin: they are removed together."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def erase(url: str) -> None:
    """Removes the index of a store, of all models and hashes. Raises: StoreError when its bytes would stay."""
    try:
        shutil.rmtree(folder_of(url))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(
            f"cannot remove the local index {folder_of(url)}: {error.strerror}",
            hint="nothing was removed from the store; remove that folder by hand and try again",
        ) from error


@dataclass(frozen=True, slots=True)
class Source:
    """What a store tells of something that an index mirrors.

    Attributes:
        key: names it: a model id, or the kind of hash.
        record: the dtype of a row.
        generation: what there is now; None for nothing.
        added: yields rows `[n]` of `record` whose sequence is in (after, upto], in that order.
    """

    key: str
    record: np.dtype[np.void]
    generation: Callable[[], Generation | None]
    added: Callable[[int, int], Iterator[Rows]]


def mirrored(url: str, source: Source, note: Note) -> tuple[Rows, str] | None:
    """Returns all rows of `source`, of the store at `url`, from its index, made or brought up to date, and its version.

    None where the store has none, or where the index cannot be kept, which is noted.
    """
    folder = folder_of(url)
    try:
        with locked(folder):
            for _ in range(ATTEMPTS):
                if (generation := source.generation()) is None:
                    return None
                rows = _Index(source, folder).rows(generation, note)
                now = source.generation()
                if now is not None and now.lineage == generation.lineage:
                    return rows
        note("the local index was not used: contents are being removed from the store")
    except OSError as error:
        note(f"the local index {folder} cannot be kept ({error.strerror or error}): the store was read instead")
    return None


def mirror(store: Store, model: ModelId, note: Note) -> Codes | None:
    """Returns the codes of every vector of `model`, whatever its scope; None as in `mirrored`."""
    # Rows stand 16 bytes apart from one another, so that wide loads of a code are aligned.
    record = np.dtype(
        {
            "names": ["content", "slack", "code"],
            "formats": ["<i8", "<f4", ("i1", (model.dimension,))],
            "offsets": [0, 8, 16],
            "itemsize": 16 + -(-model.dimension // 16) * 16,
        }
    )

    def added(after: int, upto: int) -> Iterator[Rows]:
        for block in store.added(model, after, upto):
            codes = encode(block.contents, block.matrix)
            rows = np.zeros(len(codes), record)
            rows["content"], rows["slack"], rows["code"] = codes.contents, codes.slack, codes.matrix
            yield rows

    found = mirrored(store.url, Source(str(model), record, lambda: store.generation(model), added), note)
    if found is None:
        return None
    rows, version = found
    return Codes(rows["content"].copy(), rows["slack"].copy(), rows["code"], version)


def gathered(store: Store, model: ModelId) -> Codes | None:
    """Returns the same codes from the store alone, kept nowhere."""
    if (generation := store.generation(model)) is None:
        return None
    parts = [encode(block.contents, block.matrix) for block in store.added(model, 0, generation.sequence)]
    return joined(parts) if parts else None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the folder for this process alone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with suppress(ImportError):  # Windows has no such lock: of two that build there, one fails and goes on without
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class _Index:
    """The index of one source in a locked folder."""

    def __init__(self, source: Source, folder: Path) -> None:
        self._source = source
        self._folder = folder
        self._name = name_of(source.key)
        self._path = folder / f"{self._name}.json"

    def rows(self, generation: Generation, note: Note) -> tuple[Rows, str]:
        """Returns the rows of `generation` and their version, after bringing the files to it."""
        try:
            header = self._kept(generation)
        except FileNotFoundError:
            header = self._empty(generation)
        except Unfit as reason:
            note(f"the local index was built anew: {reason}")
            header = self._empty(generation)
        if header.sequence < generation.sequence:
            header = self._grown(header, generation)
        return self._mapped(header), header.version

    def _kept(self, generation: Generation) -> Header:
        """Returns the header of an index that fits. Raises: Unfit, FileNotFoundError."""
        header = self._read()
        if (header.format, header.source) != (FORMAT, self._source.key):
            raise Unfit("it was of another model or format")
        if header.lineage != generation.lineage:
            raise Unfit("something was removed or replaced in the store")
        if header.sequence > generation.sequence:
            raise Unfit("it held more than the store")
        if self._digests(header) != header.digests:
            raise Unfit("its rows were not those that were written")
        if self._tail(header.sequence) != header.tail:
            raise Unfit("its last row was not the store's")
        return header

    def _tail(self, sequence: int) -> str:
        last = [rows.tobytes() for rows in self._source.added(sequence - 1, sequence)]
        return hashlib.sha256(last[0]).hexdigest() if last else ""

    def _read(self) -> Header:
        try:
            fields = json.loads(self._path.read_bytes())
            header = Header(**{**fields, "digests": tuple(fields["digests"])})
            if re.fullmatch(rf"{self._name}-[0-9a-f]{{16}}\.codes", header.file) and header.rows >= 0:
                return header
        except (TypeError, ValueError, KeyError) as error:
            raise Unfit("its header was damaged") from error
        raise Unfit("its header was damaged")

    def _mapped(self, header: Header) -> Rows:
        """Returns the rows, read only. Raises: Unfit when the file is too short."""
        path = self._folder / header.file
        if not path.is_file() or path.stat().st_size < header.rows * self._source.record.itemsize:
            raise Unfit("its file was cut short")
        if not header.rows:
            return np.empty(0, self._source.record)
        return np.memmap(path, self._source.record, "r", shape=(header.rows,))

    def _digests(self, header: Header, whole: Sequence[str] = ()) -> tuple[str, ...]:
        """Reads the rows, which also brings them into memory; `whole` are digests that are known."""
        rows = self._mapped(header)
        made = [*whole, *[""] * (-(-header.rows // SEGMENT) - len(whole))]

        def digest(place: int) -> None:
            part = rows[place * SEGMENT : (place + 1) * SEGMENT]
            made[place] = hashlib.sha256(part.view(np.uint8).data).hexdigest()

        each(digest, range(len(whole), len(made)))
        return tuple(made)

    def _empty(self, generation: Generation) -> Header:
        """Removes every file of the source, so that no byte of what was removed stays, and starts a new one."""
        self._path.unlink(missing_ok=True)
        for path in self._folder.glob(f"{self._name}-*"):
            path.unlink()
        name = f"{self._name}-{secrets.token_hex(8)}.codes"
        os.close(os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return Header(FORMAT, self._source.key, generation.lineage, 0, "", 0, name, ())

    def _grown(self, header: Header, generation: Generation) -> Header:
        """Writes the rows that are missing, then the header that counts them."""
        rows = header.rows
        with (self._folder / header.file).open("r+b") as stream:
            stream.seek(rows * self._source.record.itemsize)
            for added in self._source.added(header.sequence, generation.sequence):
                stream.write(added.tobytes())
                rows += len(added)
            stream.flush()
            os.fsync(stream.fileno())
        sequence = generation.sequence
        grown = replace(header, rows=rows, sequence=sequence, tail=self._tail(sequence))
        grown = replace(grown, digests=self._digests(grown, header.digests[: header.rows // SEGMENT]))
        self._commit(grown)
        return grown

    def _commit(self, header: Header) -> None:
        """Replaces the header whole: until then the old one counts, and after a crash too."""
        beside = self._folder / f"{self._name}-{secrets.token_hex(8)}.new"
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:  # noqa: PTH123
            json.dump(asdict(header), stream)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(self._path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # the renaming itself is kept
        finally:
            os.close(folder)
