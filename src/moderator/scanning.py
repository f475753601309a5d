"""The use case: a policy, a registry and some pictures become a report."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from moderator import asking, machine, references
from moderator.contracts import Embedder, Found, Progress, Store
from moderator.errors import ArgumentError
from moderator.ingest import Ingest, Ingested
from moderator.intake.pool import SpareWorkers
from moderator.intake.walk import walk
from moderator.ladder import StoredSearch
from moderator.models import Decision, Finding, Image, Report, Verdict
from moderator.paths import found_at, printable
from moderator.policy import DEFAULT_STORE, PROHIBITED, Limits, Policy
from moderator.registry import Registry
from moderator.runners.local import LocalRunner
from moderator.runners.runner import Runner
from moderator.search import near, prompts
from moderator.verification import Verifier, verifying
from moderator.wording import counted

MakeRunner = Callable[[Sequence[Embedder], Limits], Runner]


@dataclass(frozen=True, slots=True)
class Pictures:
    """What to scan.

    Attributes:
        sources: files, folders, glob patterns, manifests, or `-` for the paths in `listed`.
        listed: paths, as from standard input.
        metadata: columns by absolute path, joined to what is found; none: those of an earlier scan stay.
        between: two folders: only pairs across them are asked about, the first one's pictures as those that were there
            before. Reference sets are asked about the pictures of both.
    """

    sources: Sequence[str]
    listed: Iterable[str] = ()
    metadata: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    between: tuple[str, str] | None = None


def scan(
    policy: Policy,
    pictures: Pictures | Sequence[str],
    *,
    registry: Registry | None = None,
    progress: Progress | None = None,
    name: str = "policy",
    runner: MakeRunner | None = None,
) -> Report:
    """Judges pictures by a policy: reads what is new, asks every rule, and keeps the result in the policy's store.

    Args:
        name: what the report calls the policy.
        runner: makes what decodes and embeds: `RayRunner` for a cluster; None: `LocalRunner`.

    Raises:
        ArgumentError: a source is not there, or a table of metadata is of no picture. Nothing has been read then.
        ModelError: weights cannot be had. Nothing has been read then.
        StoreError: the store cannot be used; batches written before are kept.
    """
    registry = registry or Registry.discover()
    wanted = pictures if isinstance(pictures, Pictures) else Pictures(pictures)
    report = judge(policy, wanted, registry, progress or Progress(), name, runner)
    if more := registry.scan_finished(report):
        report = replace(report, faults=(*report.faults, *more))
    return report


def judge(
    policy: Policy,
    wanted: Pictures,
    registry: Registry,
    progress: Progress,
    name: str,
    runner: MakeRunner | None = None,
) -> Report:
    """Does what `scan` does, unknown to the plugins that wait for the end of a scan."""
    started, clock = datetime.now(UTC), time.monotonic()
    sources = _sources(wanted)
    walked = list(walk(sources, exclude=policy.exclude, metadata=wanted.metadata, listed=wanted.listed))
    _check_metadata(wanted.metadata, [item[0] for item in walked if isinstance(item, tuple)])
    embedders = registry.make_embedders(policy)
    asking.check_prompts(policy, embedders)
    spare = SpareWorkers()
    models = list(embedders.values())
    reader = runner(models, policy.limits) if runner else LocalRunner(models, policy.limits, spare)
    with (
        spare,
        registry.open_store(policy.store or f"sqlite:///{DEFAULT_STORE}") as store,
        verifying(store, policy, progress, spare) as verifier,
    ):
        near.check(store, policy.search)
        ingest = Ingest(store, models, policy.limits, progress, reader)
        unread, notes = _references(store, policy, ingest, embedders)
        outcome = ingest.run(walked, "picture", remember=not wanted.metadata)
        for embedder in embedders.values():
            embedder.release()
        machine.give_back_memory()
        gone = ingest.forget_missing(
            [source for source in sources if os.path.isdir(source)],  # noqa: PTH112
            [item[0] for item in walked if isinstance(item, tuple)],
        )
        notes += _nothing(outcome, sources)
        if gone:
            notes.append(f"{counted(gone, 'stored picture')} forgotten, gone from the disk")
        if wanted.metadata:
            notes += _without_row(outcome.judged)
        search = StoredSearch(store, policy, embedders, outcome.judged, verifier=verifier)
        pairs = search
        if wanted.between is not None:
            there, here = (_in(folder, outcome.judged) for folder in wanted.between)
            empty = [folder for folder, side in zip(wanted.between, (there, here), strict=True) if not side]
            notes += [f"{folder} holds no picture that could be judged, so no pair is looked for" for folder in empty]
            pairs = StoredSearch(store, policy, embedders, here, there, verifier)
        asked = [(rule, search if rule.detector == PROHIBITED else pairs) for rule in policy.rules]
        findings, faults = asking.ask(policy, registry, asked, progress)
        findings = _confirmed(findings, store.decisions(), search)
        notes += _left_out(findings, verifier, search.denied | pairs.denied)
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
            notes=(*notes, *dict.fromkeys((*search.notes, *pairs.notes))),
            models=tuple(f"{name}: {embedder.model}" for name, embedder in embedders.items()),
            rules=tuple(rule.id for rule in policy.rules),
            unread_references=unread,
        )
        store.record(report)
    return report


def _check_metadata(metadata: Mapping[str, Mapping[str, str]], found: Sequence[Found]) -> None:
    """Raises: ArgumentError for a table that leads to no file that was found, nor to any other: with its columns lost,
    pictures of two sellers would pass for one's own."""
    if not metadata or not found or any(one.path in metadata for one in found) or any(map(os.path.lexists, metadata)):
        return
    raise ArgumentError(
        f"no row of the table of metadata leads to a file; the first one names {printable(next(iter(metadata)))}",
        hint="paths in the table are relative to its own folder",
    )


def _nothing(outcome: Ingested, sources: Sequence[str]) -> Iterator[str]:
    """Says where nothing was judged, and what else may have been meant."""
    if not (outcome.judged or outcome.rejected):
        yield "no picture is in what was named: nothing was judged"
    elif "-" in sources and not outcome.judged and all(one.code == "missing" for one in outcome.rejected):
        yield (
            "no file of the list is there: paths are taken from the current folder; `git diff` writes them so with "
            "--relative, else from the top of the repository"
        )


def _without_row(judged: Sequence[tuple[Found, int]]) -> Iterator[str]:
    """Says how many pictures have no row in the table of metadata."""
    if lacking := sum(not found.metadata for found, _ in judged):
        number = "none" if lacking == len(judged) else f"{len(judged) - lacking:,}"
        yield (
            f"{number} of {counted(len(judged), 'picture')} in the table of metadata, whose paths are relative to its "
            "own folder: no rule knows the sku, seller and the like of the others"
        )


def _left_out(findings: Sequence[Finding], verifier: Verifier | None, denied: Set[frozenset[str]]) -> Iterator[str]:
    """Says what findings do not show: files that are gone, pairs that could not be verified, a reviewer's word."""
    if lost := _lost(findings):
        yield (
            f"{counted(lost, 'finding')} of stored pictures whose files are gone, as after a folder was moved; "
            "`moderator db purge --gone` forgets such pictures"
        )
    if verifier is not None and verifier.unverified:
        yield (
            f"{counted(verifier.unverified, 'candidate pair')} not verified, as a file is gone or unreadable and no "
            "local features of it are stored: hash and similarity alone decide; add such references again"
        )
    if denied:
        yield f"{counted(len(denied), 'pair')} left out, called no match by a reviewer"


def _references(
    store: Store, policy: Policy, ingest: Ingest, embedders: Mapping[str, Embedder]
) -> tuple[int, list[str]]:
    """Brings reference sets up to date; returns how many references no rule can use, and what to say of it."""
    rules = policy.rules_of(PROHIBITED)
    wanted = {name for rule in rules for name in (policy.sets_of(rule) or policy.reference_sets)}
    notes: list[str] = []
    unread = 0
    for name, mirrored in references.mirror(store, policy, ingest, sorted(wanted)).items():
        unread += len(mirrored.rejected)
        if mirrored.rejected:
            files, why = counted(len(mirrored.rejected), "file"), sorted({one.words for one in mirrored.rejected})
            notes.append(f"{files} of the reference set `{name}` cannot be read ({', '.join(why)})")
    asked = [references.Asked(embedders[policy.embedder_of(rule)], policy.sets_of(rule)) for rule in rules]
    if lacking := references.complete(store, policy, ingest, asked):
        unread += lacking
        notes.append(
            f"{counted(lacking, 'reference')} of another model, with no file to read anew: matched by hash alone until "
            "added again"
        )
    return unread, notes


def _sources(wanted: Pictures) -> Sequence[str]:
    """Raises: ArgumentError for two folders that are none, or not apart."""
    if wanted.between is None:
        return wanted.sources
    if wanted.sources:
        raise ArgumentError("name two folders to look between, or pictures, not both")
    for one in wanted.between:
        if not os.path.isdir(one):  # noqa: PTH112
            raise ArgumentError(f"no such folder: {one}", hint="--between takes two folders")
    first, second = (os.path.join(os.path.abspath(one), "") for one in wanted.between)  # noqa: PTH100, PTH118
    if first.startswith(second) or second.startswith(first):
        raise ArgumentError("of the two folders to look between, one lies in the other")
    return wanted.between


def _in(folder: str, judged: Sequence[tuple[Found, int]]) -> Sequence[tuple[Found, int]]:
    """Returns the pictures that lie in a folder."""
    start = os.path.join(os.path.abspath(folder), "")  # noqa: PTH100, PTH118
    return [pair for pair in judged if pair[0].path.startswith(start)]


def _confirmed(findings: Sequence[Finding], decisions: Sequence[Decision], search: StoredSearch) -> list[Finding]:
    """Says which findings a reviewer has called a match."""
    pairs = ((frozenset((one.sha256, one.match_sha256)), one) for one in decisions)
    confirmed = {pair: one for pair, one in pairs if one.verdict is not Verdict.ALLOW}
    told = []
    for finding in findings:
        word = confirmed.get(frozenset(_digests(finding, search))) if confirmed else None
        said = f"{finding.reason}; a match, says {word.owner}: {word.reason}" if word else finding.reason
        told.append(replace(finding, reason=said))
    return told


def _lost(findings: Sequence[Finding]) -> int:
    """Returns how many findings match a picture of an earlier scan whose file is gone."""
    matches = [one.match.file for one in findings if isinstance(one.match, Image) and not one.match.scanned]
    gone = {file for file in set(matches) if found_at(file) is None}
    return sum(file in gone for file in matches)


def _digests(finding: Finding, search: StoredSearch) -> Iterator[str]:
    yield finding.image.sha256
    match = finding.match
    if isinstance(match, Image):
        yield match.sha256
    else:
        yield search.sha256(match.content) if match.content else prompts.digest(match)
