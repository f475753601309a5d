"""How an attack is shown: the blind spots, every edit with what became of its copies, and the false matches."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from moderator.attack import Attack, Attempt, detected
from moderator.edits import Edit
from moderator.models import Verdict
from moderator.reports.terminal import visible
from moderator.wording import counted

BLIND = 0.9
"""An edit found less often than this is a blind spot."""
SPOTS = 6
"""Blind spots that are named."""
BAR = 10
"""Columns of a bar that stands for all copies of an edit."""
SHED = ("severity", "family", "by", "interval", "")
"""Columns that a narrow screen leaves out, the first one first; --json has them all."""
FALSE = 10
"""False matches that are named."""
UNJUDGED = "unjudged"
OUTCOMES = {
    "blocked": ("█", "green"), "review": ("▓", "yellow"), "alike": ("░", "magenta"), "missed": ("·", "red"),
    UNJUDGED: ("?", "red"),
}  # fmt: skip
"""What became of a copy, best first, and how a bar draws it."""


def renderable(found: Attack, policy: str, confidence: float) -> RenderableType:
    """Returns an attack as something rich can print."""
    return Group(*_parts(found, policy, confidence))


def outcome(attempt: Attempt) -> str:
    """Returns which of `OUTCOMES` became of a copy."""
    if attempt.verdict is not None:
        return "blocked" if attempt.verdict is Verdict.BLOCK else "review"
    if attempt.unjudged:
        return UNJUDGED
    return "alike" if attempt.alike else "missed"


def _parts(found: Attack, policy: str, confidence: float) -> Iterator[RenderableType]:
    whole = detected(found.attempts, confidence)
    false = [one for one in found.attempts if one.wrong]
    text = f"{visible(policy)}: {whole.count:,} of {whole.of:,} copies of {counted(found.pictures, 'picture')} found"
    if whole.of:
        text += f", {whole.value:.1%} ({whole.low:.1%} to {whole.high:.1%}, at {confidence:.0%} confidence)"
    yield Text(f"{text}; {counted(len(false), 'false match')}", style="bold")
    yield _spots(found)
    yield _Edits(found, confidence)
    key = "blocked █, sent to review ▓, told only as something that resembles the original ░, missed ·"
    yield Text(f"Found by {_rungs(found.attempts) or 'nothing'}. Bars: {key}", style="dim")
    if false:
        yield Text("Copies that were called copies of another picture (should it be a copy too, all is well):")
        for one in false[:FALSE]:
            yield Text(f"  {one.edit.name} of {visible(one.picture)}: {', '.join(map(visible, one.wrong))}")
    if unjudged := Counter(one.unjudged for one in found.attempts if one.unjudged):
        why = "; ".join(f"{visible(reason)} ({count:,})" for reason, count in unjudged.most_common())
        yield Text(f"Not judged, and counted as missed ?: {why}", style="red")
    for note in found.notes:
        yield Text(f"· {visible(note)}", style="dim")


def _spots(found: Attack) -> Text:
    rates = [(edit, detected(attempts).value) for edit, attempts in found.by_edit.items()]
    blind = [f"{edit.name} ({edit.words}) {rate:.0%}" for edit, rate in rates if rate < BLIND]
    if not blind:
        fewest = min(map(len, found.by_edit.values()), default=0)
        words = f"No blind spots seen: of every edit at least {BLIND:.0%} of {fewest:,} or more copies are found"
        return Text(words, style="green")
    more = f"; and {len(blind) - SPOTS} more" if len(blind) > SPOTS else ""
    return Text.assemble(("Blind spots: ", "bold red"), "; ".join(blind[:SPOTS]), more)


@dataclass(frozen=True)
class _Edits:
    """The table of edits, with as many columns as the screen has room for."""

    found: Attack
    confidence: float

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = [self._row(edit, attempts) for edit, attempts in self.found.by_edit.items()]
        outcomes = [name for name in OUTCOMES if name != UNJUDGED or any(row[name] != "-" for row in rows)]
        titles = ["edit", "family", "severity", "", "found", "interval", *outcomes, "false", "by"]
        widths = {title: max(map(len, [title, *(row[title] for row in rows)])) for title in titles}
        for title in SHED:
            if sum(widths.values()) + len(widths) + 1 > options.max_width:
                widths.pop(title, None)
        table = Table(box=box.SIMPLE_HEAD, padding=0)
        for title in widths:
            figures = title in {"found", "interval", *OUTCOMES, "false"}
            table.add_column(title, no_wrap=True, justify="right" if figures else "left")
        for row in rows:
            table.add_row(*(row[title] for title in widths))
        yield table

    def _row(self, edit: Edit, attempts: Sequence[Attempt]) -> Mapping[str, str | Text]:
        share = detected(attempts, self.confidence)
        counts = Counter(map(outcome, attempts))
        return {
            "edit": edit.name,
            "family": edit.family,
            "severity": edit.severity,
            "": _bar(counts),
            "found": f"{share.value:.0%}",
            "interval": f"{share.low:.0%} to {share.high:.0%}",
            **{name: str(counts[name] or "-") for name in OUTCOMES},
            "false": str(sum(bool(one.wrong) for one in attempts) or "-"),
            "by": _rungs(attempts),
        }


def _bar(counts: Mapping[str, int]) -> Text:
    total, reached, drawn = sum(counts.values()), 0, 0
    bar = Text()
    for name, (sign, style) in OUTCOMES.items():
        reached += counts[name]
        end = round(reached / total * BAR)
        bar.append(sign * (end - drawn), style)
        drawn = end
    return bar


def _rungs(attempts: Sequence[Attempt]) -> str:
    counts = Counter(one.rung for one in attempts if one.found)
    return ", ".join(f"{rung} {count:,}" for rung, count in counts.most_common())


def document(found: Attack, policy: str, seed: int, confidence: float) -> str:
    """Returns every figure as JSON."""
    edits = [
        {
            "edit": edit.name,
            "words": edit.words,
            "family": edit.family,
            "severity": edit.severity,
            **_figures(attempts, confidence),
        }
        for edit, attempts in found.by_edit.items()
    ]
    false = [
        {"edit": one.edit.name, "picture": one.picture, "matched": list(one.wrong)}
        for one in found.attempts
        if one.wrong
    ]
    made = {
        "policy": policy,
        "seed": seed,
        "confidence": confidence,
        "pictures": found.pictures,
        **_figures(found.attempts, confidence),
        "edits": edits,
        "false_matches": false,
        "notes": list(found.notes),
    }
    return json.dumps(made, indent=2) + "\n"


def _figures(attempts: Sequence[Attempt], confidence: float) -> Mapping[str, Any]:
    share = detected(attempts, confidence)
    counts = Counter(map(outcome, attempts))
    return {
        "copies": share.of,
        "found": share.count,
        "rate": share.value if share.of else None,
        "interval": [share.low, share.high] if share.of else None,
        **{name: counts[name] for name in OUTCOMES},
        "rungs": dict(Counter(one.rung for one in attempts if one.found)),
        "false": sum(bool(one.wrong) for one in attempts),
    }
