"""Mapping a regular file into memory: the options, and the errors of files that cannot be mapped."""

from __future__ import annotations

import errno
import mmap
import os
import sys

__all__ = ["CANNOT_MAP", "map_descriptor"]

CANNOT_MAP = frozenset([errno.ENODEV, errno.EACCES, errno.EINVAL])
"""The errors of a file system that maps no files."""


def map_descriptor(fd: int, nbytes: int, *, writable: bool = False) -> mmap.mmap:
    """Return a mapping of a regular file, from its first byte; from Python 3.13 on it keeps no descriptor of its own.

    Args:
        fd: descriptor of the file, opened for reading.
        nbytes: length of the mapping, more than 0; the file has at least as many bytes.
        writable: map copy-on-write: changes stay in this process. Otherwise the mapping is read-only.

    Raises:
        OSError: the operating system refused. Its `errno` is in `CANNOT_MAP` if the file system maps no files.
    """
    access = mmap.ACCESS_COPY if writable else mmap.ACCESS_READ
    options = {"trackfd": False} if sys.version_info >= (3, 13) and os.name == "posix" else {}
    return mmap.mmap(fd, nbytes, access=access, **options)
