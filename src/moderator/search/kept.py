"""All pairs of a store's vectors or hashes, kept beside the local index while the rows that they are of are there.

Looking for them is most of a scan in which little is new; of new rows alone it is asked which pairs they are in. What
is kept are candidates: which of them match is asked anew in each scan, of the store's own vectors and hashes, and by
the policy and the decisions of that day. A file says what it was made from and what its bytes amount to; one that does
not fit is not read. It goes with the index, before references are removed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from moderator.search import index
from moderator.search.exact import Hits

FORMAT = 2
"""Raised when pairs are looked for in another way."""
MOST = 4_000_000
"""Pairs that are kept, 80 MB; where there are more, looking for them is not what takes long."""
NEW = 0.02
"""Where a larger part of the rows is new, all pairs are looked for anew: by clusters that takes as long."""
PAIR = np.dtype([("content", "<i8"), ("other", "<i8"), ("score", "<f4")])


@dataclass(frozen=True, slots=True)
class Question:
    """Which pairs.

    Attributes:
        source: what the index mirrors (`index.Source.key`).
        how: at which threshold and the like; of two with the same one, the later is kept.
        rows: among how many rows of the index, to which rows are only added.
        version: names the first so many of them: where it differs, the answer is another one.
    """

    source: str
    how: str
    rows: int
    version: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer.

    Attributes:
        hits: the pairs.
        rows: among how many of the rows that there are now they are all pairs.
        told: what is to be said of them.
        among: which of those rows they were looked for among, in the asker's own form.
    """

    hits: Hits
    rows: int
    told: str = ""
    among: bytes = b""


@dataclass(frozen=True, slots=True)
class _Header:
    format: int
    made_from: str
    rows: int
    among: int
    told: str
    sha256: str


def read(url: str, asked: Question) -> Kept | None:
    """Returns the pairs that are kept for the store at `url`; None where none fit, or most rows are new."""
    try:
        first, _, body = _path(url, asked).read_bytes().partition(b"\n")
        header = _Header(**json.loads(first))
        few = 0 <= asked.rows - header.rows <= NEW * asked.rows
    except (OSError, ValueError, TypeError):
        return None
    if header.format != FORMAT or hashlib.sha256(body).hexdigest() != header.sha256:
        return None
    if not few or asked.version(header.rows) != header.made_from:
        return None
    pairs = np.frombuffer(body, PAIR, offset=header.among)
    hits = Hits(*(np.ascontiguousarray(pairs[name]) for name in ("content", "other", "score")))
    return Kept(hits, header.rows, header.told, body[: header.among])


def write(url: str, asked: Question, found: Hits, told: str = "", among: bytes = b"") -> None:
    """Keeps all pairs among the rows that are asked about, where there is an index to keep them beside."""
    if len(found.contents) > MOST:
        return
    rows = np.empty(len(found.contents), PAIR)
    rows["content"], rows["other"], rows["score"] = found.contents, found.others, found.scores
    body = among + rows.tobytes()
    digest = hashlib.sha256(body).hexdigest()
    header = _Header(FORMAT, asked.version(asked.rows), asked.rows, len(among), told, digest)
    path = _path(url, asked)
    beside = path.with_suffix(f".{os.getpid()}.new")
    try:
        with index.locked(path.parent):
            if not path.with_name(f"{index.name_of(asked.source)}.json").exists():
                return  # it was removed meanwhile, and so must be what was made of it
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:  # noqa: PTH123
                stream.write(json.dumps(asdict(header)).encode() + b"\n" + body)
            beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)  # they are looked for again, no more


def _path(url: str, asked: Question) -> Path:
    how = hashlib.sha256(asked.how.encode()).hexdigest()[:16]
    return index.folder_of(url) / f"{index.name_of(asked.source)}-{how}.pairs"
