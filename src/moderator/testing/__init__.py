"""For plugin authors: fakes that can be explained by eye, and contract tests to inherit.

    from moderator.testing import DetectorContract

    class TestMine(DetectorContract):
        detector = Mine

pytest collects the inherited tests. Nothing in moderator itself imports this module.
"""

from moderator.testing.contracts import DetectorContract, EmbedderContract, ReporterContract
from moderator.testing.fakes import FakeEmbedder, FakeEmbedderOptions, FakeSearch
from moderator.testing.samples import HOSTILE, image, report, stored_image

__all__ = [
    "HOSTILE",
    "DetectorContract",
    "EmbedderContract",
    "FakeEmbedder",
    "FakeEmbedderOptions",
    "FakeSearch",
    "ReporterContract",
    "image",
    "report",
    "stored_image",
]
