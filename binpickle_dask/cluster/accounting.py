"""How much memory a process really needs: clean pages of mapped files are the system's to take back at any time.

Rule: what is left out is `RssFile` alone. Files on tmpfs count (`RssShmem`), for they can not be taken back.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import os
import re
from typing import Any, Callable

import numpy as np
from dask.sizeof import sizeof

from ..mappings import find_place

__all__ = ["CAN_MEASURE", "count_mapped_as_nothing", "private_memory"]

_FIELDS = re.compile(rb"^(VmRSS|RssFile):\s+(\d+) kB", re.MULTILINE)
# A mapped array still has an object, and a place in a task.
_SMALL = 256


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


def count_mapped_as_nothing() -> Callable[[], None]:
    """Let dask's `sizeof` count mapped arrays as small; return what undoes it."""
    sizeof(np.empty(0))  # registers what dask has for NumPy
    plain = sizeof.dispatch(np.ndarray)

    def sizeof_array(array: Any) -> int:
        if array.nbytes and find_place(array.__array_interface__["data"][0], 1) is not None:
            return _SMALL
        return int(plain(array))

    def undo() -> None:
        sizeof.register(np.ndarray, plain)

    sizeof.register(np.ndarray, sizeof_array)
    return undo
