"""How many CPUs this process may use: its affinity, and the quota of its control group (containers)."""

from __future__ import annotations

import math
import os
from functools import lru_cache

__all__ = ["check_threads", "usable_cpus"]


def usable_cpus() -> int:
    """Return how many threads can work at the same time, at least 1."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        count = os.cpu_count() or 1
    quota = _quota()
    return count if quota is None else max(1, min(count, math.ceil(quota)))


def check_threads(threads: int | None) -> int:
    """Return the number of threads for the argument `threads`: by default one for each usable CPU.

    Raises:
        TypeError: `threads` is not an integer.
        ValueError: `threads` is less than 1.
    """
    if threads is None:
        return usable_cpus()
    if isinstance(threads, bool) or not isinstance(threads, int):
        raise TypeError(f"threads must be an integer or None, not {threads!r}")
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    return threads


@lru_cache(maxsize=None)
def _quota() -> float | None:
    """Return how many CPUs the control group grants, `None` if it sets no quota.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max).
    """
    limits = _numbers("/sys/fs/cgroup/cpu.max") or (
        _numbers("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") + _numbers("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
    )
    return limits[0] / limits[1] if len(limits) == 2 and limits[0] > 0 and limits[1] > 0 else None


def _numbers(path: str) -> list[float]:
    try:
        with open(path) as file:
            return [float(word) for word in file.read().split()]
    except (OSError, ValueError):  # no such file, or "max"
        return []
