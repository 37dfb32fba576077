"""Brings ranges of a mapped file into the page cache, in whichever thread asks for it.

Rule: no byte is touched through the mapping. The file may have been cut since it was mapped, and the system would end a
process that touches what is no longer there. `MADV_POPULATE_READ` (Linux 5.14) returns an error instead, and maps the
pages as well, so that touching them later is no page fault. Elsewhere the file is read by its descriptor.
"""

from __future__ import annotations

import errno
import mmap
import os
import sys
import weakref
from contextlib import suppress
from functools import lru_cache
from typing import Callable

import numpy as np

from .linux import POPULATE_READ, WILL_NEED, advise_memory

__all__ = ["Fetcher", "Populating", "Reading", "can_populate", "read_some"]

# A read ends when this much is there, so that four threads need little memory, and a stop is soon obeyed.
_PIECE = 1 << 20


class Fetcher:
    """Brings ranges of one mapped file into the page cache, while its mapping lives. Positions count from the header.

    It refers to the mapping only for the time of a call: the mapping ends with the last array that uses it.

    Args:
        mapping: a weak reference to the mapping.
        base: position of the header in the mapping, in bytes.
    """

    def __init__(self, mapping: Callable[[], mmap.mmap | None], base: int):
        self._mapping = mapping
        self._base = base

    @property
    def wanted(self) -> bool:
        """Whether the mapping still lives."""
        return self._mapping() is not None

    def fetch(self, start: int, stop: int) -> None:
        """Bring a range of the file into the page cache, and wait until it is there; nothing if the mapping has ended.

        Raises:
            OSError: the system does not do it, or the file has fewer bytes now.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Release what this object opened."""


class Populating(Fetcher):
    """Lets the kernel fill the page cache and the page tables of this process.

    Args:
        mapping: see `Fetcher`.
        base: see `Fetcher`.
        address: where the mapping begins in memory.
    """

    def __init__(self, mapping: Callable[[], mmap.mmap | None], base: int, address: int):
        super().__init__(mapping, base)
        self._address = address

    def fetch(self, start: int, stop: int) -> None:
        mapping = self._mapping()  # which cannot end before this function does
        if mapping is None:
            return
        begin = (self._base + start) & -mmap.PAGESIZE
        place = self._address + begin, self._base + stop - begin
        with suppress(OSError):  # this only begins to read, in larger pieces than page faults would
            advise_memory(*place, WILL_NEED)
        advise_memory(*place, POPULATE_READ)


class Reading(Fetcher):
    """Reads the file by a descriptor of its own, and drops what it has read.

    Args:
        mapping: see `Fetcher`.
        base: see `Fetcher`.
        fd: a descriptor of the file, which stays the caller's: it is duplicated here.
    """

    def __init__(self, mapping: Callable[[], mmap.mmap | None], base: int, fd: int):
        super().__init__(mapping, base)
        self._fd = os.dup(fd)
        _reading.add(self)

    def fetch(self, start: int, stop: int) -> None:
        memory = np.empty(min(_PIECE, stop - start), np.uint8).data
        position, end = self._base + start, self._base + stop
        while position < end and self.wanted:
            got = read_some(self._fd, memory[: end - position], position)
            if not got:
                raise OSError(errno.EFAULT, "the file has been cut")
            position += got

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        _reading.discard(self)
        if fd >= 0:
            os.close(fd)


_reading: weakref.WeakSet[Reading] = weakref.WeakSet()


def read_some(fd: int, view: memoryview, position: int) -> int:
    """Read some bytes of a file into memory; return how many, 0 only at the end of the file."""
    if hasattr(os, "preadv"):
        return os.preadv(fd, [view], position)
    data = os.pread(fd, len(view), position)
    view[: len(data)] = data
    return len(data)


@lru_cache(maxsize=None)
def can_populate() -> bool:
    """Return whether the kernel knows `MADV_POPULATE_READ`. It tells for a range without bytes, too."""
    try:
        advise_memory(0, 0, POPULATE_READ)
    except OSError:
        return False
    return sys.platform == "linux"


def _after_fork() -> None:
    """Close the descriptors of the parent's work, which goes on in the parent alone."""
    for each in list(_reading):
        each.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
