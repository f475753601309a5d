"""Texts as soft references: which pictures a text fits, by a model that embeds both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from moderator.contracts import Embedder, VectorBlock
from moderator.models import Reference
from moderator.policy import ReferenceSet
from moderator.search import exact


def prompts_of(sets: Mapping[str, ReferenceSet]) -> list[Reference]:
    """Returns the prompts of these sets as references without a picture, numbered within each set."""
    return [
        Reference(name, number, text, 0, declared.severity, declared.label)
        for name, declared in sets.items()
        for number, text in enumerate(declared.prompts, 1)
    ]


def digest(prompt: Reference) -> str:
    """Returns what stands for a prompt where pictures are told by their SHA-256: that of its set and text."""
    return hashlib.sha256(f"{prompt.set}#{prompt.label}".encode()).hexdigest()


def described(
    embedder: Embedder, pictures: Iterable[VectorBlock], prompts: Sequence[Reference], threshold: float
) -> Iterator[tuple[int, Reference, float]]:
    """Yields (content, prompt, cosine) of each picture and text at or above `threshold`; nothing without text tower."""
    if not prompts or not embedder.reads_text:
        return
    texts = embedder.embed_text([prompt.label for prompt in prompts])
    block = VectorBlock(np.arange(len(prompts), dtype=np.int64), ("text",) * len(prompts), texts)
    for hits in exact.above(pictures, lambda: [block], threshold, len(prompts)):
        for content, place, score in zip(hits.contents, hits.others, hits.scores, strict=True):
            yield int(content), prompts[place], max(float(score), threshold)
