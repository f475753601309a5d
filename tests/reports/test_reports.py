"""The report formats: a schema for JSON, golden files for both, and nothing a stranger wrote gets through raw.

The golden files are written anew with MODERATOR_RENEW_GOLDEN=1; look at what changed before committing it.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from moderator.models import Finding, Image, Reference, Report, Unjudged
from moderator.reports.json import JsonReporter, document
from moderator.reports.terminal import ROWS, TerminalReporter
from moderator.testing import HOSTILE, ReporterContract, image, report, stored_image
from tests.conftest import ROOT

GOLDEN = Path(__file__).with_name("golden")
EMPTY = replace(report(), findings=(), rejected=(), skipped=(), faults=(), notes=(), judged=0)


class TestJson(ReporterContract):
    reporter = JsonReporter


class TestTerminal(ReporterContract):
    reporter = TerminalReporter


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("example", [report(), EMPTY], ids=["full", "empty"])
def test_a_json_report_holds_its_schema(example: Report, validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(json.loads(JsonReporter().render(example)))


@pytest.mark.parametrize("key", ["schema_version", "counts", "findings", "rejected"])
def test_the_schema_refuses_a_report_without_a_required_key(
    key: str, validator: jsonschema.Draft202012Validator
) -> None:
    broken: dict[str, Any] = dict(document(report()))
    del broken[key]
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(broken)


def test_found_is_the_sum_of_judged_rejected_and_skipped() -> None:
    counts = document(report())["counts"]
    assert counts["found"] == counts["judged"] + counts["rejected"] + counts["skipped"] == 5


@pytest.mark.parametrize(
    ("name", "text"),
    [("report.json", JsonReporter().render(report())), ("report.txt", TerminalReporter(width=100).render(report()))],
)
def test_a_report_is_what_it_was(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("MODERATOR_RENEW_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_a_hostile_name_is_kept_whole_in_json() -> None:
    names = [one["image"] for one in json.loads(JsonReporter().render(report()))["findings"]]
    assert HOSTILE in names


def test_a_reference_is_named_as_decide_takes_it_with_its_severity() -> None:
    banned = Reference("banned", 7, "logo.png", 2, severity="critical", set_label="banned pictures")
    text = TerminalReporter(width=160).render(_matching(banned))
    assert "banned#7, logo.png, banned pictures, critical severity" in text


def test_a_text_of_a_set_has_no_entry(validator: jsonschema.Draft202012Validator) -> None:
    found = document(_matching(Reference("banned", 1, "a photo of a gun", 0)))
    validator.validate(found)
    assert found["findings"][0]["match"]["entry"] is None


def _matching(reference: Reference) -> Report:
    return replace(report(), findings=(replace(report().findings[0], match=reference, group=None),))


def test_colour_is_used_only_when_asked_for() -> None:
    assert "\x1b[" not in TerminalReporter().render(report())
    assert "\x1b[" in TerminalReporter(colour=True).render(report())


def test_a_common_folder_is_told_once() -> None:
    def moved(one: Finding) -> Finding:
        match = one.match
        moved_match = replace(match, path=f"/srv/pictures/{match.path}") if isinstance(match, Image) else match
        return replace(one, image=replace(one.image, path=f"/srv/pictures/{one.image.path}"), match=moved_match)

    found = tuple(moved(one) for one in report().findings)
    lost = (Unjudged("/srv/pictures/broken.jpg", "empty", "the file is empty"),)
    text = TerminalReporter(width=120).render(replace(report(), findings=found, rejected=lost, skipped=()))
    assert text.count("/srv/pictures/") == 1
    assert "first.jpg" in text


@pytest.mark.parametrize("path", ["new.jpg", "uploads/new.jpg"])
def test_paths_from_the_current_folder_are_told_as_they_are(path: str) -> None:
    first = replace(report().findings[0], image=image(1, path), match=stored_image(2, "/srv/old.jpg"))
    text = TerminalReporter(width=120).render(replace(EMPTY, findings=(first,)))
    assert f"{path} matches /srv/old.jpg" in text
    assert "Paths are below" not in text


def test_a_match_of_an_earlier_scan_elsewhere_is_told_in_full() -> None:
    first = report().findings[0]
    here = image(1, "/srv/uploads/new.jpg")
    before = stored_image(2, "/srv/archive/old.jpg")
    text = TerminalReporter(width=120).render(replace(EMPTY, findings=(replace(first, image=here, match=before),)))
    assert "Paths are below /srv/uploads/; those of earlier scans are in full" in text
    assert text.count("/srv/uploads/") == 1
    assert "/srv/archive/old.jpg" in text


def test_rows_beyond_those_of_a_screen_are_counted() -> None:
    first = report().findings[0]
    many = tuple(replace(first, image=image(number, f"p{number}.jpg"), group=None) for number in range(ROWS + 7))
    text = TerminalReporter(width=120).render(replace(report(), findings=many))
    assert "… and 7 more" in text
    assert text.count("second.jpg") == ROWS


def test_a_rule_that_failed_is_never_said_to_have_found_nothing() -> None:
    text = TerminalReporter().render(report())
    assert "likeness: failed" in text
    assert "likeness: nothing found" not in text


def test_a_report_without_findings_says_so() -> None:
    assert "no findings" in TerminalReporter().render(replace(EMPTY, judged=3))
