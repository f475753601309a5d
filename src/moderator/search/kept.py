"""All pairs of a store's vectors or hashes, kept beside the local index until what they were found among changes.

Looking for them is most of a scan in which nothing is new. What is kept are candidates: which of them match is asked
anew in each scan, of the store's own vectors and hashes, and by the policy and the decisions of that day. A file says
what it was made from and what its bytes amount to; one that does not fit is not read. It goes with the index, before
references are removed.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from moderator.search import index
from moderator.search.exact import Hits

FORMAT = 1
"""Raised when pairs are looked for in another way."""
MOST = 4_000_000
"""Pairs that are kept, 80 MB; where there are more, looking for them is not what takes long."""
PAIR = np.dtype([("content", "<i8"), ("other", "<i8"), ("score", "<f4")])


@dataclass(frozen=True, slots=True)
class Question:
    """Which pairs.

    Attributes:
        source: what the index mirrors (`index.Source.key`).
        how: at which threshold and the like; of two with the same one, the later is kept.
        made_from: names everything that the answer goes by: where it differs, the answer is another one.
    """

    source: str
    how: str
    made_from: str


@dataclass(frozen=True, slots=True)
class _Header:
    format: int
    made_from: str
    told: str
    sha256: str


def read(url: str, asked: Question) -> tuple[Hits, str] | None:
    """Returns the pairs that are kept for the store at `url`, and what is to be said of them; None where none fit."""
    try:
        first, _, body = _path(url, asked).read_bytes().partition(b"\n")
        header = _Header(**json.loads(first))
    except (OSError, ValueError, TypeError):
        return None
    fits = (header.format, header.made_from) == (FORMAT, asked.made_from)
    if not fits or hashlib.sha256(body).hexdigest() != header.sha256:
        return None
    rows = np.frombuffer(body, PAIR)
    return Hits(*(np.ascontiguousarray(rows[name]) for name in ("content", "other", "score"))), header.told


def write(url: str, asked: Question, found: Hits, told: str = "") -> None:
    """Keeps pairs and what is to be said of them, where there is an index to keep them beside."""
    if len(found.contents) > MOST:
        return
    rows = np.empty(len(found.contents), PAIR)
    rows["content"], rows["other"], rows["score"] = found.contents, found.others, found.scores
    body = rows.tobytes()
    header = _Header(FORMAT, asked.made_from, told, hashlib.sha256(body).hexdigest())
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
