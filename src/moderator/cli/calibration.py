"""How a calibration is shown: before and after, the curve, what is still missed, and the closest different pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from moderator.calibrate import EVEN, Calibrated, Calibration, Share, detected, matched, number_of, scored
from moderator.calibrate.similarities import BY_VERIFICATION
from moderator.calibrate.tail import MEASURED
from moderator.cli import screen
from moderator.models import VERIFIED
from moderator.reports.terminal import visible
from moderator.wording import counted

if TYPE_CHECKING:
    from moderator.calibrate.similarities import Similarities
    from moderator.calibrate.sources import Measured
    from moderator.calibrate.tail import Tail

STEPS = tuple(step / 100 for step in range(20, 100, 5))
"""Thresholds of the curve."""
SURE = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
"""The same of verification."""
BAR = 20
"""Columns of a bar that stands for all copies."""
CLOSEST = 5
"""Pairs of different pictures that are shown, the closest first."""
WORST = 10
"""Edits that are shown, those found least first, and pairs left out."""


def renderable(found: Calibration, measured: Measured, notes: Sequence[str]) -> RenderableType:
    """Returns a calibration as something rich can print."""
    return Group(*_parts(found, measured, notes))


def drawing(found: Calibration, measured: Measured, notes: Sequence[str]) -> str:
    """Returns the same as an SVG picture."""
    return screen.drawn(renderable(found, measured, notes), "moderator calibrate")


def _parts(found: Calibration, measured: Measured, notes: Sequence[str]) -> Iterator[RenderableType]:
    yield _rules(found)
    for one in found.rules:
        if one.refused:
            yield Text.assemble((f"{one.name}: refused: ", "bold red"), one.refused)
        if one.signal == VERIFIED and one.after == EVEN:
            yield Text(f"{one.name}: never less than {EVEN:g}, as another picture would be the likelier", style="dim")
    for name, similarities in found.measured.items():
        asked = [one for one in found.rules if one.signal == name]
        yield Text()
        yield Text(_stands_on(name, similarities, found.tails[name]))
        yield _curve(found, name, asked)
        yield from _edits(found, similarities, asked)
        yield from _closest(name, similarities, measured.names)
    yield from _sure(found)
    yield from _twins(found, measured.names)
    if measured.rejected:
        yield Text(f"· not in it, as they could not be read: {counted(measured.rejected, 'file')}", style="dim")
    for note in notes:
        yield Text(f"· {visible(note)}", style="dim")


def _rules(found: Calibration) -> Table:
    percent = f"{found.wanted.confidence:.0%}"
    titles = ("rule", "asked of", "before", "after", "estimate", f"{percent} interval", "false in a million", "found")
    table = screen.table(*titles, padding=0)
    for column in table.columns[:2]:
        column.no_wrap = True  # names are told in full, and figures wrap
    for one in found.rules:
        genuine = found.measured[one.signal].genuine
        before = detected(genuine, scored(one.signal, one.before))[""]
        after = "-" if one.after is None else f"{one.after:.4g}"
        point = "-" if math.isnan(one.point) else f"{one.point:.3f}"
        ends = "-" if math.isnan(one.low) else f"{one.low:.3f} to {one.high:.3f}"
        false, copies = _rate(one.false_before), _percent(before)
        if one.after is not None:
            false += f" → {_rate(one.false_after)}"
            copies += f" → {_percent(detected(genuine, scored(one.signal, one.after))[''])}"
        row = (one.name, one.signal, f"{one.before:.4g}", Text(after, style="bold"), point, ends, false, copies)
        table.add_row(*row)
    return table


def _stands_on(name: str, similarities: Similarities, tail: Tail) -> str:
    impostors, genuine = similarities.impostors, similarities.genuine
    text = f"{name}: {impostors.pairs:,} pairs of different pictures"
    text += f" ({impostors.pictures:,} pictures), {len(genuine.scores):,} copies"
    if similarities.twins:
        text += f"; left out as copies already: {counted(len(similarities.twins), 'pair')}"
    if similarities.variants:
        text += f"; left out as one item in two colours: {counted(len(similarities.variants), 'pair')}"
    if tail.goodness:
        text += f". Beyond {number_of(name, tail.counted):.3f} extrapolated from {tail.count:,} pairs"
        text += f" (fit p = {tail.goodness:.2f})"
    return text


def _curve(found: Calibration, name: str, asked: Sequence[Calibrated]) -> Table:
    table = screen.table("threshold", "false matches in a million", "copies found", "", "", padding=0)
    table.columns[3].no_wrap = True  # a bar that is cut short is wrong
    marks: dict[float, list[str]] = {step: [] for step in (SURE if name == VERIFIED else STEPS)}
    for one in asked:
        marks.setdefault(one.before, []).append(f"{one.name} before")
        if one.after is not None:
            marks.setdefault(one.after, []).append(f"{one.name} after")
    for row in curve(found, name, sorted(marks)):
        share = row["found"]
        bar = Text("█" * round((share or 0.0) * BAR), style="green")
        sign = {"counted": "", "extrapolated": "~", "more": ">"}[row["how"]]
        shown = "-" if share is None else f"{share:.1%}"
        words = Text(", ".join(marks[row["threshold"]]), style="bold")
        rate = f"{sign if row['false'] else ''}{_rate(row['false'])}"
        table.add_row(f"{row['threshold']:.4g}", rate, shown, bar, words)
    return table


def curve(found: Calibration, name: str, thresholds: Sequence[float]) -> Sequence[Mapping[str, Any]]:
    """Returns by threshold the rate of false matches, how it is known, and the share of copies found."""
    similarities, tail = found.measured[name], found.tails[name]
    impostors = similarities.impostors
    rows = []
    for threshold in thresholds:
        score = scored(name, threshold)
        # Of verification every pair that can match at all is at hand.
        least = impostors.scores[-1] if len(impostors.scores) else math.inf
        whole = name == VERIFIED or len(impostors.scores) == impostors.pairs or score >= least
        how = "counted" if impostors.count(score) >= MEASURED or not tail.goodness else "extrapolated"
        share = detected(similarities.genuine, score)[""]
        rows.append(
            {
                "threshold": threshold,
                "false": tail.rate(score),
                "how": how if whole else "more",
                "found": None if math.isnan(share.value) else share.value,
            }
        )
    return rows


def _edits(found: Calibration, similarities: Similarities, asked: Sequence[Calibrated]) -> Iterator[RenderableType]:
    chosen = next((one for one in asked if one.after is not None), None)
    if chosen is None or chosen.after is None or len(set(similarities.genuine.edits)) < 2:
        return
    after = chosen.after
    shares = detected(similarities.genuine, scored(chosen.signal, after), found.wanted.confidence)
    worst = sorted((share.value, edit) for edit, share in shares.items() if edit and share.value < 1)[:WORST]
    if worst:
        yield Text(f"Copies that {after:.4g} misses most:")
        table = Table(box=None, padding=(0, 2), show_header=False)
        for _, edit in worst:
            share = shares[edit]
            table.add_row(f"  {edit}", _percent(share), f"{share.low:.0%} to {share.high:.0%}", f"of {share.of:,}")
        yield table


def _sure(found: Calibration) -> Iterator[RenderableType]:
    """Says what the rate would be if the pairs that verification is sure of, and no one has looked at, were none."""
    if (known := found.measured.get(VERIFIED)) is not None:
        pairs = known.impostors.pairs + len(known.twins)
        if count := sum(why.startswith(BY_VERIFICATION) for why in known.twins.values()):
            yield Text(
                f"{VERIFIED}: taken for copies, as it is sure of them: {counted(count, 'pair')}; if they were none, "
                f"false matches would be {_rate(count / pairs)} in a million more"
            )


def _twins(found: Calibration, names: Mapping[int, str]) -> Iterator[RenderableType]:
    """Shows which pairs are no impostors, because they are copies already."""
    twins = {pair: why for one in found.measured.values() for pair, why in one.twins.items()}
    if twins:
        yield Text()
        yield Text("Left out as copies already (should one be none: moderator decide A B --not-a-match, and again):")
        for pair, why in list(twins.items())[:WORST]:
            yield Padding(screen.two(*(names.get(content, "?") for content in pair)), (0, 0, 0, 2))
            yield Padding(Text(visible(why)), (0, 0, 0, 4))
        if len(twins) > WORST:
            yield Text(f"  and {len(twins) - WORST:,} more: --json FILE has them all")


def _closest(name: str, similarities: Similarities, names: Mapping[int, str]) -> Iterator[RenderableType]:
    """Shows the pairs that set the tail: if one is a copy, `decide --match` takes it out."""
    impostors = similarities.impostors
    if not len(impostors.scores):
        return
    yield Text("The closest pairs taken for different (should one be a copy: moderator decide A B --match, and again):")
    table = Table.grid(padding=(0, 2, 0, 0))
    for place in range(min(CLOSEST, len(impostors.scores))):
        pair = (similarities.contents[side[place]] for side in (impostors.first, impostors.second))
        shown = screen.two(*(names.get(int(content), "?") for content in pair))
        table.add_row(f"{number_of(name, float(impostors.scores[place])):.3f}", shown)
    yield Padding(table, (0, 0, 0, 2))


def _rate(rate: float) -> str:
    if math.isnan(rate):
        return "-"
    million = rate * 1e6
    return f"{million:,.0f}" if million >= 100 else f"{million:.2g}" if rate else "none seen"


def _percent(share: Share) -> str:
    return "-" if math.isnan(share.value) else f"{share.value:.1%}"


def document(found: Calibration, measured: Measured, notes: Sequence[str]) -> str:
    """Returns every figure as JSON."""
    wanted = found.wanted
    left = {pair: why for one in found.measured.values() for pair, why in {**one.twins, **one.variants}.items()}
    made = {
        "rate": wanted.rate,
        "confidence": wanted.confidence,
        "cautious": wanted.cautious,
        "seed": wanted.seed,
        "rules": [_rule(one) for one in found.rules],
        "embedders": {name: _embedder(found, name) for name in found.measured},
        "left_out": [
            {"pictures": [measured.names.get(content, "?") for content in pair], "because": why}
            for pair, why in left.items()
        ],
        "rejected": measured.rejected,
        "notes": list(notes),
    }
    return json.dumps(_finite(made), indent=2) + "\n"


def _rule(one: Calibrated) -> Mapping[str, Any]:
    return {
        "rule": one.name,
        "embedder": one.signal,
        "before": one.before,
        "after": one.after,
        "estimate": one.point,
        "interval": [one.low, one.high],
        "false_before": one.false_before,
        "false_after": one.false_after,
        "refused": one.refused,
    }


def _embedder(found: Calibration, name: str) -> Mapping[str, Any]:
    similarities, tail = found.measured[name], found.tails[name]
    after = next((one.after for one in found.rules if one.signal == name and one.after is not None), None)
    before = next(one.before for one in found.rules if one.signal == name)
    threshold = before if after is None else after
    score = scored(name, threshold)
    shares = detected(similarities.genuine, score, found.wanted.confidence)
    return {
        "pictures": similarities.impostors.pictures,
        "pairs": similarities.impostors.pairs,
        "copies": len(similarities.genuine.scores),
        "left_out": len(similarities.twins),
        "tail": {"start": tail.start, "exceedances": tail.count, "shape": tail.shape, "scale": tail.scale,
                 "goodness": tail.goodness},
        "threshold": threshold,
        "matched": _shared(matched(similarities.impostors, score, found.wanted.confidence)),
        "found": {edit or "all": _shared(share) for edit, share in shares.items()},
        "curve": curve(found, name, [step / 100 for step in range(101)]),
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
