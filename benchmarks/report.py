"""Writes results: JSON with every measurement, and the Markdown table of `docs/performance-log.md`.

Rule: the table shows all lines, also those that miss their target, with the machine, the versions and the method.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .cases import GIB, KIB, MIB, Scale
from .judge import Line, judge
from .machine import versions
from .runner import Measurements

__all__ = ["amount_text", "as_json", "read_lines", "table", "write"]

METHOD = """\
Each measurement is one call in a process of its own. The object is in memory, all modules are imported, the page cache
is warm, free memory was in use recently, and the target does not exist yet. Contenders take turns in one run. The ratio
is the ratio of the medians, the range is that of the ratios of neighbouring measurements, and `minima` is the ratio of
the smallest times. Memory is the high-water mark above the state before the call, without file-backed pages. Worst
delays are those of rounds in which the hypervisor took no processor time from the machine (steal time). The worst delay
of the other rounds is shown with the number of these rounds. Every contender was shown to return an equal object.
Nothing is synced to disk.
"""

HEAD = "| row | what | ours | peer | ratio | range | minima | target | reached |\n|---|---|---|---|---|---|---|---|---|"

REACHED = {True: "yes", False: "**no**", None: ""}


def as_json(measured: list[Measurements], scale: Scale, machine: dict[str, str]) -> dict[str, Any]:
    """Return all measurements, the machine and the versions as plain data."""
    return {
        "scale": "full" if scale.full else "quick",
        "machine": machine,
        "versions": versions(),
        "lines": [asdict(line) for done in measured for line in judge(done)],
        "cases": [
            {"row": done.case.row, "name": done.case.name, "values": done.values, "failures": done.failures}
            for done in measured
        ],
    }


def read_lines(results: dict[str, Any]) -> list[Line]:
    """Return the lines of results that were read from JSON."""
    pairs = ("spread", "disturbed")
    return [
        Line(**{**line, **{name: tuple(line[name]) if line.get(name) else None for name in pairs}})
        for line in results["lines"]
    ]


def table(results: dict[str, Any]) -> str:
    """Return results as Markdown."""
    lines = [_markdown(line) for line in read_lines(results)]
    facts = [f"{name}: {value}" for part in ("machine", "versions") for name, value in results[part].items()]
    return "\n".join([", ".join(facts) + f", scale: {results['scale']}.\n", METHOD, _noise(results), HEAD, *lines, ""])


def _noise(results: dict[str, Any]) -> str:
    """Return how long timed calls were ready to run but had no processor, which shows how busy other programs were."""
    shares = sorted(
        waited / seconds
        for case in results["cases"]
        for values in case["values"].values()
        for step in ("dump", "load")
        for waited, seconds in zip(values.get(f"{step} waited", []), values.get(step, []))
    )
    if not shares:
        return ""
    middle, most = shares[len(shares) // 2], shares[-1]
    return f"Timed calls waited for a processor {middle:.1%} of their time (median), {most:.1%} at worst.\n"


def _markdown(line: Line) -> str:
    sides = (_side(line, line.way, line.ours), _side(line, line.peer, line.theirs))
    cells = [line.row, f"{line.case}: {line.metric}", *sides]
    if line.result is None:
        return _row([*cells, "", "", "", _limit(line), f"{REACHED[line.reached]} ({line.failure})"])
    if line.kind != "ratio":
        result = line.kind if line.kind == "amount" else f"{line.kind} {amount_text(line.metric, line.result)}"
        if line.disturbed:
            rounds, most = line.disturbed
            result += f" ({amount_text(line.metric, most)} in {rounds} rounds with steal time)"
        return _row([*cells, result, "", "", _limit(line), REACHED[line.reached]])
    low, high = line.spread or (line.result, line.result)
    spread = f"{low:.2f} to {high:.2f}" if low != high else ""
    return _row([*cells, f"{line.result:.2f}", spread, f"{line.minima:.2f}", _limit(line), REACHED[line.reached]])


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _side(line: Line, name: str, value: float | None) -> str:
    return name if value is None else f"{name}: {amount_text(line.metric, value)}"


def _limit(line: Line) -> str:
    if line.at_most is None:
        return ""
    return f"<= {line.at_most:.3g}" if line.kind == "ratio" else f"<= {amount_text(line.metric, line.at_most)}"


def amount_text(metric: str, value: float) -> str:
    """Return an amount as text, in the unit of its metric."""
    if metric.endswith("memory") or metric == "size":
        unit, name = next((pair for pair in ((GIB, "GiB"), (MIB, "MiB")) if abs(value) >= pair[0]), (KIB, "KiB"))
        return f"{value / unit:.4g} {name}"
    if metric in ("threads", "anyio imported"):
        return f"{value:g}"
    if metric.endswith("faults"):
        return f"{value:,.0f}"
    if metric.endswith("waiting"):
        return f"{value:.0%}"
    return f"{value:.3g} s" if value >= 1 else f"{value * 1000:.3g} ms"


def write(results: dict[str, Any], path: Path) -> None:
    """Write results as JSON."""
    path.write_text(json.dumps(results, indent=1) + "\n")
