"""For plugin authors: fakes that can be explained by eye, and contract tests to inherit.

    from moderator.testing import DetectorContract

    class TestMine(DetectorContract):
        detector = Mine

pytest collects the inherited tests. Nothing in moderator itself imports this module.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures
from PIL import ImageColor

from moderator.contracts import Detector, Embedder, Options, Reporter, Search
from moderator.models import (
    Evidence,
    Fault,
    Finding,
    Group,
    Image,
    Kind,
    Match,
    ModelId,
    Preprocessing,
    Reference,
    Report,
    Unjudged,
    Verdict,
)
from moderator.policy import EmbedderSpec, ReferenceSet, Rule
from moderator.vectors import Matrix, normalise

HOSTILE = "\x1b[31mred\u202e[bold]name</script>\n\\xff=cmd|' /C calc'!A0.jpg"
"""A file name that tries a terminal, rich markup, HTML, a spreadsheet and text direction at once."""


def image(content: int, path: str = "", **metadata: str) -> Image:
    """Returns an image of this scan; contents of one number are identical files."""
    return Image(path or f"{content}.jpg", content, f"{content:064x}", 100, 100, 1000, metadata, since="2026-01-02")


def stored_image(content: int, path: str = "", **metadata: str) -> Image:
    """Returns an image of an earlier scan."""
    return replace(image(content, path, **metadata), scanned=False, since="2026-01-01")


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


class DetectorContract:
    """What every detector must hold. Set `detector`, and `options` where it cannot do without."""

    detector: ClassVar[type[Detector]]
    options: ClassVar[Mapping[str, Any]] = {}

    def make(self, threshold: float = 0.5) -> Detector:
        rule = Rule(
            id="the-rule",
            detector=self.detector.name,
            threshold=threshold,
            verdict=Verdict.REVIEW,
            options=dict(self.options),
        )
        return self.detector(rule, "fake")

    def test_its_name_can_stand_in_a_policy(self) -> None:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", self.detector.name)

    def test_without_pictures_it_finds_nothing(self) -> None:
        assert list(self.make().detect(FakeSearch([], {}))) == []

    def test_its_findings_are_of_its_rule_on_pictures_of_this_scan_with_evidence(self) -> None:
        stored = replace(image(4, "stored.jpg"), scanned=False)
        pictures = [image(1, seller="one"), image(2, seller="two"), image(3, seller="three"), stored]
        references = [Reference("banned", 1, "", 5)]
        scores = {(1, 2): 0.95, (2, 3): 0.7, (1, 4): 0.92, (3, 5): 0.8}
        for finding in self.make().detect(FakeSearch(pictures, scores, references)):
            assert isinstance(finding, Finding)
            assert (finding.rule, finding.detector, finding.verdict) == (
                "the-rule",
                self.detector.name,
                Verdict.REVIEW,
            )
            assert finding.image.scanned
            assert finding.reason
            assert finding.evidence
            assert all(rung.score is None or math.isfinite(rung.score) for rung in finding.evidence)


class EmbedderContract:
    """What every embedder must hold. Override `make`."""

    def make(self) -> Embedder:
        raise NotImplementedError

    def pictures(self, embedder: Embedder, count: int = 5) -> list[npt.NDArray[np.uint8]]:
        """Returns pictures of seeded noise at the embedder's size."""
        size = embedder.preprocessing
        random = np.random.default_rng(7)
        small = random.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
        return [np.asarray(Pictures.fromarray(one).resize((size.width, size.height))) for one in small]

    def test_vectors_are_float32_of_length_one_and_of_the_declared_dimension(self) -> None:
        embedder = self.make()
        matrix = embedder.embed(self.pictures(embedder))
        assert matrix.dtype == np.float32
        assert matrix.shape == (5, embedder.model.dimension)
        assert np.allclose(np.linalg.norm(matrix, axis=1), 1.0, atol=1e-5)

    def test_a_vector_does_not_depend_on_its_batch(self) -> None:
        embedder = self.make()
        pictures = self.pictures(embedder)
        alone = np.concatenate([embedder.embed([picture]) for picture in pictures])
        assert np.allclose(embedder.embed(pictures), alone, atol=1e-4)

    def test_different_pictures_have_different_vectors(self) -> None:
        embedder = self.make()
        matrix = embedder.embed(self.pictures(embedder, 2))
        assert not np.allclose(matrix[0], matrix[1], atol=1e-4)

    def test_the_model_id_stays_the_same(self) -> None:
        assert self.make().model == self.make().model


class ReporterContract:
    """What every reporter must hold. Set `reporter`; `escapes` is False for a format that keeps names as they are."""

    reporter: ClassVar[type[Reporter]]

    def test_it_renders_a_report_with_a_hostile_name_on_one_page_without_control_characters(self) -> None:
        text = self.reporter().render(report())
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)

    def test_it_tells_every_finding_and_every_picture_not_judged(self) -> None:
        text = self.reporter(width=400).render(report())
        for name in ("first.jpg", "second.jpg", "broken.jpg", "notes.txt"):
            assert name in text

    def test_it_tells_a_plugin_that_failed(self) -> None:
        assert "flaky" in self.reporter(width=400).render(report())

    def test_it_can_be_written_as_utf_8(self) -> None:
        io.BytesIO().write(self.reporter().render(report()).encode("utf-8"))


def report() -> Report:
    """Returns a report with one of everything: findings on pictures and references, a group, a fault, a note."""
    rung = Evidence("fake", Kind.EDITED_COPY, 0.91, 0.6)
    first, second, hostile = image(1, "first.jpg"), image(2, "second.jpg"), image(3, HOSTILE)
    group = Group("0123456789ab", 3, 0.72)
    findings = (
        Finding("copies", "duplicates", Verdict.REVIEW, first, second, (rung,), rung.words, group),
        Finding("copies", "duplicates", Verdict.REVIEW, hostile, second, (rung,), rung.words, group),
        Finding("banned", "prohibited", Verdict.BLOCK, second, Reference("set", 7, "", 9), (rung,), rung.words),
    )
    return Report(
        policy="policy.yaml",
        store="sqlite:///moderator.db",
        started="2026-01-02T03:04:05+00:00",
        seconds=1.5,
        judged=3,
        embedded=2,
        unchanged=1,
        findings=findings,
        rejected=(Unjudged("broken.jpg", "undecodable", "cannot be decoded as JPEG"),),
        skipped=(Unjudged("notes.txt", "not_an_image", "its content is no picture"),),
        faults=(Fault("flaky", "2.1", "rule likeness", "ValueError: no luck"),),
        notes=("a note",),
        models=("fake: fake@1/fp32/squash-32x32-bilinear-2/13",),
        rules=("copies", "banned", "likeness"),
    )
