"""How many CPUs this process may use: its affinity, and the quota of its control groups (containers)."""

from __future__ import annotations

import math
import os
from functools import lru_cache
from operator import index

from .cgroups import cpu_quota

__all__ = ["check_threads", "has_idle_cpu", "usable_cpus"]


def usable_cpus() -> int:
    """Return how many threads can work at the same time, at least 1."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        count = os.cpu_count() or 1
    quota = _quota()
    return count if quota is None else max(1, min(count, math.ceil(quota)))


def has_idle_cpu() -> bool:
    """Return whether a second thread would find a CPU that nobody uses, by the load of the last minute.

    A thread that only spares another one work takes time from it where none is idle: each waits for the interpreter's
    lock while the other one holds it and has no CPU.
    """
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows, or a system that does not tell
        return True
    return load < usable_cpus() - 0.5


def check_threads(threads: int | None) -> int:
    """Return the number of threads for the argument `threads`: by default one for each usable CPU.

    Raises:
        TypeError: `threads` is not an integer.
        ValueError: `threads` is less than 1.
    """
    if threads is None:
        return usable_cpus()
    try:
        count = index(threads)
    except TypeError:
        count = None
    if count is None or isinstance(threads, bool):
        raise TypeError(f"threads must be an integer or None, not {threads!r}")
    if count < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    return count


@lru_cache(maxsize=None)
def _quota() -> float | None:
    return cpu_quota()
