"""Draws results as SVG: six bars for users, how each claim came out, how time and memory grow with bytes and buffers.

Rule: drawn from the JSON alone, so that a drawing can be made again anywhere.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt  # noqa: E402 -- after the choice of backend
from matplotlib.axes import Axes  # noqa: E402

from .judge import Line  # noqa: E402
from .report import read_lines  # noqa: E402

__all__ = ["draw"]

REACHED, MISSED = "#2a7f62", "#c0392b"

# Fixed, so that the same results give the same file.
mpl.rcParams["svg.hashsalt"] = "binpickle"
mpl.rcParams["svg.fonttype"] = "none"  # text stays text: a tenth of the size
METADATA = {"Date": None}

OURS, PEERS = "#2a7f62", "#d9d9d9"

# What users ask first. For each bar the text, and the row, the metric, our way and the peer of its line.
SUMMARY = {
    "Write compressed arrays": ("4", "dump", "auto", "joblib compress=3"),
    "Size of the compressed file": ("4", "size", "auto", "joblib compress=3"),
    "Read compressed arrays": ("4", "load", "auto", "Blosc2 zstd 3"),
    "Read a raw array": ("2", "load", "raw", "np.save / np.load"),
    "Write a raw array, with checksums": ("1", "dump", "raw", "np.save / np.load"),
    "Read 25,000 small arrays": ("6", "load", "raw", "pickle 5"),
}
GROWTH = {"bytes": "bytes of one array", "buffers": "arrays of 800 bytes"}


def draw(results: dict[str, Any], folder: Path) -> None:
    """Draw all plots of one set of results into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    claims = [line for line in read_lines(results) if line.kind == "ratio" and line.at_most and line.result]
    if claims:
        _ratios(claims, folder / "benchmark-ratios.svg")
    bars = _summary(claims)
    if bars:
        _bars(bars, folder / "benchmark-summary.svg")
    for kind, label in GROWTH.items():
        curves = _curves(results, kind)
        if curves:
            _growth(curves, label, folder / f"benchmark-growth-{kind}.svg")


def _summary(claims: list[Line]) -> list[tuple[str, str, float]]:
    """Return the bars for users that were measured: what was done, what of which peer counts, and the ratio to it."""
    found = []
    for text, (row, metric, way, peer) in SUMMARY.items():
        of_row = (line for line in claims if (line.row, line.metric, line.way, line.peer) == (row, metric, way, peer))
        line = next(of_row, None)  # the first case: row 6 has one more
        if line is not None and line.result:
            name = "np.load" if (row, metric) == ("2", "load") else peer.split()[0]
            found.append((text, f"{name}'s {'size' if metric == 'size' else 'time'}", line.result))
    return found


def _bars(bars: list[tuple[str, str, float]], path: Path) -> None:
    """Draw a bar for each, above a grey one for the peer, with large labels: the drawing is read on phones, too."""
    figure, axes = plt.subplots(figsize=(4.8, 0.2 + 0.95 * len(bars)), layout="constrained")
    for place, (text, peer, result) in enumerate(bars):
        axes.barh(place, 1, color=PEERS, height=0.26)
        axes.barh(place, result, color=OURS, height=0.26)
        axes.plot([1, 1], [place - 0.18, place + 0.18], color="black", linewidth=1.5)
        axes.text(0, place - 0.18, text, fontsize=12, fontweight="bold", va="bottom")
        axes.text(0, place + 0.16, f"{result:.0%} of {peer}", fontsize=12, va="top")
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_xlim(0, max(1.0, *(result for _, _, result in bars)))
    axes.axis("off")
    figure.savefig(path, metadata=METADATA)
    plt.close(figure)


def _ratios(claims: list[Line], path: Path) -> None:
    """Draw a bar for each claim, the peer at 1, the target as a mark, the range as a whisker."""
    figure, axes = plt.subplots(figsize=(10, 1.2 + 0.24 * len(claims)), layout="constrained")
    for place, line in enumerate(claims):
        result, target = line.result or 0.0, line.at_most or 0.0
        low, high = line.spread or (result, result)
        axes.barh(place, result, color=REACHED if line.reached else MISSED, height=0.7)
        axes.plot([low, high], [place, place], color="black", linewidth=0.8)
        axes.plot([target, target], [place - 0.45, place + 0.45], color="black", linewidth=2)
    names = [f"{line.row}  {line.case}: {line.metric} {line.way} / {line.peer}" for line in claims]
    axes.set_yticks(range(len(claims)), names, fontsize=7)
    axes.set_xscale("log")
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set_xlabel("ratio to the peer (less is better; the mark is the target, the line the range of single pairs)")
    figure.savefig(path, metadata=METADATA)
    plt.close(figure)


def _curves(results: dict[str, Any], kind: str) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Collect the growth curves of one kind."""
    curves: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for case in results["cases"]:
        if case["row"] != "growth" or not case["name"].startswith(f"{kind} "):
            continue
        size = int(case["name"].split()[1])
        for way, metrics in case["values"].items():
            for metric, values in metrics.items():
                curves.setdefault(metric, {}).setdefault(way, []).append((size, median(values)))
    return curves


PANELS = (("dump", "s"), ("load", "s"), ("dump memory", "bytes"), ("load memory", "bytes"))


def _growth(curves: dict[str, dict[str, list[tuple[int, float]]]], label: str, path: Path) -> None:
    """Draw time and memory of both directions, a curve for each contender, both axes logarithmic."""
    figure, grid = plt.subplots(2, 2, figsize=(10, 7), layout="constrained", sharex=True)
    for axes, (metric, unit) in zip(grid.flat, PANELS):
        _panel(axes, curves.get(metric, {}), f"{metric} ({unit})")
    for axes in grid[1]:
        axes.set_xlabel(label)
    figure.savefig(path, metadata=METADATA)
    plt.close(figure)


def _panel(axes: Axes, ways: dict[str, list[tuple[int, float]]], title: str) -> None:
    for way, points in sorted(ways.items()):
        # Less than a page of memory cannot be drawn on a logarithmic axis.
        drawn = [(size, value) for size, value in sorted(points) if value > 0]
        axes.plot(*zip(*drawn), marker="o", markersize=3, label=way)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(title)
    axes.legend(fontsize=8)
    axes.grid(True, linewidth=0.3)
