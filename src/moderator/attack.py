"""The use case: a policy is attacked with edited copies, and what it finds of each edit is counted.

Pictures become the known ones: entries of every set that a `prohibited` rule asks, and files that were there before.
The copies are then judged against them by the scan itself, between two folders, in a store that is removed afterwards.
So the policy's own store, folders, allowlists, texts and decisions have no part in it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image as Pictures

from moderator import references
from moderator.calibrate import DETECTORS, Share, wilson
from moderator.calibrate.similarities import same_by_hash
from moderator.contracts import Found, Progress
from moderator.edits import BATTERY, EDITS, Edit
from moderator.edits.copies import LARGEST, save_copies
from moderator.errors import ArgumentError, PluginError, did_you_mean
from moderator.ingest import Ingest, Ingested
from moderator.intake.decode import first_view
from moderator.intake.sniff import JUDGED, format_of, named_as_picture
from moderator.intake.walk import walk
from moderator.models import Finding, Kind, Report, Verdict
from moderator.policy import PROHIBITED, Limits, Policy
from moderator.registry import Registry
from moderator.scanning import Pictures as Wanted
from moderator.scanning import judge
from moderator.wording import counted

COPIES = (Kind.COPY, Kind.EDITED_COPY)
BACKGROUNDS = 3
"""Pictures beside those attacked with, which collages and backgrounds are made of."""
SET = "attacked"
"""The set that is asked where the policy names none."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How a policy is attacked.

    Attributes:
        folder: empty; where pictures, copies and the store are for a while.
        pictures: of how many pictures copies are made, at most.
        seed: chooses those, and drives the edits.
    """

    folder: Path
    pictures: int = 20
    seed: int = 0
    edits: Sequence[Edit] = BATTERY


@dataclass(frozen=True, slots=True)
class Attempt:
    """One edited copy, and what became of it.

    Attributes:
        picture: the name of its original.
        verdict: the severest of a rule that found the original as a copy; None where it was missed.
        rung: the signal of the strongest rung that did; empty where it was missed.
        alike: whether it was missed, but told as something that resembles the original.
        wrong: names of other pictures that it was called a copy of.
        unjudged: why it could not be judged, which counts as missed; empty where it was.
    """

    picture: str
    edit: Edit
    verdict: Verdict | None
    rung: str
    alike: bool
    wrong: Sequence[str] = ()
    unjudged: str = ""

    @property
    def found(self) -> bool:
        return self.verdict is not None


@dataclass(frozen=True, slots=True)
class Attack:
    """The outcome: every copy.

    Attributes:
        pictures: how many pictures copies were made of.
    """

    pictures: int
    attempts: Sequence[Attempt]
    notes: Sequence[str] = field(default_factory=tuple)

    def exit_code(self, least: float | None) -> int:
        """0, or 1 where fewer than the share `least` of the copies are found, 5 where some could not be judged."""
        if least is not None and not detected(self.attempts).value >= least:
            return 1
        return 5 if any(one.unjudged for one in self.attempts) else 0

    @property
    def by_edit(self) -> Mapping[Edit, Sequence[Attempt]]:
        """The attempts of each edit; the edit that is found least comes first."""
        edits = dict.fromkeys(one.edit for one in self.attempts)
        grouped = {edit: [one for one in self.attempts if one.edit == edit] for edit in edits}
        return dict(sorted(grouped.items(), key=lambda item: detected(item[1]).value))


def detected(attempts: Sequence[Attempt], confidence: float = 0.95) -> Share:
    """Returns the share of copies found, with Wilson's interval, which takes them as independent."""
    return wilson(np.array([one.found for one in attempts], dtype=np.bool_), confidence)


def chosen_edits(names: Sequence[str]) -> Sequence[Edit]:
    """Returns the edits of these names, or the whole battery. Raises: ArgumentError."""
    for name in names:
        if name not in EDITS:
            raise ArgumentError(f"no edit named `{name}`", hint=did_you_mean(name, list(EDITS)))
    return [edit for edit in BATTERY if edit.name in names] if names else BATTERY


def without(policy: Policy, embedders: Sequence[str]) -> tuple[Policy, Sequence[str]]:
    """Returns a policy less these embedders and the rules that ask them, and the names of those rules.

    Raises:
        ArgumentError: an embedder is none of the policy's, or no rule is left.
    """
    for name in embedders:
        policy.declared(name)
    left = [rule for rule in policy.rules if policy.embedder_of(rule) not in embedders]
    if not left:
        raise ArgumentError("without these embedders the policy has no rule")
    kept = {name: spec for name, spec in policy.embedders.items() if name not in embedders}
    out = [rule.id for rule in policy.rules if rule not in left]
    return policy.model_copy(update={"embedders": kept, "rules": left}), out


def attack(
    policy: Policy, registry: Registry, sources: Sequence[str], asked: Asked, progress: Progress | None = None
) -> Attack:
    """Judges edited copies of pictures by a policy.

    Raises:
        ArgumentError: a source is not there, no picture can be read, or no rule tells copies.
        ModelError: weights cannot be had.
        PluginError: a rule failed.
    """
    if not any(rule.detector in DETECTORS for rule in policy.rules):
        raise ArgumentError("the policy has no rule that tells copies from other pictures")
    embedders = registry.make_embedders(policy)
    progress = progress or Progress()
    attacked = _attacked(policy, asked.folder)
    names, aside = _choose(policy, sources, asked)
    with registry.open_store(attacked.store or "") as store:
        ingest = Ingest(store, list(embedders.values()), policy.limits, progress)
        known = ingest.run(walk([str(_originals(asked))]), "picture")
        if not known.judged:
            raise ArgumentError("none of the pictures can be read")
        for name in _sets(attacked):
            references.add(store, attacked, ingest, name, [str(_originals(asked))])
        # Read as any upload is, in a process of its own, before this one opens them.
        others = ingest.run(walk(aside), "picture").judged if aside else ()
    behind = (first_view(found.path, policy.limits, LARGEST) for found, _ in others)
    copies = _copies(known, asked, policy.limits, [one for one in behind if one is not None], progress)
    wanted = Wanted([], between=(str(_originals(asked)), str(_edited(asked))))
    report = judge(attacked, wanted, registry, progress, "attack")
    if report.faults:
        raise PluginError("; ".join(f"{one.where}: {one.message}" for one in report.faults))
    by_content = {content: names[found.path] for found, content in reversed(known.judged)}
    with registry.open_store(attacked.store or "") as store:
        pairs = [(one, other) for one in by_content for other in by_content if one < other]
        same = [pair for pair, is_same in zip(pairs, same_by_hash(store, pairs), strict=True) if is_same]
    attempts = list(_attempts(report, copies, by_content, _twins(by_content, same)))
    notes = [f"not in it, as they cannot be read: {counted(len(known.rejected), 'picture')}"] if known.rejected else []
    return Attack(len(by_content), attempts, (*notes, *report.notes))


def _attacked(policy: Policy, folder: Path) -> Policy:
    """The policy on a store of its own, with sets that hold nothing yet."""
    sets = {
        name: declared.model_copy(update={"folder": None, "prompts": ()})
        for name, declared in policy.reference_sets.items()
    }
    return policy.model_copy(update={"store": f"sqlite:///{folder / 'attack.db'}", "reference_sets": sets})


def _sets(policy: Policy) -> Sequence[str]:
    """The sets that prohibited rules ask, without allowlists."""
    rules = policy.rules_of(PROHIBITED)
    declared = [name for name, one in policy.reference_sets.items() if not one.allow]
    wanted = {name for rule in rules for name in (rule.sets or declared or [SET])}
    return sorted(wanted - {name for name, one in policy.reference_sets.items() if one.allow})


def _originals(asked: Asked) -> Path:
    return asked.folder / "pictures"


def _edited(asked: Asked) -> Path:
    return asked.folder / "copies"


def _choose(policy: Policy, sources: Sequence[str], asked: Asked) -> tuple[Mapping[str, str], Sequence[str]]:
    """Copies some pictures aside; returns their names by the new path, and a few other pictures for backgrounds."""
    walked = [item[0] for item in walk(sources, exclude=policy.exclude) if isinstance(item, tuple)]
    order = np.random.default_rng(asked.seed).permutation(len(walked)).tolist()
    pictures = (walked[place] for place in order if _promises_a_picture(walked[place].path))
    names = {}
    for number, found in enumerate(islice(pictures, asked.pictures)):
        target = _originals(asked) / f"{number:05}{Path(found.path).suffix}"
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(found.path, target)
        names[str(target)] = found.name
    if not names:
        raise ArgumentError("no pictures to attack with", hint="give files, or folders with pictures")
    _edited(asked).mkdir()
    return names, [found.path for found in islice(pictures, BACKGROUNDS)]


def _promises_a_picture(path: str) -> bool:
    """Whether a file begins as a picture or is named as one; what then cannot be read is told."""
    with suppress(OSError):
        return format_of(Path(path)) in JUDGED or named_as_picture(path)
    return False


def _copies(
    known: Ingested, asked: Asked, limits: Limits, others: Sequence[Pictures.Image], progress: Progress
) -> Mapping[str, tuple[int, Edit]]:
    """Writes the edited copies; returns the content of the original, and the edit, by path."""
    made: dict[str, tuple[int, Edit]] = {}
    originals: dict[int, Found] = {content: found for found, content in reversed(known.judged)}
    with progress.stage("Editing", len(originals)) as advance:
        for content, found in originals.items():
            if (picture := first_view(found.path, limits, LARGEST)) is not None:
                stem = _edited(asked) / str(content)
                for path, edit in save_copies(picture, stem, asked.edits, asked.seed, others):
                    made[str(path)] = (content, edit)
            advance(1)
    return made


def _twins(contents: Mapping[int, str], same: Sequence[tuple[int, int]]) -> Mapping[int, Set[int]]:
    """Each picture with those that are copies of it already, by a hash."""
    twins = {content: {content} for content in contents}
    for first, second in same:
        twins[first].add(second)
        twins[second].add(first)
    return twins


def _attempts(
    report: Report,
    copies: Mapping[str, tuple[int, Edit]],
    names: Mapping[int, str],
    twins: Mapping[int, Set[int]],
) -> Iterator[Attempt]:
    by_path: dict[str, list[Finding]] = {path: [] for path in copies}
    for finding in report.findings:
        if finding.image.file in by_path:
            by_path[finding.image.file].append(finding)
    unjudged = {one.path: one.reason or one.words for one in (*report.rejected, *report.skipped)}
    for path, (content, edit) in copies.items():
        if path in unjudged:
            yield Attempt(names[content], edit, None, "", alike=False, unjudged=unjudged[path])
        else:
            yield _attempt(by_path[path], names, twins[content], (names[content], edit))


def _attempt(
    findings: Sequence[Finding], names: Mapping[int, str], right: Set[int], of: tuple[str, Edit]
) -> Attempt:
    told = [one for one in findings if one.verdict.reaches(Verdict.REVIEW)]
    copies = [one for one in told if one.detector in DETECTORS and one.kind in COPIES]
    held = [one for one in copies if one.match.content in right]
    severest = max(held, key=lambda one: list(Verdict).index(one.verdict), default=None)
    wrong = sorted({names[one.match.content] for one in copies if one.match.content in names.keys() - right})
    alike = not held and any(one.match.content in right for one in told)
    return Attempt(
        *of,
        verdict=severest.verdict if severest else None,
        rung=severest.strongest.signal if severest else "",
        alike=alike,
        wrong=wrong,
    )
