"""Pictures and a report to test with."""

from __future__ import annotations

from dataclasses import replace

from moderator.models import Evidence, Fault, Finding, Group, Image, Kind, Reference, Report, Unjudged, Verdict

HOSTILE = "\x1b[31mred\u202e[bold]name</script>\n\\xff=cmd|' /C calc'!A0.jpg"
"""A file name that tries a terminal, rich markup, HTML, a spreadsheet and text direction at once."""


def image(content: int, path: str = "", **metadata: str) -> Image:
    """Returns an image of this scan; contents of one number are identical files."""
    return Image(path or f"{content}.jpg", content, f"{content:064x}", 100, 100, 1000, metadata, since="2026-01-02")


def stored_image(content: int, path: str = "", **metadata: str) -> Image:
    """Returns an image of an earlier scan."""
    return replace(image(content, path, **metadata), scanned=False, since="2026-01-01")


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
