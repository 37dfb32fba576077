"""Where a file's bytes come from: a path or descriptor, memory, or any file object.

Rule: a source gives any range of the file, from any thread; positions count from the header. Only regular files can be
mapped. What cannot seek is spooled first.
"""

from __future__ import annotations

import errno
import io
import mmap
import os
import stat
import sys
import tempfile
import threading
from contextlib import contextmanager
from typing import IO, Any, Iterator

import numpy as np

from ..errors import FormatError, LimitError

__all__ = ["BytesSource", "DescriptorSource", "FileSource", "Source", "Spool", "makefile_hint", "open_source"]

# Unseekable sources stay in memory up to here, as most messages do; beyond it they go to an unnamed temporary file.
_SPOOL_BYTES = 16 << 20
_PIECE = 1 << 20
# The header, and some of what follows: enough to tell that two readers show the same file.
_SAME = 64


class Source:
    """The bytes of one file.

    Attributes:
        name: of the file, for messages, or `None`.
        size: in bytes, from the header to the end.
        path: absolute, where there is one to open the file again.
    """

    name: str | None = None
    path: str | None = None
    size: int

    def read_into(self, offset: int, out: np.ndarray) -> None:
        """Fill `out` (uint8, 1-d) with the bytes from `offset` on.

        Raises:
            FormatError: the file ends before.
        """
        raise NotImplementedError

    def read(self, offset: int, nbytes: int) -> Any:
        """Return that many bytes, as any bytes-like object.

        Raises:
            FormatError: the file ends before.
        """
        if offset + nbytes > self.size:
            raise self._truncated(offset, nbytes)
        out = np.empty(nbytes, np.uint8)
        self.read_into(offset, out)
        return out

    def map(self, writable: bool) -> np.ndarray | None:
        """Return the whole file as an array that shares its memory (writable: copy-on-write), or `None`."""
        return None

    def close(self) -> None:
        """Release what this source opened itself. Mapped arrays live on."""

    def _truncated(self, offset: int, nbytes: int) -> FormatError:
        return FormatError(f"the file is truncated: {nbytes} bytes wanted at {offset} of {self.size}; get it again")


class BytesSource(Source):
    """A bytes-like object.

    Args:
        data: contiguous.
        shared: let arrays share its memory, if they are mapped.
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


class DescriptorSource(Source):
    """A regular file, from `base` to its end.

    Args:
        fd: descriptor.
        base: position of the header.
        name: for messages.
        owner: the file object that `fd` belongs to, kept open; without one, `close` closes `fd`.
    """

    def __init__(self, fd: int, base: int, name: str | None, owner: Any = None):
        self._fd = fd
        self._base = base
        self._owner = owner
        self.name = name
        self.size = max(os.fstat(fd).st_size - base, 0)

    def read_into(self, offset: int, out: np.ndarray) -> None:
        view = out.data
        while view:
            got = self._read_some(view, self._base + offset)
            if not got:
                raise self._truncated(offset, len(view))
            view, offset = view[got:], offset + got

    def _read_some(self, view: memoryview, position: int) -> int:
        if self._fd < 0:
            raise ValueError("the file is closed")
        if hasattr(os, "preadv"):
            return os.preadv(self._fd, [view], position)
        data = os.pread(self._fd, len(view), position)
        view[: len(data)] = data
        return len(data)

    def map(self, writable: bool) -> np.ndarray | None:
        access = mmap.ACCESS_COPY if writable else mmap.ACCESS_READ
        # From 3.13 on a mapping need not keep a descriptor of its own.
        options = {"trackfd": False} if sys.version_info >= (3, 13) and os.name == "posix" else {}
        try:
            mapping = mmap.mmap(self._fd, self._base + self.size, access=access, **options)
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.EACCES, errno.EINVAL):  # this file system maps no files
                return None
            raise
        # Over a memoryview, so that no array's base chain ends in an mmap or np.memmap: joblib would then pass arrays
        # by path and offset, and rebuild Fortran-ordered ones wrongly.
        return np.frombuffer(memoryview(mapping), np.uint8)[self._base :]

    def close(self) -> None:
        fd, self._fd = self._fd, -1  # which another file may get soon
        if self._owner is None and fd >= 0:
            os.close(fd)


class FileSource(Source):
    """A seekable file object, read under a lock."""

    def __init__(self, file: Any):
        self._file = file
        self._lock = threading.Lock()
        self.base = file.tell()
        self.size = max(file.seek(0, io.SEEK_END) - self.base, 0)
        self.name = _name_of(file)

    def read_into(self, offset: int, out: np.ndarray) -> None:
        view = out.data
        with self._lock:
            self._file.seek(self.base + offset)
            while view:
                data = self._file.read(min(len(view), _PIECE))
                if not data:
                    raise self._truncated(offset, len(view))
                view[: len(data)] = data
                view = view[len(data) :]


def open_source(file: Any, limit: int) -> Source:
    """Return the source for what a caller gave as `file`.

    Args:
        file: see `load`.
        limit: bytes to accept of one that must be read to its end first.

    Raises:
        LimitError: there are more.
        TypeError: neither a path nor a binary file object with `read`.
        OSError: the path cannot be opened.
    """
    if isinstance(file, (str, os.PathLike)):
        return _open_path(os.fsdecode(file), limit)
    if not callable(getattr(file, "read", None)) or isinstance(file, io.TextIOBase):
        hint = ": loads takes bytes" if isinstance(file, (bytes, bytearray, memoryview)) else makefile_hint(file, "rb")
        raise TypeError(f"file must be a path or a binary file object with read, not {type(file).__name__}{hint}")
    if not _seekable(file):
        return _spool(file, limit)
    source = FileSource(file)
    return _descriptor_of(source, file) or source


def makefile_hint(file: Any, mode: str) -> str:
    """Return what to say to someone who gave a socket for a file; nothing otherwise."""
    return f": use its makefile({mode!r})" if callable(getattr(file, "makefile", None)) else ""


def _open_path(path: str, limit: int) -> Source:
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        source = DescriptorSource(fd, 0, path)
        source.path = os.path.abspath(path)
        return source
    if stat.S_ISDIR(mode):
        os.close(fd)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    with open(fd, "rb") as file:
        return _spool(file, limit)


def _descriptor_of(source: FileSource, file: Any) -> Source | None:
    """Return a source that reads the descriptor under a file object, if both show the same bytes.

    gzip's and other wrappers have a `fileno`, too, but of the file before it is decoded.
    """
    try:
        fd = file.fileno()
    except (AttributeError, OSError):
        return None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        return None
    direct = DescriptorSource(fd, source.base, source.name, owner=file)
    length = min(source.size, _SAME)
    same = direct.size == source.size and bytes(direct.read(0, length)) == bytes(source.read(0, length))
    return direct if same else None


def _seekable(file: Any) -> bool:
    try:
        return bool(file.seekable()) if hasattr(file, "seekable") else bool(file.seek(0, io.SEEK_CUR) or True)
    except (AttributeError, OSError, ValueError):
        return False


class Spool:
    """Collects what can be read only once: in memory, and from some size on in an unnamed temporary file."""

    def __init__(self, name: str | None = None):
        self._name = name
        self._pieces: list[bytes] = []
        self._size = 0
        self._file: IO[bytes] | None = None

    def fits(self, nbytes: int) -> bool:
        """Return whether that many more bytes would go to memory, so that adding them does no I/O."""
        return self._file is None and self._size + nbytes <= _SPOOL_BYTES

    def add(self, piece: bytes) -> None:
        """Take the next bytes."""
        if self._file is None and not self.fits(len(piece)):
            with _naming_temporary():
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by finish or close
                self._file.writelines(self._pieces)
            self._pieces.clear()
        self._size += len(piece)
        if self._file is None:
            self._pieces.append(piece)
        else:
            with _naming_temporary():
                self._file.write(piece)

    def finish(self) -> Source:
        """Return a source of all that was added."""
        if self._file is None:
            source: Source = BytesSource(b"".join(self._pieces))
            source.name = self._name
            return source
        with _naming_temporary():
            self._file.flush()
        source = DescriptorSource(os.dup(self._file.fileno()), 0, self._name)
        self.close()
        return source

    def close(self) -> None:
        """Drop everything."""
        if self._file is not None:
            self._file.close()
        self._pieces.clear()


@contextmanager
def _naming_temporary() -> Iterator[None]:
    """Name the folder in errors of the operating system: the file has no name, and nobody asked for it."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or tempfile.gettempdir()
        raise


def _spool(file: Any, limit: int) -> Source:
    """Copy what is left of an unseekable file object to where it can be read from."""
    spool, size = Spool(_name_of(file)), 0
    try:
        for piece in iter(lambda: file.read(_PIECE), b""):
            size += len(piece)
            if size > limit:
                raise LimitError(f"the file has more than {limit} bytes", "stored_bytes")
            spool.add(piece)
        return spool.finish()
    finally:
        spool.close()


def _name_of(file: Any) -> str | None:
    name = getattr(file, "name", None)
    return name if isinstance(name, str) else None
