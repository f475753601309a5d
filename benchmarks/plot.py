"""Draws lines on two logarithmic axes as an SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

Points = Sequence[tuple[float, float]]
"""(x, y), all above zero."""


def draw(path: Path, title: str, lines: Mapping[str, Points], axes: tuple[str, str]) -> None:
    """Writes the plot of lines by name. `axes`: what is told from left to right, and upwards."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Text stays text, and the same lines give the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "moderator"}):
        figure = Figure(figsize=(9, 4.5), layout="constrained")
        plot = figure.add_subplot(xscale="log", yscale="log", xlabel=axes[0], ylabel=axes[1])
        plot.set_title(title, loc="left")
        plot.grid(color="#dddddd")
        for name, points in lines.items():
            plot.plot(*zip(*points, strict=True), marker="o", markersize=4, label=name)
        plot.legend(frameon=False)
        figure.savefig(path, metadata={"Date": None})
