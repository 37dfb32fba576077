"""Which pages of a file are in the page cache, evicting them, and stand-ins for the calls that fetch them."""

from __future__ import annotations

import ctypes
import mmap
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from internals import linux_module, pagecache, prefetching

__all__ = ["PAGE", "WAYS", "Gate", "choose_way", "end_of_fetching", "evict", "fetching_threads", "resident"]

PAGE = mmap.PAGESIZE
WAYS = ["populate", "follow", "read"]


def choose_way(patch: pytest.MonkeyPatch, way: str) -> None:
    """Let files be fetched by `MADV_POPULATE_READ`, or by reading as on systems that lack it.

    To `follow` is to use one thread, as where the kernel reads far ahead.
    """
    if way == "read":
        patch.setattr(pagecache, "can_populate", lambda: False)
        patch.setattr("binpickle.files.source.can_populate", lambda: False)
    elif not pagecache.can_populate():
        pytest.skip("the kernel has no MADV_POPULATE_READ")
    patch.setattr("binpickle.files.source.read_ahead", lambda fd: 8 << 20 if way == "follow" else 128 << 10)


def evict(path: Path) -> None:
    """Drop a file from the page cache; skip the test where that cannot be."""
    if not hasattr(os, "posix_fadvise"):
        pytest.skip("the system cannot be told to drop a file from the page cache")
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if resident(path).any():
        pytest.skip("the file system keeps all files in the page cache")


def resident(path: Path) -> np.ndarray:
    """Return for each page of a file whether it is in the page cache."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        states = (ctypes.c_ubyte * -(-len(mapped) // PAGE))()
        data = np.frombuffer(mapped, np.uint8)
        failed = ctypes.CDLL(None).mincore(ctypes.c_void_p(data.ctypes.data), ctypes.c_size_t(len(data)), states)
        del data
    assert not failed
    return np.frombuffer(states, np.uint8) & 1 > 0


def fetching_threads() -> list[threading.Thread]:
    """Return the threads that fetch."""
    return [thread for thread in threading.enumerate() if thread.name == "binpickle-prefetch"]


def end_of_fetching() -> None:
    """Wait until nothing is fetched any more."""
    for thread in fetching_threads():
        thread.join(60)
        assert not thread.is_alive()


class Gate:
    """Halts every thread that fetches a window, until it is opened; counts the windows. Each has four pages.

    Args:
        way: how files are fetched: see `choose_way`.
        code: the error of each call from now on, 0 for none.
    """

    def __init__(self, patch: pytest.MonkeyPatch, way: str, code: int = 0):
        choose_way(patch, way)
        patch.setattr(prefetching, "WINDOW", 4 * PAGE)
        self.windows = 0
        self.code = code
        self._opened = threading.Event()
        self._lock = threading.Lock()
        self._read, self._function = pagecache.read_some, linux_module.c_function
        patch.setattr(pagecache, "read_some", self._read_some)
        patch.setattr(linux_module, "c_function", self._c_function)

    def open(self) -> None:
        """Let all threads go on."""
        self._opened.set()

    def _pass(self) -> None:
        with self._lock:
            self.windows += 1
        assert self._opened.wait(60)

    def _read_some(self, fd: int, *args: Any) -> int:
        self._pass()
        if self.code:
            raise OSError(self.code, os.strerror(self.code))
        return self._read(fd, *args)

    def _c_function(self, name: str, types: Any) -> Any:
        real = self._function(name, types)
        return real if name != "madvise" else lambda *args: self._advise(real, *args)

    def _advise(self, real: Any, address: int, nbytes: int, advice: int) -> int:
        if advice == linux_module.POPULATE_READ:
            self._pass()
        if self.code:
            ctypes.set_errno(self.code)
            return -1
        return real(address, nbytes, advice)
