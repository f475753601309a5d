"""The embedding stage: decoded pictures become vectors, each content once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from moderator.contracts import Embedder, Vectors
from moderator.errors import VectorError
from moderator.intake.decode import Decoded
from moderator.runners.runner import Embedded, Wanted
from moderator.vectors import Matrix


def embed_wanted(embedders: Sequence[Embedder], decoded: Sequence[Decoded], wanted: Wanted) -> Embedded:
    """Embeds the contents that lack a vector. Raises: ModelError."""
    views = {one.fingerprint.sha256: one.views for one in decoded}
    made: dict[bytes, list[Vectors]] = {}
    refused: dict[bytes, VectorError] = {}
    for position, (embedder, digests) in enumerate(zip(embedders, wanted, strict=True)):
        pictures = {
            digest: [(view.label, pixels) for view in views[digest] if (pixels := view.prepared[position]).size]
            for digest in views
            if digest in digests
        }
        for digest, result in embed_each(embedder, pictures):
            if isinstance(result, VectorError):
                refused[digest] = result
            else:
                made.setdefault(digest, []).append(result)
    return {**made, **refused}


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
