"""The use case: a policy, a registry and some pictures become a report."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from moderator import references
from moderator.contracts import Embedder, Progress, Store
from moderator.errors import ModeratorError
from moderator.ingest import Ingest
from moderator.intake.walk import walk
from moderator.ladder import PROHIBITED, StoredSearch
from moderator.models import Decision, Fault, Finding, Reference, Report, Verdict
from moderator.policy import DEFAULT_STORE, Policy, Rule
from moderator.registry import Registry, describe


@dataclass(frozen=True, slots=True)
class Pictures:
    """What to scan.

    Attributes:
        sources: files, folders, glob patterns, manifests, or `-` for the paths in `listed`.
        listed: paths, as from standard input.
        metadata: columns by absolute path, joined to what is found.
    """

    sources: Sequence[str]
    listed: Iterable[str] = ()
    metadata: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def scan(
    policy: Policy,
    pictures: Pictures | Sequence[str],
    *,
    registry: Registry | None = None,
    progress: Progress | None = None,
    name: str = "policy",
) -> Report:
    """Judges pictures by a policy: reads what is new, asks every rule, and keeps the result in the policy's store.

    Args:
        name: what the report calls the policy.

    Raises:
        ArgumentError: a source is not there. Nothing has been read then.
        ModelError: weights cannot be had. Nothing has been read then.
        StoreError: the store cannot be used; batches written before are kept.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    registry = registry or Registry.discover()
    progress = progress or Progress()
    wanted = pictures if isinstance(pictures, Pictures) else Pictures(pictures)
    walked = list(walk(wanted.sources, exclude=policy.exclude, metadata=wanted.metadata, listed=wanted.listed))
    embedders = registry.make_embedders(policy)
    with registry.open_store(policy.store or f"sqlite:///{DEFAULT_STORE}") as store:
        ingest = Ingest(store, list(embedders.values()), policy.limits, progress)
        unread, notes = _references(store, policy, ingest, embedders)
        outcome = ingest.run(walked, "picture")
        gone = ingest.forget_missing(
            [source for source in wanted.sources if os.path.isdir(source)],  # noqa: PTH112
            [item[0] for item in walked if isinstance(item, tuple)],
        )
        if gone:
            notes.append(f"{gone:,} stored picture(s) whose files are gone were forgotten")
        search = StoredSearch(store, policy, embedders, outcome.judged)
        findings, faults = _ask(policy, registry, search, progress)
        findings, settled = _unsettled(findings, store.decisions(), search)
        if settled:
            notes.append(f"{settled:,} finding(s) that a reviewer has allowed are left out")
        report = Report(
            policy=name,
            store=store.url,
            started=started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - clock, 3),
            judged=len(outcome.judged),
            embedded=outcome.embedded,
            unchanged=outcome.unchanged,
            findings=tuple(findings),
            rejected=tuple(outcome.rejected),
            skipped=tuple(outcome.skipped),
            faults=(*registry.faults, *faults),
            notes=(*notes, *search.notes),
            models=tuple(f"{name}: {embedder.model}" for name, embedder in embedders.items()),
            rules=tuple(rule.id for rule in policy.rules),
            unread_references=unread,
        )
        store.record(report)
    if more := registry.scan_finished(report):
        report = replace(report, faults=(*report.faults, *more))
    return report


def _references(
    store: Store, policy: Policy, ingest: Ingest, embedders: Mapping[str, Embedder]
) -> tuple[int, list[str]]:
    """Brings reference sets up to date; returns how many references no rule can use, and what to say of it."""
    rules = [rule for rule in policy.rules if rule.detector == PROHIBITED]
    wanted = {name for rule in rules for name in (rule.sets or policy.reference_sets)}
    notes: list[str] = []
    unread = 0
    for name, mirrored in references.mirror(store, policy, ingest, sorted(wanted)).items():
        unread += len(mirrored.rejected)
        if mirrored.rejected:
            codes = ", ".join(sorted({one.code for one in mirrored.rejected}))
            notes.append(f"{len(mirrored.rejected):,} file(s) of the reference set `{name}` cannot be read ({codes})")
    asked = [references.Asked(embedders[policy.embedder_of(rule)], rule.sets) for rule in rules]
    if lacking := references.complete(store, policy, ingest, asked):
        unread += lacking
        notes.append(
            f"{lacking:,} reference(s) were added under another model and their files are gone: they are matched by "
            "hash alone; add them again"
        )
    return unread, notes


def _ask(
    policy: Policy, registry: Registry, search: StoredSearch, progress: Progress
) -> tuple[list[Finding], list[Fault]]:
    """Asks every rule; one whose detector fails is a fault, and the others still answer."""
    findings: list[Finding] = []
    faults: list[Fault] = []
    with progress.stage("Asking the rules", len(policy.rules)) as advance:
        for rule in policy.rules:
            try:
                detector = registry.detectors[rule.detector](rule, policy.embedder_of(rule))
                for finding in detector.detect(search):
                    _check(finding, rule)
                    findings.append(finding)
            except ModeratorError:
                raise
            except Exception as error:
                plugin = registry.owner_of(rule.detector)
                faults.append(Fault(plugin.name, plugin.version, f"rule {rule.id}", describe(error)))
            advance(1)
    return findings, faults


def _check(finding: object, rule: Rule) -> None:
    """Refuses what a detector must not yield. Raises: TypeError, ValueError."""
    if not isinstance(finding, Finding):
        raise TypeError(f"a detector yields findings, not {type(finding).__name__}")
    if finding.rule != rule.id:
        raise ValueError(f"a finding of the rule `{finding.rule}` was yielded for `{rule.id}`")
    if not finding.evidence:
        raise ValueError("a finding without evidence")
    for rung in finding.evidence:
        if rung.score is not None and not math.isfinite(rung.score):
            raise ValueError(f"the score of `{rung.signal}` is not a number")


def _unsettled(
    findings: Sequence[Finding], decisions: Sequence[Decision], search: StoredSearch
) -> tuple[list[Finding], int]:
    """Leaves out the pairs that a reviewer has allowed."""
    allowed = {frozenset((one.sha256, one.match_sha256)) for one in decisions if one.verdict is Verdict.ALLOW}
    if not allowed:
        return list(findings), 0
    kept = [finding for finding in findings if frozenset(_digests(finding, search)) not in allowed]
    return kept, len(findings) - len(kept)


def _digests(finding: Finding, search: StoredSearch) -> Iterator[str]:
    yield finding.image.sha256
    match = finding.match
    yield search.sha256(match.content) if isinstance(match, Reference) else match.sha256

