"""The report as JSON; its schema is docs/report.schema.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from moderator.contracts import Reporter
from moderator.models import Evidence, Fault, Finding, Group, Image, Reference, Region, Report, Unjudged

SCHEMA_VERSION = 1
"""Raised when a reader of the old document could misread the new one."""


class JsonReporter(Reporter):
    """Writes one JSON document."""

    name = "json"
    summary = "one JSON document, for programs"

    def render(self, report: Report) -> str:
        return json.dumps(document(report), indent=2) + "\n"  # ASCII: no name can turn the text around


def document(report: Report) -> Mapping[str, Any]:
    """Returns the report as plain values."""
    return {
        "schema_version": SCHEMA_VERSION,
        "policy": report.policy,
        "store": report.store,
        "started": report.started,
        "seconds": report.seconds,
        "models": list(report.models),
        "rules": list(report.rules),
        "counts": {
            "found": report.found,
            "judged": report.judged,
            "rejected": len(report.rejected),
            "skipped": len(report.skipped),
            "embedded": report.embedded,
            "unchanged": report.unchanged,
            "findings": len(report.findings),
            "unread_references": report.unread_references,
        },
        "findings": [_finding(finding) for finding in report.findings],
        "rejected": _unjudged(report.rejected),
        "skipped": _unjudged(report.skipped),
        "faults": [_fault(fault) for fault in report.faults],
        "notes": list(report.notes),
    }


def _finding(finding: Finding) -> Mapping[str, Any]:
    strongest, group = finding.strongest, finding.group
    return {
        "rule": finding.rule,
        "detector": finding.detector,
        "verdict": finding.verdict.value,
        "kind": finding.kind.value,
        "image": finding.image.path,
        "image_sha256": finding.image.sha256,
        "match": _match(finding.match),
        "signal": strongest.signal,
        "score": _score(strongest),
        "threshold": round(strongest.threshold, 6),
        "reason": finding.reason,
        "evidence": [rung_document(rung) for rung in finding.evidence],
        "group": _group(group) if group else None,
    }


def _group(group: Group) -> Mapping[str, Any]:
    keeper = group.keeper.path if group.keeper else None
    return {"id": group.id, "size": group.size, "smallest": round(group.smallest, 6), "keeper": keeper}


def rung_document(rung: Evidence) -> Mapping[str, Any]:
    """Returns one rung of evidence as plain values."""
    return {
        "signal": rung.signal,
        "kind": rung.kind.value,
        "score": _score(rung),
        "threshold": round(rung.threshold, 6),
        "holds": rung.holds,
        "note": rung.note,
        "region": _region(rung.region) if rung.region else None,
        "misfit": rung.misfit,
    }


def _region(region: Region) -> Mapping[str, Any]:
    return {
        "image": [list(corner) for corner in region.image],
        "match": [list(corner) for corner in region.match],
        "image_coverage": region.image_coverage,
        "match_coverage": region.match_coverage,
        "mirrored": region.mirrored,
    }


def _match(match: Image | Reference) -> Mapping[str, Any]:
    if isinstance(match, Reference):
        return {
            "type": "reference",
            "set": match.set,
            "set_label": match.set_label,
            "entry": match.entry if match.content else None,
            "label": match.label,
            "severity": match.severity,
        }
    return {"type": "image", "path": match.path, "sha256": match.sha256}


def _score(rung: Evidence) -> float | None:
    return None if rung.score is None else round(rung.score, 6)


def _unjudged(paths: Sequence[Unjudged]) -> list[Mapping[str, str]]:
    return [{"path": one.path, "code": one.code, "reason": one.reason} for one in paths]


def _fault(fault: Fault) -> Mapping[str, str]:
    return {"plugin": fault.plugin, "version": fault.version, "where": fault.where, "message": fault.message}
