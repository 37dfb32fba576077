"""How much memory a process really needs: clean pages of mapped files are the system's to take back at any time.

Rule: what is left out is `RssFile` alone. Files on tmpfs count (`RssShmem`), for they cannot be taken back.
"""

from __future__ import annotations

import os
import re

__all__ = ["CAN_MEASURE", "private_memory"]

_FIELDS = re.compile(rb"^(VmRSS|RssFile):\s+(\d+) kB", re.MULTILINE)


def private_memory(pid: int | str = "self") -> int:
    """Return the resident memory of a process without pages of mapped files, in bytes.

    Raises:
        OSError: there is no such process.
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
