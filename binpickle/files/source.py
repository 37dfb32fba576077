"""Sources: the bytes of a file, from a descriptor, from memory, or from a seekable file object.

Rule: a source gives any range of the file, in any thread; positions count from the header. Only regular files can be
mapped.
"""

from __future__ import annotations

import mmap
import os
import threading
import weakref
from typing import Any, Iterable, Tuple

import numpy as np

from ..errors import FormatError
from .mapping import CANNOT_MAP, map_descriptor
from .mounts import is_networked, read_ahead
from .pagecache import Fetcher, Mapped, Populating, Reading, can_populate, read_some
from .reader import Reader

__all__ = ["BytesSource", "DescriptorSource", "FileSource", "Source", "name_of"]

# A file object is read in pieces of this size, so that a large range is not in memory twice.
_PIECE = 1 << 20


class Source:
    """The bytes of one file.

    Attributes:
        name: name of the file for error messages, or `None`.
        size: size of the file in bytes, from the header to the end.
        path: absolute path by which the file can be opened again, or `None`.
        remote: whether each read of bytes that were not planned costs a request. Padding is then checked where it is
            fetched with the chunk behind it, and not when the file is opened.
    """

    name: str | None = None
    path: str | None = None
    remote = False
    size: int

    def read_into(self, offset: int, out: np.ndarray) -> None:
        """Fill `out` (uint8, 1-d) with the bytes from `offset` on; in any thread.

        Raises:
            FormatError: the file ends before `out` is full.
        """
        raise NotImplementedError

    def read(self, offset: int, nbytes: int) -> Any:
        """Return `nbytes` bytes from `offset` on, as a bytes-like object of any kind; in any thread.

        Raises:
            FormatError: the file ends before.
        """
        if offset + nbytes > self.size:
            raise self._truncated(offset, nbytes)
        out = np.empty(nbytes, np.uint8)
        self.read_into(offset, out)
        return out

    def plan(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Take note of what will be read, so that a source far away can fetch it ahead, in few requests.

        Every reader tells its source of a range before it reads any of it. Some reads never come, since an error or a
        refusal comes first; a range may be read in parts, or twice. Files on this machine gain nothing by it, so this
        does nothing.

        Args:
            ranges: start and stop of each range of the file, in the order of the reads, which follow those of earlier
                calls. They are made while the source goes through them, before it returns.
        """

    def map(self, writable: bool) -> np.ndarray | None:
        """Return the whole file as an array that shares its memory, or `None` if it cannot be mapped.

        Args:
            writable: map copy-on-write instead of read-only.
        """
        return None

    @property
    def is_networked(self) -> bool:
        """Whether the file is known to be on a file system of a network, where each page fault takes long."""
        return False

    def fetcher(self) -> Fetcher | None:
        """Return what brings ranges of the mapped file into the page cache, if the file is mapped; else `None`."""
        return None

    def close(self) -> None:
        """Release what this source opened itself. Arrays that it mapped stay valid."""

    def _truncated(self, offset: int, nbytes: int) -> FormatError:
        return FormatError(f"the file is truncated: {nbytes} bytes wanted at {offset} of {self.size}; get it again")


class BytesSource(Source):
    """The bytes of a bytes-like object.

    Args:
        data: the object, contiguous.
        shared: whether `map` lets arrays share its memory.
    """

    def __init__(self, data: Any, shared: bool = False):
        view = memoryview(data).cast("B")
        self._data = np.frombuffer(view, np.uint8) if len(view) else np.empty(0, np.uint8)
        self._shared = shared
        self.size = len(self._data)

    def read_into(self, offset: int, out: np.ndarray) -> None:
        out[:] = self.read(offset, len(out))

    def read(self, offset: int, nbytes: int) -> Any:
        if offset + nbytes > self.size:
            raise self._truncated(offset, nbytes)
        return self._data[offset : offset + nbytes]

    def map(self, writable: bool) -> np.ndarray | None:
        if not self._shared:
            return None
        data = self._data[:]
        data.flags.writeable = False
        return data


# What returns the mapping and the array of all its bytes, as long as they live.
_Mapped = Tuple["weakref.ref[mmap.mmap]", "weakref.ref[np.ndarray]"]


class DescriptorSource(Source):
    """The bytes of a regular file, from `base` to its end.

    Args:
        fd: descriptor of the file.
        base: position of the header, in bytes.
        name: name of the file for error messages.
        owner: the file object that `fd` belongs to, if any; `close` then leaves `fd` open.
        end: the size of the whole file, if it is known.
    """

    def __init__(self, fd: int, base: int, name: str | None, owner: Any = None, end: int | None = None):
        self._fd = fd
        self._base = base
        self._owner = owner
        self._mapped: _Mapped | None = None
        self.name = name
        self.size = max((os.fstat(fd).st_size if end is None else end) - base, 0)

    def read_into(self, offset: int, out: np.ndarray) -> None:
        view = out.data
        while view:
            if self._fd < 0:
                raise ValueError("the file is closed")
            got = read_some(self._fd, view, self._base + offset)
            if not got:
                raise self._truncated(offset, len(view))
            view, offset = view[got:], offset + got

    def map(self, writable: bool) -> np.ndarray | None:
        try:
            mapping = map_descriptor(self._fd, self._base + self.size, writable=writable)
        except OSError as error:
            if error.errno in CANNOT_MAP:
                return None
            raise
        # A memoryview keeps mmap and np.memmap out of the base chain of the arrays. joblib would pass such arrays by
        # path and offset, and rebuild Fortran-ordered arrays wrongly.
        mapped = np.frombuffer(memoryview(mapping), np.uint8)
        self._mapped = weakref.ref(mapping), weakref.ref(mapped)
        return mapped[self._base :]

    @property
    def is_networked(self) -> bool:
        return self._fd >= 0 and is_networked(self._fd)

    def fetcher(self) -> Fetcher | None:
        array = None if self._mapped is None else self._mapped[1]()
        if self._mapped is None or array is None or self._fd < 0:
            return None
        mapped = Mapped(*self._mapped, array.__array_interface__["data"][0])
        if can_populate():
            return Populating(mapped, self._base, read_ahead(self._fd))
        try:
            return Reading(mapped, self._base, self._fd)
        except OSError:  # no more descriptors: the file is mapped all the same
            return None

    def close(self) -> None:
        fd, self._fd = self._fd, -1  # another file may get this number soon
        if self._owner is None and fd >= 0:
            os.close(fd)


class FileSource(Source):
    """The bytes of a file object that can seek; read under a lock.

    Args:
        reader: reads the file object.
        begin: the position of the header, as the file object counts.
        end: the position of the end.
    """

    def __init__(self, reader: Reader, begin: int, end: int):
        self._reader = reader
        self._lock = threading.Lock()
        self._begin = begin
        self.size = end - begin
        self.name = name_of(reader.file)

    def read_into(self, offset: int, out: np.ndarray) -> None:
        view = out.data
        with self._lock:
            self._reader.file.seek(self._begin + offset)
            while view:
                piece = self._reader.read(min(len(view), _PIECE))
                if not piece:
                    raise self._truncated(offset, len(view))
                piece = piece[: len(view)]  # `read` may give more than it is asked for
                view[: len(piece)] = piece
                view = view[len(piece) :]


def name_of(file: Any) -> str | None:
    """Return the name of a file object, for messages; `None` if it has none."""
    name = getattr(file, "name", None)
    return name if isinstance(name, str) else None
