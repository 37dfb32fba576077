"""How much memory the page cache may still take, as the system and the control groups of this process see it."""

from __future__ import annotations

import os

from .cgroups import memory_left

__all__ = ["available_memory"]


def available_memory(root: str = "/") -> int:
    """Return how many bytes could be used without swapping: free memory, and pages of files, which can be read again.

    Where the system does not tell, this is a quarter of its memory, or 0 if that is not known either.

    Args:
        root: the folder that has `proc` and `sys`.
    """
    system = _of_system(root)
    groups = memory_left(root)
    return system if groups is None else min(system, groups)


def _of_system(root: str) -> int:
    try:
        with open(os.path.join(root, "proc/meminfo"), encoding="ascii", errors="replace") as file:
            counts = dict(line.split(":", 1) for line in file if ":" in line)
        return int(counts["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
    except (AttributeError, OSError, ValueError):  # Windows
        return 0
