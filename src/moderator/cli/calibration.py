"""How a calibration is shown: before and after, the curve, what is still missed, and the closest different pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from moderator.calibrate import Calibrated, Calibration, Share, detected, matched
from moderator.cli.screen import drawn
from moderator.reports.terminal import visible

if TYPE_CHECKING:
    from moderator.calibrate.similarities import Similarities
    from moderator.calibrate.sources import Measured
    from moderator.calibrate.tail import Tail

STEPS = tuple(step / 100 for step in range(20, 100, 5))
"""Thresholds of the curve."""
BAR = 30
"""Columns of a bar that stands for all copies."""
CLOSEST = 5
WORST = 10


def renderable(found: Calibration, measured: Measured, notes: Sequence[str]) -> RenderableType:
    """Returns a calibration as something rich can print."""
    return Group(*_parts(found, measured, notes))


def drawing(found: Calibration, measured: Measured, notes: Sequence[str]) -> str:
    """Returns the same as an SVG picture."""
    return drawn(renderable(found, measured, notes), "moderator calibrate")


def _parts(found: Calibration, measured: Measured, notes: Sequence[str]) -> Iterator[RenderableType]:
    yield _rules(found)
    for one in found.rules:
        if one.refused:
            yield Text.assemble((f"{one.rule.id}: refused: ", "bold red"), one.refused)
    for name, similarities in found.measured.items():
        asked = [one for one in found.rules if one.embedder == name]
        yield Text()
        yield Text(_stands_on(name, similarities, found.tails[name]))
        yield _curve(found, name, asked)
        yield from _edits(found, similarities, asked)
        yield from _closest(similarities, measured.names)
    if measured.rejected:
        yield Text(f"· {measured.rejected:,} file(s) could not be read and are not in it", style="dim")
    for note in notes:
        yield Text(f"· {visible(note)}", style="dim")


def _rules(found: Calibration) -> Table:
    percent = f"{found.wanted.confidence:.0%}"
    titles = ("rule", "embedder", "before", "after", f"{percent} interval", "false in a million", "copies found")
    table = Table(*titles, box=box.SIMPLE_HEAD)
    for one in found.rules:
        genuine = found.measured[one.embedder].genuine
        before = detected(genuine, one.before)[""]
        after = "-" if one.after is None else f"{one.after:.3f}"
        ends = "-" if math.isnan(one.low) else f"{one.low:.3f} to {one.high:.3f}"
        false, copies = _rate(one.false_before), _percent(before)
        if one.after is not None:
            false += f" → {_rate(one.false_after)}"
            copies += f" → {_percent(detected(genuine, one.after)[''])}"
        table.add_row(one.rule.id, one.embedder, f"{one.before:.3f}", Text(after, style="bold"), ends, false, copies)
    return table


def _stands_on(name: str, similarities: Similarities, tail: Tail) -> str:
    impostors, genuine = similarities.impostors, similarities.genuine
    text = f"{name}: {impostors.pairs:,} pairs of different pictures"
    text += f" ({impostors.pictures:,} pictures), {len(genuine.scores):,} copies"
    if similarities.twins:
        text += f"; {len(similarities.twins):,} pair(s) that are copies already are left out"
    if tail.goodness:
        text += f". Beyond {tail.counted:.3f} extrapolated from {tail.count:,} pairs (fit p = {tail.goodness:.2f})"
    return text


def _curve(found: Calibration, name: str, asked: Sequence[Calibrated]) -> Table:
    table = Table("threshold", "false matches in a million", "copies found", "", "", box=box.SIMPLE_HEAD)
    marks: dict[float, list[str]] = {step: [] for step in STEPS}
    for one in asked:
        marks.setdefault(one.before, []).append(f"{one.rule.id} before")
        if one.after is not None:
            marks.setdefault(one.after, []).append(f"{one.rule.id} after")
    for row in curve(found, name, sorted(marks)):
        share = row["found"]
        bar = Text("█" * round((share or 0.0) * BAR), style="green")
        sign = {"counted": "", "extrapolated": "~", "more": ">"}[row["how"]]
        shown = "-" if share is None else f"{share:.1%}"
        words = Text(", ".join(marks[row["threshold"]]), style="bold")
        table.add_row(f"{row['threshold']:.3f}", f"{sign}{_rate(row['false'])}", shown, bar, words)
    return table


def curve(found: Calibration, name: str, thresholds: Sequence[float]) -> Sequence[Mapping[str, Any]]:
    """Returns by threshold the rate of false matches, how it is known, and the share of copies found."""
    similarities, tail = found.measured[name], found.tails[name]
    impostors = similarities.impostors
    rows = []
    for threshold in thresholds:
        whole = len(impostors.scores) == impostors.pairs or threshold >= impostors.scores[-1]
        how = "counted" if impostors.count(threshold) >= 10 or not tail.goodness else "extrapolated"
        share = detected(similarities.genuine, threshold)[""]
        rows.append(
            {
                "threshold": threshold,
                "false": tail.rate(threshold),
                "how": how if whole else "more",
                "found": None if math.isnan(share.value) else share.value,
            }
        )
    return rows


def _edits(found: Calibration, similarities: Similarities, asked: Sequence[Calibrated]) -> Iterator[RenderableType]:
    after = next((one.after for one in asked if one.after is not None), None)
    if after is None or len(set(similarities.genuine.edits)) < 2:
        return
    shares = detected(similarities.genuine, after, found.wanted.confidence)
    worst = sorted((share.value, edit) for edit, share in shares.items() if edit and share.value < 1)[:WORST]
    if worst:
        yield Text(f"Copies that {after:.3f} misses most:")
        table = Table(box=None, padding=(0, 2), show_header=False)
        for _, edit in worst:
            share = shares[edit]
            table.add_row(f"  {edit}", _percent(share), f"{share.low:.0%} to {share.high:.0%}", f"of {share.of:,}")
        yield table


def _closest(similarities: Similarities, names: Mapping[int, str]) -> Iterator[RenderableType]:
    """Shows the pairs that set the tail: if one is a copy, `decide --match` takes it out."""
    impostors = similarities.impostors
    if not len(impostors.scores):
        return
    yield Text("The closest pairs taken for different (should one be a copy: moderator decide A B --match, and again):")
    table = Table(box=None, padding=(0, 2), show_header=False)
    for place in range(min(CLOSEST, len(impostors.scores))):
        pair = (similarities.contents[side[place]] for side in (impostors.first, impostors.second))
        shown = (Text(visible(names.get(int(content), "?")), overflow="fold") for content in pair)
        table.add_row(f"  {impostors.scores[place]:.3f}", *shown)
    yield table


def _rate(rate: float) -> str:
    million = rate * 1e6
    return "-" if math.isnan(rate) else f"{million:,.0f}" if million >= 100 else f"{million:.2g}"


def _percent(share: Share) -> str:
    return "-" if math.isnan(share.value) else f"{share.value:.1%}"


def document(found: Calibration, measured: Measured, notes: Sequence[str]) -> str:
    """Returns every figure as JSON."""
    wanted = found.wanted
    made = {
        "rate": wanted.rate,
        "confidence": wanted.confidence,
        "cautious": wanted.cautious,
        "seed": wanted.seed,
        "rules": [_rule(one) for one in found.rules],
        "embedders": {name: _embedder(found, name) for name in found.measured},
        "rejected": measured.rejected,
        "notes": list(notes),
    }
    return json.dumps(_finite(made), indent=2) + "\n"


def _rule(one: Calibrated) -> Mapping[str, Any]:
    return {
        "rule": one.rule.id,
        "embedder": one.embedder,
        "before": one.before,
        "after": one.after,
        "interval": [one.low, one.high],
        "false_before": one.false_before,
        "false_after": one.false_after,
        "refused": one.refused,
    }


def _embedder(found: Calibration, name: str) -> Mapping[str, Any]:
    similarities, tail = found.measured[name], found.tails[name]
    after = next((one.after for one in found.rules if one.embedder == name and one.after is not None), None)
    before = next(one.before for one in found.rules if one.embedder == name)
    threshold = before if after is None else after
    shares = detected(similarities.genuine, threshold, found.wanted.confidence)
    return {
        "pictures": similarities.impostors.pictures,
        "pairs": similarities.impostors.pairs,
        "copies": len(similarities.genuine.scores),
        "left_out": len(similarities.twins),
        "tail": {"start": tail.start, "exceedances": tail.count, "shape": tail.shape, "scale": tail.scale,
                 "goodness": tail.goodness},
        "threshold": threshold,
        "matched": _shared(matched(similarities.impostors, threshold, found.wanted.confidence)),
        "found": {edit or "all": _shared(share) for edit, share in shares.items()},
        "curve": curve(found, name, [step / 100 for step in range(0, 101)]),
    }  # fmt: skip


def _shared(share: Share) -> Mapping[str, Any]:
    return {"count": share.count, "of": share.of, "interval": [share.low, share.high]}


def _finite(value: Any) -> Any:
    """Replaces NaN, which JSON does not know, with null."""
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
