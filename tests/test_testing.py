"""The contracts that plugin authors inherit: the fakes hold them, and what breaks one is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from moderator import Detector, Embedder, Finding, Report, Reporter, Search
from moderator.policy import EmbedderSpec
from moderator.testing import DetectorContract, EmbedderContract, FakeEmbedder, ReporterContract
from moderator.vectors import Matrix


class TestFakeEmbedder(EmbedderContract):
    def make(self) -> Embedder:
        return FakeEmbedder(EmbedderSpec(type="fake", model="quarters"))


class Unscanned(Detector):
    name = "unscanned"

    def detect(self, search: Search) -> Iterable[Finding]:
        for match in search.copies(self.embedder, self.rule.threshold):
            stored = replace(search.images(match.content)[0], scanned=False)
            yield self.finding(stored, search.images(match.other)[0], match.evidence, "a reason")


class Raw(Reporter):
    name = "raw"

    def render(self, report: Report) -> str:
        return "\n".join(finding.image.path for finding in report.findings)


class Long(FakeEmbedder):
    def embed(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Matrix:
        return super().embed(pictures) * np.float32(10)


def test_a_detector_that_reports_pictures_of_another_scan_breaks_the_contract() -> None:
    class Contract(DetectorContract):
        detector = Unscanned

    with pytest.raises(AssertionError):
        Contract().test_its_findings_are_of_its_rule_on_pictures_of_this_scan_with_evidence()


def test_a_reporter_that_passes_names_on_raw_breaks_the_contract() -> None:
    class Contract(ReporterContract):
        reporter = Raw

    with pytest.raises(AssertionError):
        Contract().test_it_renders_a_report_with_a_hostile_name_on_one_page_without_control_characters()
    with pytest.raises(AssertionError):
        Contract().test_it_tells_a_plugin_that_failed()


def test_an_embedder_that_does_not_normalise_breaks_the_contract() -> None:
    class Contract(EmbedderContract):
        def make(self) -> Embedder:
            return Long(EmbedderSpec(type="fake", model="quarters"))

    with pytest.raises(AssertionError):
        Contract().test_vectors_are_float32_of_length_one_and_of_the_declared_dimension()
