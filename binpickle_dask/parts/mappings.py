"""The files that this process has mapped: one read-only mapping for each file, however many tasks load from it.

Goals: tasks that load the same file share its mapping, and for any piece of memory one can ask which piece of which
file it is. States: a mapping lives as long as any object that was loaded from it; the tables hold weak references only.
A stale region, whose mapping is dead, is dropped when it is met, or when a new mapping gets its addresses.

Rule: files are told apart by their signature, never by their path. `_lock` guards all tables.
"""

from __future__ import annotations

import errno
import mmap
import os
import threading
import warnings
from bisect import bisect_right
from typing import Callable, NamedTuple, Tuple, Union
from weakref import WeakValueDictionary, ref

import numpy as np

from binpickle.errors import FormatWarning
from binpickle.files import CANNOT_MAP, map_descriptor

from ..folder.hosts import naming_host

__all__ = ["Place", "Signature", "find_place", "is_there", "map_file", "map_place"]

# Device, inode, size in bytes and time of change in ns: these tell a file from any other file of the same name.
Signature = Tuple[int, int, int, int]
FileBytes = Union[mmap.mmap, bytes]


class Place(NamedTuple):
    """A piece of a file: the path and the signature of the file, the offset and the length of the piece in bytes."""

    path: str
    signature: Signature
    offset: int
    nbytes: int


class _Region(NamedTuple):
    end: int
    path: str
    signature: Signature
    mapping: Callable[[], mmap.mmap | None]  # a weak reference; the file may be mapped elsewhere by now


_lock = threading.Lock()
_mappings: WeakValueDictionary[Signature, mmap.mmap] = WeakValueDictionary()
# Start addresses in order, and the region that begins at each.
_starts: list[int] = []
_regions: dict[int, _Region] = {}
_warned: list[str] = []


def _forget_all() -> None:
    """Start with empty tables in a forked process: another thread may have been changing them during the fork."""
    global _lock, _mappings
    _lock = threading.Lock()
    _mappings = WeakValueDictionary()
    _starts.clear()
    _regions.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def map_file(path: str) -> FileBytes:
    """Return the bytes of a file as a read-only buffer. It is mapped, or read if no more files can be mapped.

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
    """Return the piece of a mapped file that a piece of memory is; `None` if the memory is not mapped."""
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
    """Return whether the path of a place still leads to the same file."""
    try:
        return _signature(os.stat(place.path)) == place.signature
    except OSError:
        return False


def map_place(place: Place) -> memoryview:
    """Map the file of a place, and return that piece of it, read-only.

    Raises:
        FileNotFoundError: the file is gone, or another file has its name now.
        OSError: from the operating system, with the host.
    """
    with _lock:
        mapping: FileBytes | None = _mappings.get(place.signature)
    if mapping is None:
        with naming_host():
            if not is_there(place):
                os.stat(place.path)
                raise FileNotFoundError(errno.ENOENT, "another file has taken the name", place.path)
        mapping = map_file(place.path)
    return memoryview(mapping)[place.offset : place.offset + place.nbytes]


def _signature(status: os.stat_result) -> Signature:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _map(descriptor: int, path: str, signature: Signature) -> FileBytes:
    if not signature[2]:  # an empty file cannot be mapped
        return b""
    try:
        mapping = map_descriptor(descriptor, signature[2])
    except OSError as error:
        if error.errno not in {errno.ENOMEM, errno.EMFILE, *CANNOT_MAP}:
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
    """Drop regions whose addresses the system has given to a new mapping. `at`: where `start` belongs in `_starts`."""
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
    """Let this process open as many files as the system allows: before Python 3.13 each mapping keeps one open."""
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
    """Read a file that could not be mapped, with one warning in each process."""
    if not _warned:
        _warned.append(str(error))
        message = f"parts are read into memory, since this process cannot map more files: {error}"
        warnings.warn(message, FormatWarning, stacklevel=2)
    with open(os.dup(descriptor), "rb") as file:
        return file.read(size)
