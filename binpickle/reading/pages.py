"""Memory in one piece, of which each part is given back to the system by itself.

Strategy: on Linux the parts of one mapping own its pages, and a page across the border of two parts is owned by both.
Separate allocations would do, but chunks are decoded into one piece of memory, and only large pieces get huge pages
from the kernel: filling smaller ones takes three times as long. Elsewhere the parts are copies of the whole.
"""

from __future__ import annotations

import mmap
import sys
import weakref
from bisect import bisect_left, bisect_right
from functools import lru_cache
from typing import Any, Sequence

import numpy as np

from ..codecs.buffers import aligned_memory
from ..errors import LimitError

__all__ = ["Memory", "allocate", "use_huge_pages"]

_PAGE = mmap.PAGESIZE
_HUGE_PAGE = 2 << 20
# Python has these numbers from 3.8 on. The kernel does not change them.
_DONT_NEED, _HUGE = 4, 14


def allocate(nbytes: int) -> np.ndarray:
    """Return fresh memory: uint8, 1-d, aligned.

    Raises:
        LimitError: there is not so much memory.
    """
    try:
        return aligned_memory(nbytes)
    except MemoryError:
        raise LimitError(f"{nbytes} bytes of memory are needed, more than there are", "decoded_bytes") from None


def use_huge_pages(memory: np.ndarray) -> None:
    """Ask the kernel to back fresh memory, uint8 and 1-d, by huge pages where it can; `allocate` need not be told."""
    calls = _calls(sys.platform) if memory.nbytes >= 2 * _HUGE_PAGE else None
    if calls is not None:
        start = memory.__array_interface__["data"][0]
        begin, end = _up(start), (start + memory.nbytes) // _PAGE * _PAGE
        calls.use_huge_pages(begin, end - begin)


class Memory:
    """Fresh memory in one piece, which is to be divided when it has been filled.

    Args:
        cuts: where the parts begin, and where the last one ends: ascending, the first is 0.

    Attributes:
        whole: all of it, uint8, 1-d.

    Raises:
        LimitError: there is not so much memory.
    """

    def __init__(self, cuts: Sequence[int]):
        self._cuts = cuts
        calls = _calls(sys.platform) if len(cuts) > 2 else None
        start = calls.map_memory(cuts[-1]) if calls is not None else None
        self._owners = [] if calls is None or start is None else _owners(calls, start, cuts)
        self.whole = allocate(cuts[-1]) if start is None else np.asarray(_Part(start, cuts[-1], self._owners))

    def parts(self) -> list[np.ndarray]:
        """Return the parts, each freed when no array refers to it any more, once this object and `whole` are gone."""
        ranges = list(zip(self._cuts, self._cuts[1:]))
        if self._owners:
            start = self.whole.__array_interface__["data"][0]
            return [np.asarray(_Part(start + a, b - a, own)) for (a, b), own in zip(ranges, self._owners)]
        return [self.whole] if len(ranges) == 1 else [self.whole[a:b].copy() for a, b in ranges]


class _Calls:
    """The system calls of the C library, which release the lock of the interpreter."""

    def __init__(self) -> None:
        import ctypes  # not every Python has it

        library = ctypes.CDLL(None)
        address, size, flags = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        self._failed = address(-1).value
        self._mmap, self._munmap, self._madvise = library.mmap, library.munmap, library.madvise
        self._mmap.argtypes, self._mmap.restype = (address, size, flags, flags, flags, ctypes.c_long), address
        self._munmap.argtypes = address, size
        self._madvise.argtypes = address, size, flags

    def map_memory(self, nbytes: int) -> int | None:
        """Map fresh memory that begins at a huge page; return its address, or `None` if the system has none."""
        protection, kind = mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        length = _up(nbytes)
        start = self._mmap(None, length + _HUGE_PAGE, protection, kind, -1, 0)
        if start is None or start == self._failed:
            return None
        skip = -start % _HUGE_PAGE
        if skip:
            self._munmap(start, skip)
        self._munmap(start + skip + length, _HUGE_PAGE - skip)
        self.use_huge_pages(start + skip, length)
        return int(start + skip)

    def use_huge_pages(self, start: int, nbytes: int) -> None:
        """Let the kernel back whole pages by huge ones."""
        self._madvise(start, nbytes, _HUGE)

    def unmap(self, start: int, nbytes: int) -> None:
        """Give pages back. Where a process has too many mappings to cut one more, only the memory of the pages goes."""
        if self._munmap(start, nbytes):
            self._madvise(start, nbytes, _DONT_NEED)


class _Pages:
    """Some pages, given back to the system when nothing refers to this object any more."""

    __slots__ = ("__weakref__",)

    def __init__(self, calls: _Calls, start: int, nbytes: int):
        weakref.finalize(self, calls.unmap, start, nbytes).atexit = False


def _owners(calls: _Calls, start: int, cuts: Sequence[int]) -> list[list[_Pages]]:
    """Return for each part of a mapping the owners of its pages: those within it, and those that it shares.

    Args:
        calls: the system calls.
        start: the address of the mapping.
        cuts: see `Memory`.
    """
    owners: list[list[_Pages]] = [[] for _ in cuts[1:]]
    # Between these borders each run of pages belongs to the same parts.
    borders = sorted({border for cut in cuts for border in (cut // _PAGE * _PAGE, _up(cut))})
    for begin, end in zip(borders, borders[1:]):
        pages = _Pages(calls, start + begin, end - begin)
        for part in owners[bisect_right(cuts, begin) - 1 : bisect_left(cuts, end)]:
            part.append(pages)
    return owners


class _Part:
    """Memory at an address, from which NumPy makes an array that keeps the owners of its pages.

    Args:
        start: the address.
        nbytes: the length.
        owners: what keeps the pages.
    """

    __slots__ = ("__array_interface__", "_owners")

    def __init__(self, start: int, nbytes: int, owners: Any):
        self.__array_interface__ = {"data": (start, False), "shape": (nbytes,), "typestr": "|u1", "version": 3}
        self._owners = owners


def _up(nbytes: int) -> int:
    """Round a length up to whole pages."""
    return -(-nbytes // _PAGE) * _PAGE


@lru_cache(maxsize=None)
def _calls(platform: str) -> _Calls | None:
    """Return the system calls, or `None` where pages cannot be given back one by one."""
    try:
        return _Calls() if platform == "linux" else None
    except (ImportError, AttributeError):  # a Python without ctypes, or a C library without these calls
        return None
