"""What every detector, embedder and reporter must hold, as tests to inherit."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures

from moderator.contracts import Detector, Embedder, Reporter
from moderator.models import Finding, Reference, Verdict
from moderator.policy import Rule
from moderator.testing.fakes import FakeSearch
from moderator.testing.samples import image, report


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
