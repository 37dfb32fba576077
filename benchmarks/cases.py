"""The vocabulary of a benchmark: a case, its contenders, and the targets to reach.

Rule: plain data. A case is looked up by its key in every process, so nothing here needs to be pickled.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

__all__ = [
    "KIB",
    "MIB",
    "GIB",
    "MEMORY",
    "ROWS",
    "Case",
    "Contender",
    "Measured",
    "Scale",
    "Target",
    "amount",
    "cases_of",
    "difference",
    "find_case",
    "ratio",
    "worst",
]

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

# A file system in memory, on Linux.
MEMORY = Path("/dev/shm")

# The module under `rows` that declares each row; imported on demand, so that no worker imports another row's needs.
ROWS = {
    "1": "arrays",
    "2": "arrays",
    "3": "arrays",
    "4": "mixed",
    "5": "codecs",
    "6": "many",
    "7": "many",
    "8": "plain",
    "9": "models",
    "10": "sharing",
    "11": "loop",
    "12": "concurrent",
    "13": "huge",
    "14": "imports",
    "15": "small",
    "16": "small",
    "17": "small",
    "18": "blosc",
    "19": "arrays",
    "20": "values",
    "24": "partial",
    "25": "scaling",
    "26": "cold",
    "27": "staging",
    "service": "service",
    "growth": "growth",
    "torch": "tensors",
}


@dataclass(frozen=True)
class Scale:
    """The sizes and the number of repeats: `full` takes the sizes of the claims, otherwise about a quarter."""

    full: bool

    def pick(self, full: int, quick: int) -> int:
        """Return the first number at full scale, and the second number otherwise."""
        return full if self.full else quick


@dataclass(frozen=True)
class Measured:
    """The result of a call that reports more than its time: its value, and metrics that replace the usual metrics."""

    value: Any = None
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Contender:
    """One way to do the work of a case.

    The runner times `dump(obj, path)` and `load(path)`; either may return a `Measured`. `rounds` caps the repeats of
    a slow peer, and `steps` names what is timed at all (the first writing, which gives the size, always happens).
    """

    name: str
    dump: Callable[[Any, str], Any]
    load: Callable[[str], Any]
    rounds: int = 1000
    steps: tuple[str, ...] = ("dump", "load")


@dataclass(frozen=True)
class Target:
    """A claim: `metric` of `ours`, set against `peer` in the way `kind` says, is `at_most` (`None`: only shown).

    Kinds: "ratio" and "difference" of medians, "amount" (the median itself), "worst" (the largest value).
    """

    kind: str
    metric: str
    ours: str
    peer: str = ""
    at_most: float | None = None


def ratio(metric: str, ours: str, peer: str, at_most: float | None = None) -> Target:
    """Claim the ratio of the medians of two contenders."""
    return Target("ratio", metric, ours, peer, at_most)


def difference(metric: str, ours: str, peer: str, at_most: float | None = None) -> Target:
    """Claim by how much the median of one contender exceeds the median of another."""
    return Target("difference", metric, ours, peer, at_most)


def amount(metric: str, ours: str, at_most: float | None = None) -> Target:
    """Claim a median in its own unit: seconds, bytes, or a count."""
    return Target("amount", metric, ours, "", at_most)


def worst(metric: str, ours: str, at_most: float | None = None) -> Target:
    """Claim the largest value of all rounds."""
    return Target("worst", metric, ours, "", at_most)


@dataclass(frozen=True)
class Case:
    """One piece of work: `make(size)` builds the object, the contenders take turns, the targets judge.

    `check(build, loaded)` says whether a load gave the object back, where `build()` makes another such object. A
    `cached` object is made once and handed on as a protocol-4 pickle; its arrays own their memory as made ones do. The
    files of a case that is `in_memory` lie in a file system in memory.
    """

    row: str
    name: str
    make: Callable[[int], Any]
    size: int
    contenders: tuple[Contender, ...]
    targets: tuple[Target, ...] = ()
    steps: tuple[str, ...] = ("dump", "load")
    rounds: int = 5
    check: Callable[[Callable[[], Any], Any], bool] | None = None
    cached: bool = False
    in_memory: bool = False

    @property
    def key(self) -> str:
        """Name the case uniquely."""
        return f"{self.row}: {self.name}"

    def contender(self, name: str) -> Contender:
        """Return the contender with this name."""
        return next(contender for contender in self.contenders if contender.name == name)


def cases_of(row: str, scale: Scale) -> list[Case]:
    """Return the cases of one row at a scale, those that this machine can run."""
    module = importlib.import_module(f"benchmarks.rows.{ROWS[row]}")
    return [case for case in module.cases(scale) if case.row == row and (MEMORY.is_dir() or not case.in_memory)]


def find_case(key: str, scale: Scale) -> Case:
    """Return the case with this key."""
    return next(case for case in cases_of(key.split(":")[0], scale) if case.key == key)
