"""Pictures and their vectors for other programs: a script that a database's own client loads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version

from moderator.contracts import Found, Store
from moderator.models import ModelId
from moderator.stores.script import Row, script

SOME = 10_000
"""Contents whose vectors are asked for at once."""


def sql(store: Store, model: ModelId, pictures: Sequence[tuple[Found, int]], dialect: str) -> Iterator[str]:
    """Yields the parts of a script that fills the table `image_embeddings` with every view of these pictures.

    Args:
        pictures: files with the store's content ids, as `Ingest.run` accounts for them.
    """
    about = (
        f"moderator {version('moderator')}: {len(pictures):,} pictures, for {dialect}.",
        f"Vectors of {model}, of length 1; one row a view, so an animated picture has several.",
        "Loading it a second time adds the rows a second time.",
    )
    yield from script(_rows(store, model, pictures), dialect, model.dimension, about)


def _rows(store: Store, model: ModelId, pictures: Sequence[tuple[Found, int]]) -> Iterator[Row]:
    names: dict[int, list[str]] = {}
    for found, content in pictures:
        names.setdefault(content, []).append(found.name)
    contents = list(names)
    for start in range(0, len(contents), SOME):
        for block in store.vectors(model, "images", contents[start : start + SOME]):
            for content, vector in zip(block.contents.tolist(), block.matrix, strict=True):
                for name in names[content]:
                    yield name, vector
