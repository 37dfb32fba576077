"""Memory of this process, in bytes, from the kernel's own counters (Linux).

Rule: exact marks, no sampling thread that would disturb the timed call. The high-water mark is reset by writing 5 to
`/proc/self/clear_refs` and read as VmHWM. File-backed pages belong to the page cache and are taken out again: a call's
memory is the rise of the mark less the rise of RssFile. Pages of a file that were mapped and released during the call
stay counted, so the figure errs against a contender that maps, never for it.
"""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

import numpy as np

__all__ = ["HighWater", "proportional", "touch"]

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")
ROLLUP = Path("/proc/self/smaps_rollup")


def _fields(path: Path) -> dict[str, int]:
    """Read the `Name:  123 kB` lines of a file under /proc."""
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) == 3 and row[2] == "kB"}


def proportional() -> int:
    """Return the proportional set size: private pages, and of shared ones this process's share."""
    return _fields(ROLLUP)["Pss"]


def touch(nbytes: int) -> None:
    """Write to fresh memory and give it back, so that what a call takes next has been used before.

    In a virtual machine the host takes back what lies free for seconds; touching that again costs ten times as much,
    and strikes at random. A 256 MiB load was seen to take 60 or 650 ms of system time for it, and writes to the page
    cache likewise.
    """
    np.empty(nbytes, dtype=np.uint8).fill(1)


class HighWater:
    """The high-water mark of memory above the state at construction."""

    def __init__(self) -> None:
        gc.collect()
        # Heap that an earlier step freed would hide what the call takes.
        ctypes.CDLL(None).malloc_trim(0)
        CLEAR_REFS.write_text("5")
        self._before = _fields(STATUS)

    def rise(self) -> int:
        """Return the bytes by which the mark has risen since, file-backed pages left out."""
        after = _fields(STATUS)
        files = after["RssFile"] - self._before["RssFile"]
        return max(0, after["VmHWM"] - self._before["VmRSS"] - max(0, files))
