"""Runs cases: contenders take turns (A B A B ...), each measurement in a process of its own, one after another.

Rule: the runner measures nothing itself. If a contender fails, the runner records its last line of
output, and the row still appears.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List

from .cases import MEMORY, MIB, Case, Contender, Scale

__all__ = ["Failed", "Measurements", "run_case"]

# Longer than the slowest call of a full run (lzma on 5 GiB), so that a hang ends some time.
TIMEOUT = 1800.0

# Memory to warm beyond what the files say, for objects that take more than their files.
SPARE = 64 * MIB

ROOT = Path(__file__).resolve().parent.parent

# For each contender, for each metric, the values round by round.
Values = Dict[str, Dict[str, List[float]]]


class Failed(Exception):
    """A worker ended without metrics; the message is the last line it wrote."""


@dataclass
class Measurements:
    """The measurements of one case."""

    case: Case
    values: Values = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def add(self, contender: str, metrics: dict[str, float]) -> None:
        """Append one round of a contender."""
        kept = self.values.setdefault(contender, {})
        for metric, value in metrics.items():
            kept.setdefault(metric, []).append(value)


def run_case(case: Case, scale: Scale, folder: Path, tell: Callable[[str], None]) -> Measurements:
    """Run all rounds of a case in a scratch folder below `folder`, or in memory if the case says so."""
    done = Measurements(case)
    if case.in_memory:
        folder = MEMORY
    with tempfile.TemporaryDirectory(dir=folder, prefix="binpickle-bench-") as scratch:
        session = Session(case, scale, Path(scratch), done)
        for contender in case.contenders:
            tell(f"{case.key}: first {contender.name}")
            session.attempt(contender, "prepare", session.kept(contender))
        for step in case.steps:
            for number in range(case.rounds):
                for contender in session.due(step, number):
                    tell(f"{case.key}: {step} {number + 1}/{case.rounds} {contender.name}")
                    fresh = str(Path(scratch, "fresh"))
                    session.attempt(contender, step, fresh if step == "dump" else session.kept(contender))
    return done


@dataclass
class Session:
    """One case that is running: where its files lie, and its measurements so far."""

    case: Case
    scale: Scale
    folder: Path
    done: Measurements

    def kept(self, contender: Contender) -> str:
        """Name the prepared file that a contender's loads read."""
        return str(self.folder / f"kept{self.case.contenders.index(contender)}")

    def due(self, step: str, number: int) -> list[Contender]:
        """Return the contenders that take part in this round."""
        return [
            contender
            for contender in self.case.contenders
            if step in contender.steps and number < contender.rounds and contender.name not in self.done.failures
        ]

    def touch(self) -> int:
        """Say how much memory is to be warm before a timed call: twice the largest file, as some contenders take."""
        sizes = [size for metrics in self.done.values.values() for size in metrics.get("size", [])]
        return int(2 * max(sizes, default=0)) + SPARE

    def attempt(self, contender: Contender, step: str, path: str) -> None:
        """Run one worker and keep its metrics, or why there are none."""
        job = {
            "case": self.case.key,
            "full": self.scale.full,
            "contender": contender.name,
            "step": step,
            "folder": str(self.folder),
            "path": path,
            "touch": self.touch(),
        }
        try:
            self.done.add(contender.name, _work(job))
        except Failed as error:
            self.done.failures[contender.name] = f"{step}: {error}"


def _work(job: dict[str, object]) -> dict[str, float]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.worker"],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            env=environment,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"no end within {TIMEOUT:.0f} s") from None
    if done.returncode:
        raise Failed(_last_error(done.stderr) or f"exit status {done.returncode}")
    metrics: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return metrics


def _last_error(text: str) -> str:
    """Find the last exception's own line in tracebacks, those of exception groups too, which are drawn in frames."""
    lines = [line.strip(" |+-") for line in text.splitlines()]
    return next((line for line in reversed(lines) if re.match(r"[\w.]+(Error|Exception|Warning)\b", line)), "")
