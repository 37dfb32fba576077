"""Turns measurements into lines of the table: our result, the result of the peer, the ratio, and the target.

Rule: ratios are of medians. The range is of the ratios of neighbouring measurements, so it shows the noise of the
machine. A target without measurements is not reached, and its line says why. If a hypervisor takes the processors away,
the delays of these rounds are shown, but do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from .cases import Target
from .runner import Measurements

__all__ = ["Line", "judge"]


@dataclass(frozen=True)
class Line:
    """One line of the table; amounts are in seconds, bytes, or counts, as the metric has it."""

    row: str
    case: str
    kind: str
    metric: str
    way: str
    peer: str
    at_most: float | None
    ours: float | None = None
    theirs: float | None = None
    result: float | None = None
    spread: tuple[float, float] | None = None
    minima: float | None = None
    failure: str = ""
    disturbed: tuple[int, float] | None = None  # rounds that do not count, and the largest value in them

    @property
    def reached(self) -> bool | None:
        """Return whether the target was reached; `None` where nothing was claimed."""
        if self.at_most is None:
            return None
        return self.result is not None and self.result <= self.at_most


def judge(done: Measurements) -> list[Line]:
    """Return the lines of one case, one line for each target."""
    return [_line(done, target) for target in done.case.targets]


def _line(done: Measurements, target: Target) -> Line:
    names = [name for name in (target.ours, target.peer) if name]
    values = [done.values.get(name, {}).get(target.metric, []) for name in names]
    claim = (done.case.row, done.case.name, target.kind, target.metric, target.ours, target.peer, target.at_most)
    if not all(values):
        failures = [f"{name}: {done.failures[name]}" for name in names if name in done.failures]
        return Line(*claim, failure="; ".join(failures) or "not measured")
    middle = [median(series) for series in values]
    if target.kind == "amount":
        return Line(*claim, ours=middle[0], result=middle[0])
    if target.kind == "worst":
        counted, others = _split(done.values[target.ours], target.metric)
        disturbed = (len(others), max(others)) if others else None
        return Line(*claim, ours=middle[0], result=max(counted), disturbed=disturbed)
    if target.kind == "difference":
        return Line(*claim, ours=middle[0], theirs=middle[1], result=middle[0] - middle[1])
    pairs = [one / other for one, other in zip(*values)]
    return Line(
        *claim,
        ours=middle[0],
        theirs=middle[1],
        result=middle[0] / middle[1],
        spread=(min(pairs), max(pairs)),
        minima=min(values[0]) / min(values[1]),
    )


def _split(metrics: dict[str, list[float]], metric: str) -> tuple[list[float], list[float]]:
    """Return the values that count, and those of rounds in which the processors were taken away; all, if all were."""
    values = metrics[metric]
    stolen = metrics.get(f"{metric.split()[0]} stolen", []) if metric.endswith("delay") else []
    if len(stolen) != len(values) or all(stolen):
        return values, []
    rounds = list(zip(values, stolen))
    return [value for value, taken in rounds if not taken], [value for value, taken in rounds if taken]
