"""Opens the source of the bytes for the file that a caller gives to read.

Rule: a path, or a file object over a regular file, is read by its descriptor; a file that cannot seek is spooled first.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import Any

from .source import DescriptorSource, FileSource, Source
from .spool import spool_file

__all__ = ["makefile_hint", "open_source"]

# The header and the bytes after it: enough to tell whether two readers show the same file.
_SAME = 64


def open_source(file: Any, limit: int) -> Source:
    """Return the source of the bytes of a file.

    Args:
        file: the file that the caller of `load` gave.
        limit: the largest number of bytes to accept from a file that must be spooled.

    Raises:
        LimitError: a file that must be spooled has more bytes.
        TypeError: `file` is neither a path nor a binary file object with `read`.
        OSError: the path cannot be opened.
    """
    if isinstance(file, (str, os.PathLike)):
        return _open_path(os.fsdecode(file), limit)
    if not callable(getattr(file, "read", None)) or isinstance(file, io.TextIOBase):
        hint = ": loads takes bytes" if isinstance(file, (bytes, bytearray, memoryview)) else makefile_hint(file, "rb")
        raise TypeError(f"file must be a path or a binary file object with read, not {type(file).__name__}{hint}")
    if not _seekable(file):
        return spool_file(file, limit)
    source = FileSource(file)
    return _descriptor_of(source, file) or source


def makefile_hint(file: Any, mode: str) -> str:
    """Return the end of an error message: a hint if the caller gave a socket for a file, else nothing."""
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
        return spool_file(file, limit)


def _descriptor_of(source: FileSource, file: Any) -> Source | None:
    """Return a source that reads the descriptor under a file object, if both show the same bytes.

    The `fileno` of gzip's and other wrappers belongs to the encoded file, whose bytes differ.
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
