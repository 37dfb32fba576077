"""How much memory a process needs, without the clean pages of mapped files, which the system can take back.

Rule: only `RssFile` is left out. Pages of files on tmpfs (`RssShmem`) count, since the system cannot take them back.
"""

from __future__ import annotations

import os
import re

__all__ = ["CAN_MEASURE", "private_memory"]

_FIELDS = re.compile(rb"^(VmRSS|RssFile):\s+(\d+) kB", re.MULTILINE)


def private_memory(pid: int | str = "self") -> int:
    """Return the resident memory of a process without the pages of mapped files, in bytes.

    Raises:
        OSError: the process does not exist.
    """
    with open(f"/proc/{pid}/status", "rb") as file:
        found = {name: int(value) for name, value in _FIELDS.findall(file.read())}
    return max(found.get(b"VmRSS", 0) - found.get(b"RssFile", 0), 0) * 1024


def _can_measure() -> bool:
    try:
        with open("/proc/self/status", "rb") as file:
            return b"RssFile:" in file.read()
    except OSError:
        return False


CAN_MEASURE = os.name == "posix" and _can_measure()
