"""Draws lines on two logarithmic axes as an SVG, with nothing but text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 820, 420, 70, 190, 50, 44
LINE = 15
"""Least distance of two names."""
COLOURS = ("#1a6fb5", "#c2571a", "#4a8f3c", "#7b4fa3", "#666666")


@dataclass(frozen=True, slots=True)
class Line:
    """A name, and points (x, y) above zero."""

    name: str
    points: Sequence[tuple[float, float]]


def draw(path: Path, title: str, lines: Sequence[Line], axes: tuple[str, str] = ("", "")) -> None:
    """Writes the plot; each tick is a power of ten. `axes`: what is told from left to right, and upwards."""
    drawn = [line for line in lines if line.points]
    across = _decades([x for line in drawn for x, _ in line.points])
    up = _decades([y for line in drawn for _, y in line.points])

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (math.log10(x) - across[0]) / (across[1] - across[0]) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - (math.log10(y) - up[0]) / (up[1] - up[0]) * (HEIGHT - TOP - BOTTOM),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="24" font-size="15" font-weight="bold">{escape(title)}</text>',
        f'<text x="{LEFT}" y="42" fill="#666666">{escape(axes[1])}</text>',
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 2}" text-anchor="end" fill="#666666">{escape(axes[0])}</text>',
    ]
    for power in range(across[0], across[1] + 1):
        x, bottom = place(10.0**power, 10.0 ** up[0])
        parts.append(f'<path d="M{x:.1f} {TOP}V{bottom:.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 20:.1f}" text-anchor="middle">{_tick(power)}</text>')
    for power in range(up[0], up[1] + 1):
        left, y = place(10.0 ** across[0], 10.0**power)
        parts.append(f'<path d="M{left:.1f} {y:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
        parts.append(f'<text x="{left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{_tick(power)}</text>')
    for colour, line in zip(COLOURS, drawn, strict=False):
        placed = [place(x, y) for x, y in line.points]
        way = "L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
        parts.append(f'<path d="M{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in placed]
    ends = [place(*line.points[-1]) for line in drawn]
    for colour, line, (x, _), y in zip(COLOURS, drawn, ends, _apart([y for _, y in ends]), strict=False):
        parts.append(f'<text x="{x + 8:.1f}" y="{y + 4:.1f}" fill="{colour}">{escape(line.name)}</text>')
    path.write_text("\n".join([*parts, "</svg>\n"]), encoding="utf-8")


def _tick(power: int) -> str:
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:g}".removeprefix("0")


def _apart(heights: Sequence[float]) -> list[float]:
    """Moves heights downwards until no two names overlap."""
    moved = list(heights)
    last = -math.inf
    for place in sorted(range(len(moved)), key=lambda one: moved[one]):
        moved[place] = last = max(moved[place], last + LINE)
    return moved


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten around some values."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)
