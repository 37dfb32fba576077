"""The files that this process has mapped: one read-only mapping for each file, however many tasks load from it.

Rule: a mapping lives as long as anything that was loaded from it, and is found again by the identity of the file, so
that a file put in another's place is never taken for it. The table tells where in which file a piece of memory lies.
"""

from __future__ import annotations

import errno
import mmap
import os
import sys
import threading
import warnings
from bisect import bisect_right
from typing import Any, NamedTuple, Tuple
from weakref import WeakValueDictionary, ref

import numpy as np

from binpickle.errors import FormatWarning

from ..folder.paths import naming_host

__all__ = ["Place", "Signature", "find_place", "is_there", "map_file", "map_place"]

# Device, inode, size and time of change in ns: what tells a file from any other that has borne its name.
Signature = Tuple[int, int, int, int]


class Place(NamedTuple):
    """A piece of a file: its path and signature, where the piece begins and how long it is, in bytes."""

    path: str
    signature: Signature
    offset: int
    nbytes: int


class _Region(NamedTuple):
    end: int
    path: str
    signature: Signature
    mapping: Any  # a weak reference: the same file may be mapped elsewhere by now


_lock = threading.Lock()
_mappings: WeakValueDictionary[Signature, mmap.mmap] = WeakValueDictionary()
# Start addresses in order, and what lies there. Stale ones are dropped when they are met, or their place is taken.
_starts: list[int] = []
_regions: dict[int, _Region] = {}
_warned: list[str] = []


def _forget_all() -> None:
    """Begin anew in a process that was forked, maybe while another thread was at these tables."""
    global _lock, _mappings
    _lock = threading.Lock()
    _mappings = WeakValueDictionary()
    _starts.clear()
    _regions.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def map_file(path: str) -> Any:
    """Return a file's bytes as a read-only buffer: mapped, or in memory where no more files can be mapped.

    Raises:
        OSError: from the operating system, with the host.
    """
    with naming_host():
        descriptor = _open(path)
        try:
            signature = _signature(os.fstat(descriptor))
            with _lock:
                mapping = _mappings.get(signature)
                return mapping if mapping is not None else _map(descriptor, path, signature)
        finally:
            os.close(descriptor)


def find_place(address: int, nbytes: int) -> Place | None:
    """Return where in a mapped file a piece of memory lies; `None` if it does not."""
    with _lock:
        at = bisect_right(_starts, address) - 1
        if at < 0:
            return None
        start = _starts[at]
        region = _regions[start]
        if region.mapping() is None:
            del _starts[at], _regions[start]
            return None
    if address + nbytes > region.end:
        return None
    return Place(region.path, region.signature, address - start, nbytes)


def is_there(place: Place) -> bool:
    """Return whether the path of a place still leads to the file that is meant."""
    try:
        return _signature(os.stat(place.path)) == place.signature
    except OSError:
        return False


def map_place(place: Place) -> memoryview:
    """Return a piece of a file that some process has mapped, read-only.

    Raises:
        OSError: from the operating system, with the host; `FileNotFoundError` also if another file has the name now.
    """
    with _lock:
        mapping: Any = _mappings.get(place.signature)
    if mapping is None:
        with naming_host():
            if not is_there(place):
                os.stat(place.path)
                raise FileNotFoundError(errno.ENOENT, "another file has taken the name", place.path)
        mapping = map_file(place.path)
    return memoryview(mapping)[place.offset : place.offset + place.nbytes]


def _signature(status: os.stat_result) -> Signature:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _map(descriptor: int, path: str, signature: Signature) -> Any:
    if not signature[2]:  # which cannot be mapped
        return b""
    options = {"trackfd": False} if sys.version_info >= (3, 13) and os.name == "posix" else {}
    try:
        mapping = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ, **options)
    except OSError as error:
        if error.errno not in (errno.ENOMEM, errno.EMFILE, errno.ENODEV, errno.EACCES, errno.EINVAL):
            raise
        return _read(descriptor, signature[2], error)
    start = np.frombuffer(mapping, np.uint8).__array_interface__["data"][0]
    at = bisect_right(_starts, start)
    _forget(at, start, start + signature[2])
    _starts.insert(bisect_right(_starts, start), start)
    _regions[start] = _Region(start + signature[2], path, signature, ref(mapping))
    _mappings[signature] = mapping
    return mapping


def _forget(at: int, start: int, end: int) -> None:
    """Drop regions whose memory the system has given to a new mapping."""
    while at > 0 and _regions[_starts[at - 1]].end > start:
        at -= 1
        del _regions[_starts.pop(at)]
    while at < len(_starts) and _starts[at] < end:
        del _regions[_starts.pop(at)]


def _open(path: str) -> int:
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, flags)
    except OSError as error:
        if error.errno != errno.EMFILE or not _raise_limit():
            raise
        return os.open(path, flags)


def _raise_limit() -> bool:
    """Let this process have as many open files as the system allows: before Python 3.13 each mapping keeps one."""
    try:
        import resource
    except ImportError:
        return False
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return False
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return True


def _read(descriptor: int, size: int, error: OSError) -> bytes:
    if not _warned:
        _warned.append(str(error))
        warnings.warn(f"parts are read into memory, this process can map no more: {error}", FormatWarning, stacklevel=2)
    with open(os.dup(descriptor), "rb") as file:
        return file.read(size)
