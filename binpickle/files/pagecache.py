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
from typing import Callable, NamedTuple

import numpy as np

from .linux import POPULATE_READ, WILL_NEED, advise_memory

__all__ = ["MOST_THREADS", "Fetcher", "Mapped", "Populating", "Reading", "can_populate", "read_some"]

MOST_THREADS = 4
"""Enough for the queue of a disk, and for a few requests to a server at a time. They wait, and compute nothing."""

_FAR_AHEAD = 2 << 20
# A read ends when this much is there, so that four threads need little memory, and a stop is soon obeyed.
_PIECE = 1 << 20


class Mapped(NamedTuple):
    """A mapping, by weak references: it ends with the last array that uses it.

    Attributes:
        mapping: returns the mapping, or `None` if it has ended.
        array: returns the array of all its bytes, which all other arrays of the mapping keep; `None` if there is none.
        address: where the mapping begins in memory.
    """

    mapping: Callable[[], mmap.mmap | None]
    array: Callable[[], np.ndarray | None]
    address: int


class Fetcher:
    """Brings ranges of one mapped file into the page cache, while arrays use it. Positions count from the header.

    A call may keep the mapping, so that no other memory takes its place meanwhile, but it never keeps the array that
    all other arrays are parts of. Else several threads would keep it from one call to the next.

    Args:
        mapped: the mapping, and the array of all its bytes.
        base: position of the header in the mapping, in bytes.

    Attributes:
        threads: how many threads should fetch at the same time.
    """

    threads = MOST_THREADS

    def __init__(self, mapped: Mapped, base: int):
        self._mapped = mapped
        self._base = base

    @property
    def wanted(self) -> bool:
        """Whether there is an array that uses the mapping."""
        return self._mapped.array() is not None

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

    Where the kernel reads far ahead of one thread, it reads large pieces into large pages, and several threads would
    only lead it astray: it has one state for all of them. Elsewhere several threads tell it what they will need.

    Args:
        mapped: see `Fetcher`.
        base: see `Fetcher`.
        ahead: how many bytes the kernel reads ahead.
    """

    def __init__(self, mapped: Mapped, base: int, ahead: int):
        super().__init__(mapped, base)
        self.threads = 1 if ahead >= _FAR_AHEAD else MOST_THREADS

    def fetch(self, start: int, stop: int) -> None:
        mapping = self._mapped.mapping()  # which cannot end before this function does
        if mapping is None:
            return
        begin = (self._base + start) & -mmap.PAGESIZE
        place = self._mapped.address + begin, self._base + stop - begin
        if self.threads > 1:
            with suppress(OSError):  # this only begins to read, in larger pieces than page faults would
                advise_memory(*place, WILL_NEED)
        advise_memory(*place, POPULATE_READ)


class Reading(Fetcher):
    """Reads the file by a descriptor of its own, and drops what it has read.

    Args:
        mapped: see `Fetcher`.
        base: see `Fetcher`.
        fd: a descriptor of the file, which stays the caller's: it is duplicated here.
    """

    def __init__(self, mapped: Mapped, base: int, fd: int):
        super().__init__(mapped, base)
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
