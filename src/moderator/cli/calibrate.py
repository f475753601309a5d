"""`moderator calibrate`: thresholds from the user's own pictures, for a rate of false matches."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli import output, screen
from moderator.cli.options import (
    ConfidenceOption,
    DrawingOption,
    FiguresOption,
    PolicyOption,
    StoreOption,
    find_policy,
    session,
    wanted_pictures,
)
from moderator.errors import ArgumentError
from moderator.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moderator.calibrate.labels import Labelled
    from moderator.calibrate.variants import Columns
    from moderator.contracts import Store
    from moderator.document import Place
    from moderator.policy import Policy


def calibrate(
    pictures: Annotated[
        list[str] | None, typer.Argument(metavar="PICTURES", help="Your own pictures; they need no labels.")
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Labelled pairs instead: columns first, second, same.")
    ] = None,
    same: Annotated[Path | None, typer.Option(metavar="CSV", help="Pairs that are a match: first, second.")] = None,
    different: Annotated[Path | None, typer.Option(metavar="CSV", help="Pairs that are none: first, second.")] = None,
    reviewed: Annotated[
        bool, typer.Option("--decided", help="What reviewers have said as labelled pairs (`moderator decide`).")
    ] = False,
    metadata: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV", help="A table, as for `scan`: one item in two colours is no copy; else as scans joined it."
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=1e-12, max=0.5, help="False matches among comparisons of two different pictures.")
    ] = 1e-6,
    confidence: ConfidenceOption = 0.95,
    cautious: Annotated[
        bool,
        typer.Option(
            "--cautious/--point",
            help="Take the upper end of the interval, at which the rate holds with that confidence, or the estimate.",
        ),
    ] = True,
    rule: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Calibrate this rule; else all that tell copies.")
    ] = None,
    copies: Annotated[int, typer.Option(min=1, help="Of how many pictures edited copies are made.")] = 60,
    seed: Annotated[int, typer.Option(help="Chooses those pictures and drives the edits.")] = 0,
    write: Annotated[bool, typer.Option("--write", help="Put the thresholds into the policy file.")] = False,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the changed policy here.")
    ] = None,
    as_json: FiguresOption = None,
    svg: DrawingOption = None,
    policy: PolicyOption = None,
    store: StoreOption = None,
) -> None:
    """Find thresholds for a rate of false matches.

    They come with intervals, from your own pictures. Copies are made of some of them by the edit battery; each two
    pictures are taken for different, unless a hash, verification or a reviewer (`moderator decide --match`) says that
    they are copies; those are named. One item in two colours, by the metadata, is no copy: verification must tell the
    two apart, and similarities, which see no colour, are not asked. Where the policy verifies, the probability it asks
    is what decides, and is calibrated too. A rate that the pictures cannot support is refused. Nothing is stored, and
    the policy is changed only with --write or --output; its comments stay.

    Exit codes: 0 every number found, 2 your input, or a number was refused (the others are written), 3 environment.
    """
    from moderator.calibrate import Wanted, calibrate, changes, chosen_rules, labels
    from moderator.calibrate.sources import Asked, decided, measure
    from moderator.cli import calibration as shown
    from moderator.cli.progress import progress

    chosen = session(policy, store)
    path, _ = find_policy(policy)
    target = _target(path, out, write=write)
    for file in (target, as_json, svg):
        if file is not None:
            output.check_writable(file)
    wanted = Wanted(rate, confidence, cautious, tuple(rule or ()), seed)
    only = chosen.policy.model_copy(update={"rules": chosen_rules(chosen.policy, wanted.rules)})
    with chosen.store_or_none() if store is None else chosen.known_store() as opened:
        said = decided(opened)
        words, gone = labels.reviewed(opened, chosen.policy) if reviewed else ([], 0)
        table = _metadata(opened, chosen.policy, pictures or [], metadata)
    if reviewed and not (words or pairs or same or different):
        less = f": the files of {gone:,} are gone or have changed" if gone else ""
        raise ArgumentError(
            f"there is no decision to calibrate on{less}",
            hint="`moderator decide` keeps what a reviewer says of two pictures",
        )
    sources = _sources(pictures, pairs, same, different, words)
    with tempfile.TemporaryDirectory(prefix="moderator-") as folder:
        asked = Asked(Path(folder), copies, seed, said, table)
        measured = measure(only, chosen.registry, sources, asked, progress())
    found = calibrate(chosen.policy, measured.by_signal, wanted)
    changed, notes = changes(chosen.policy, found)
    if gone:
        notes.append(f"{counted(gone, 'decision')} left out: a file is gone or has changed")
    if changed and target is None:
        notes.append("nothing is written without --write or --output FILE")
    screen.console().print(shown.renderable(found, measured, notes))
    if as_json is not None:
        output.write(as_json, shown.document(found, measured, notes))
    if svg is not None:
        output.write(svg, shown.drawing(found, measured, notes))
    if target is not None:  # at last, as what was measured must not be lost where the document cannot be changed
        _write(path, target, changed)
    raise typer.Exit(2 if any(one.refused for one in found.rules) else 0)


def _write(path: Path, target: Path, numbers: Mapping[Place, float]) -> None:
    """Writes the policy with these numbers, and says so, and what relative paths mean where it lies elsewhere.

    Raises:
        PolicyError: the document shares a number between places.
    """
    from moderator.policy import load_policy

    output.write(target, _changed(path, numbers).decode(), keep=target.exists() and target.samefile(path))
    screen.console().print(f"· {counted(len(numbers), 'number')} changed in {target}", style="dim", markup=False)
    before, after = load_policy(path), load_policy(target)
    parts = {"store": "its store", "reference_sets": "folders of its sets", "embedders": "files of its models"}
    if moved := [words for part, words in parts.items() if getattr(before, part) != getattr(after, part)]:
        words = f"{target} lies elsewhere than {path}, and what is named beside it is sought there"
        screen.console().print(f"· note: {words}: {', '.join(moved)}", style="dim", markup=False)


def _changed(path: Path, numbers: Mapping[Place, float]) -> bytes:
    """Returns the policy document with these numbers, those that it leaves to their defaults put in."""
    from moderator.document import added, read_document, replaced

    text = path.read_bytes()
    lines = read_document(text, str(path))[1]
    for place in (one for one in numbers if one not in lines):
        text = added(text, str(path), place, numbers[place])
    return replaced(text, str(path), {place: one for place, one in numbers.items() if place in lines})


def _target(path: Path, out: Path | None, *, write: bool) -> Path | None:
    """Returns the policy file to write, if any. Raises: ArgumentError for a ready policy."""
    from moderator.resources import ready_policies

    if write and out is not None:
        raise ArgumentError("--write changes the policy itself, --output writes another file: give one of them")
    if write and path.resolve() in {one.resolve() for one in ready_policies().values()}:
        hint = "write a policy of your own with --output FILE"
        raise ArgumentError(f"{path.name} is a ready policy and is not changed", hint=hint)
    return path if write else out


def _metadata(store: Store, policy: Policy, pictures: list[str], table: Path | None) -> Columns:
    """Returns what a table says of pictures, or else what earlier scans have joined. Raises: ArgumentError."""
    from moderator.calibrate.variants import remembered

    if table is None:
        return remembered(store, policy, pictures) if pictures else {}
    if not pictures:
        raise ArgumentError("--metadata goes with pictures: labelled pairs say themselves what is a match")
    return wanted_pictures(None, table, None).metadata


def _sources(
    pictures: list[str] | None, pairs: Path | None, same: Path | None, different: Path | None, words: list[Labelled]
) -> list[str] | list[Labelled]:
    """Returns pictures without labels, or labelled pairs. Raises: ArgumentError."""
    from moderator.calibrate.labels import read_labels

    labels = [
        *words,
        *(read_labels(pairs) if pairs else []),
        *(read_labels(same, same=True) if same else []),
        *(read_labels(different, same=False) if different else []),
    ]
    files = [file for file in (pairs, same, different) if file is not None]
    if pictures and (files or words):
        raise ArgumentError("pictures and labelled pairs are calibrated on one at a time: give one of them")
    if files and not labels:
        raise ArgumentError(f"no pair is in {' and '.join(map(str, files))}")
    if not (labels or pictures):
        raise ArgumentError("give pictures, or labelled pairs with --pairs, --same, --different and --decided")
    return labels or pictures or []
