"""Opens the source of the bytes for the file that a caller gives to read.

Rule: a path, or a file object over a regular file, is read by its descriptor, and a file object that can seek by
seeking. Everything else is read once, from beginning to end, into a spool.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import TYPE_CHECKING, Any, Callable

from .reader import Reader
from .seeking import NOT_BELOW, decodes, find_end, position, source_below
from .source import BytesSource, DescriptorSource, FileSource, Source, name_of
from .spool import ENOUGH, START, spool_file
from .systemcalls import advise

if TYPE_CHECKING:
    from typing_extensions import TypeGuard

__all__ = ["is_path", "makefile_hint", "open_source"]


def open_source(file: Any, limit: int, check: Callable[[bytes], object] | None = None) -> Source:
    """Return the source of the bytes of a file.

    Args:
        file: the file that the caller of `load` gave, or a `Reader` of its file object.
        limit: the largest number of bytes to accept from a file that must be spooled.
        check: called with the first bytes of a file that must be spooled, before any other is read; see `spool_file`.

    Raises:
        LimitError: a file that must be spooled has more bytes.
        TypeError: `file` is neither a path nor a binary file object with `read`.
        ValueError: `seek` and `tell` of the file object contradict its `read`.
        OSError: the path cannot be opened.
        Exception: what `read` and `check` raise.
    """
    if is_path(file):
        return _open_path(os.fsdecode(file), limit, check)
    reader = file if isinstance(file, Reader) else Reader(file)
    file = reader.file
    if not callable(getattr(file, "read", None)) or isinstance(file, io.TextIOBase):
        hint = ": loads takes bytes" if isinstance(file, (bytes, bytearray, memoryview)) else makefile_hint(file, "rb")
        raise TypeError(f"file must be a path or a binary file object with read, not {type(file).__name__}{hint}")
    if _is_memory(file):
        return _open_memory(file)
    return _open_plain(file) if _is_plain(file) else _open_object(reader, limit, check)


def is_path(file: Any) -> TypeGuard[str | bytes | os.PathLike[str] | os.PathLike[bytes]]:
    """Whether the file that a caller gave is the path of one. The bytes of a file are none: they have NULs."""
    return isinstance(file, (str, os.PathLike)) or isinstance(file, bytes) and b"\0" not in file


def makefile_hint(file: Any, mode: str) -> str:
    """Return the end of an error message: a hint if the caller gave a socket for a file, else nothing."""
    return f": use its makefile({mode!r})" if callable(getattr(file, "makefile", None)) else ""


def _open_path(path: str, limit: int, check: Callable[[bytes], object] | None) -> Source:
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            error = IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
            raise advise(error, "give a file in it, or binpickle_dask.load if binpickle_dask.save wrote the folder")
        # Some file systems, such as that of /proc, tell no size; a file without bytes is a file like any other.
        start = b"" if status.st_size or not stat.S_ISREG(status.st_mode) else os.read(fd, 1)
    except BaseException:
        os.close(fd)
        raise
    if stat.S_ISREG(status.st_mode) and not start:
        source = DescriptorSource(fd, 0, path, end=status.st_size)
        source.path = path if os.path.isabs(path) else os.path.abspath(path)
        return source
    with open(fd, "rb", buffering=0) as file:  # a buffer would wait for more bytes than there may ever be
        return spool_file(Reader(file), limit, start, path, check)


def _is_memory(file: Any) -> bool:
    """Return whether a file object is a `BytesIO`, and reads as one."""
    if not isinstance(file, io.BytesIO) or "read" in vars(file):
        return False
    return all(getattr(type(file), name) is getattr(io.BytesIO, name) for name in ("read", "tell", "seekable"))


def _open_memory(file: io.BytesIO) -> Source:
    source = BytesSource(memoryview(file.getvalue())[file.tell() :])
    file.seek(0, io.SEEK_END)
    source.name = name_of(file)
    return source


def _is_plain(file: Any) -> bool:
    """Return whether a file object is what `open` gives for a regular file, which is known to tell the truth."""
    raw = file.raw if type(file) in (io.BufferedReader, io.BufferedRandom) else file
    if type(raw) is not io.FileIO or raw.closed or not raw.readable():
        return False
    return stat.S_ISREG(os.fstat(raw.fileno()).st_mode)


def _open_plain(file: Any) -> Source:
    begin = file.tell()
    file.seek(0, io.SEEK_END)  # which writes what is in the buffer
    return DescriptorSource(file.fileno(), begin, name_of(file), owner=file)


def _open_object(reader: Reader, limit: int, check: Callable[[bytes], object] | None) -> Source:
    file = reader.file
    begin = position(file)
    start = reader.read_start(START, ENOUGH)
    if begin is not None and len(start) <= START and not decodes(file):
        below = source_below(file, begin, start)
        end = None if below is NOT_BELOW else find_end(reader, begin, start)
        if end is not None:
            if below is not None and below.size == end - begin:
                below.name = name_of(file)
                return below  # type: ignore[no-any-return]
            return FileSource(reader, begin, end)
    return spool_file(reader, limit, start, name_of(file), check)
