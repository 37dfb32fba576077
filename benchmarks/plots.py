"""Draws results as SVG: how each claim came out, and how time and memory grow with bytes and with buffers.

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

GROWTH = {"bytes": "bytes of one array", "buffers": "arrays of 800 bytes"}


def draw(results: dict[str, Any], folder: Path) -> None:
    """Draw all plots of one set of results into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    claims = [line for line in read_lines(results) if line.kind == "ratio" and line.at_most and line.result]
    if claims:
        _ratios(claims, folder / "benchmark-ratios.svg")
    for kind, label in GROWTH.items():
        curves = _curves(results, kind)
        if curves:
            _growth(curves, label, folder / f"benchmark-growth-{kind}.svg")


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
