"""An embedder and a search whose answers can be explained by eye."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import ImageColor

from moderator.contracts import Embedder, Options, Search
from moderator.models import Evidence, Image, Kind, Match, ModelId, Preprocessing, Reference
from moderator.policy import EmbedderSpec, ReferenceSet
from moderator.vectors import Matrix, normalise


class FakeEmbedderOptions(Options):
    """Options of `type: fake`."""

    finds_copies: bool = True
    """Whether it passes for a copy-detection model."""


class FakeEmbedder(Embedder):
    """Embeds a picture as the colours of its four quarters: pictures alike in colour are alike.

    Colours run from -1 (0) to 1 (255), so that black and white are opposites. Text is the name of a colour.
    """

    name = "fake"
    summary = "the colours of the four quarters, for tests"
    options_model = FakeEmbedderOptions
    embedded = 0
    """How many pictures this process has embedded with it."""

    def __init__(self, spec: EmbedderSpec) -> None:
        super().__init__(spec)
        self.finds_copies = self.options.finds_copies
        self.reads_text = True

    @property
    def model(self) -> ModelId:
        return ModelId(self.spec.model, self.spec.revision or "1", self.spec.precision, self.preprocessing.version, 13)

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(32, 32)

    def embed(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Matrix:
        type(self).embedded += len(pictures)
        quarters = np.stack(pictures).astype(np.float64).reshape(-1, 2, 16, 2, 16, 3).mean(axis=(2, 4)).reshape(-1, 12)
        # The thirteenth number keeps a mid-grey picture from having no direction.
        return normalise(np.hstack([quarters / 127.5 - 1.0, np.full((len(quarters), 1), 0.1)]))

    def embed_text(self, texts: Sequence[str]) -> Matrix:
        plain = [np.full((32, 32, 3), ImageColor.getrgb(text)[:3], dtype=np.uint8) for text in texts]
        return self.embed(plain)


class FakeSearch(Search):
    """Answers a detector from a table of similarities.

    Args:
        images: the images of this scan.
        scores: cosine similarity of pairs of contents; 0 for those not named.
        references: entries of reference sets; their contents appear in `scores`. One with the content 0 is a prompt,
            which stands in `scores` as minus its entry.
        copy_threshold: from which similarity on `alike` leaves a pair to the duplicates.
    """

    def __init__(
        self,
        images: Sequence[Image],
        scores: Mapping[tuple[int, int], float],
        references: Sequence[Reference] = (),
        copy_threshold: float = 0.9,
    ) -> None:
        self._images = images
        self._scores = {frozenset(pair): score for pair, score in scores.items()}
        self._references = references
        self._copy_threshold = copy_threshold
        self.notes: list[str] = []

    @property
    def subjects(self) -> Sequence[int]:
        return list(dict.fromkeys(one.content for one in self._images if one.scanned))

    def images(self, content: int) -> Sequence[Image]:
        found = [one for one in self._images if one.content == content]
        return sorted(found, key=lambda one: (not one.scanned, one.path))

    def _match(self, first: int, second: int, embedder: str, threshold: float, kind: Kind) -> Match | None:
        score = 1.0 if first == second else self._scores.get(frozenset((first, second)), 0.0)
        evidence = Evidence(embedder, kind, score, threshold)
        return Match(first, second, (evidence,)) if evidence.holds else None

    def copies(self, embedder: str, threshold: float) -> Iterable[Match]:
        everything = sorted({one.content for one in self._images})
        for first in self.subjects:
            for second in everything:
                if first < second or (second not in self.subjects and first != second):
                    match = self._match(first, second, embedder, threshold, Kind.EDITED_COPY)
                    if match is not None:
                        yield match

    def weighed(self, embedder: str, threshold: float, pairs: Sequence[tuple[int, int]]) -> Iterable[Match]:
        for first, second in pairs:
            match = self._match(first, second, embedder, threshold, Kind.EDITED_COPY)
            if match is not None:
                yield match

    def alike(
        self, embedder: str, threshold: float, top: int, asked: Callable[[int, int], float | None]
    ) -> Iterable[Match]:
        kept: dict[int, int] = {}
        for match in sorted(self.copies(embedder, threshold), key=lambda one: -one.score):
            pair = match.content, match.other
            least = asked(*pair)
            told = least is not None and least <= match.score < self._copy_threshold
            if told and min(kept.get(one, 0) for one in pair) < top:
                kept.update({one: kept.get(one, 0) + 1 for one in pair})
                rung = replace(match.evidence[0], kind=Kind.LOOKALIKE, threshold=least or 0.0)
                yield replace(match, evidence=(rung,))

    @property
    def reference_sets(self) -> Mapping[str, ReferenceSet]:
        return {one.set: ReferenceSet(allow=one.allow) for one in self._references}

    def prohibited(
        self, embedder: str, threshold: float, sets: Sequence[str], copies_only: bool | None = None
    ) -> Iterable[tuple[Match, Sequence[Reference]]]:
        for content in self.subjects:
            for reference in self._references:
                match = self._match(content, reference.content, embedder, threshold, Kind.EDITED_COPY)
                if match is not None and match.refuted and copies_only:
                    continue
                if match is not None and reference.content and (not sets or reference.set in sets):
                    yield match, [reference]

    def described(
        self, embedder: str, threshold: float, sets: Sequence[str]
    ) -> Iterable[tuple[int, Reference, tuple[Evidence, ...]]]:
        for content in self.subjects:
            for prompt in self._references:
                score = self._scores.get(frozenset((content, -prompt.entry)), 0.0)
                if prompt.content == 0 and prompt.set in sets and score >= threshold:
                    yield content, prompt, (Evidence(embedder, Kind.LOOKALIKE, score, threshold),)

    def similarity(self, embedder: str, contents: Sequence[int]) -> Matrix:  # noqa: ARG002 - one table for all
        pairs = [[self._scores.get(frozenset((a, b)), 0.0) if a != b else 1.0 for b in contents] for a in contents]
        return np.array(pairs, dtype=np.float32).reshape(len(contents), len(contents))

    def note(self, text: str) -> None:
        self.notes.append(text)
