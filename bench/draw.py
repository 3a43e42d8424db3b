"""Draws charts with matplotlib: `python bench/draw.py FOLDER`, the charts as JSON on stdin, each as SVG and PNG.

Runs in a virtual environment of its own, so that nothing else needs matplotlib. Must not know what a chart shows.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
# Text stays text, and the same chart is the same file.
mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "mcpgw", "font.size": 9}

from matplotlib import pyplot as plt  # noqa: E402 # after the backend is chosen

_GOOD = "#2a7f62"
_OTHER = "#b0632c"
_INCHES_PER_BAR = 0.3


def draw(chart: dict[str, Any], folder: Path) -> None:
    """Writes NAME.svg and NAME.png."""
    bars = chart["bars"][::-1]
    figure, axes = plt.subplots(
        figsize=(9, 1.3 + _INCHES_PER_BAR * len(bars)), layout="constrained"
    )
    medians = [bar["spread"]["median"] for bar in bars]
    errors = [
        [median - bar["spread"]["low"] for median, bar in zip(medians, bars, strict=True)],
        [bar["spread"]["high"] - median for median, bar in zip(medians, bars, strict=True)],
    ]
    axes.barh(
        [bar["label"] for bar in bars],
        medians,
        xerr=errors,
        color=[_GOOD if bar["good"] else _OTHER for bar in bars],
        error_kw={"elinewidth": 1, "capsize": 2},
    )
    axes.set_xscale("log")
    axes.set_xlabel(chart["axis"])
    axes.set_title(chart["title"])
    axes.grid(axis="x", alpha=0.3)
    if chart["mark"] is not None:
        axes.axvline(chart["mark"], color="black", linewidth=1)
    figure.savefig(folder / f"{chart['name']}.svg", metadata={"Date": None})
    figure.savefig(folder / f"{chart['name']}.png", dpi=110, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    for one in json.load(sys.stdin):
        draw(one, Path(sys.argv[1]))
