"""System calls of Linux that Python does not offer: `fallocate`, `renameat2`, `statx` and `madvise` of any memory.

Rule: each function raises `OSError`, as those of `os` do. Where the C library lacks a call, the error is ENOSYS.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from functools import lru_cache
from typing import Any

__all__ = [
    "IMMUTABLE",
    "MOUNTED",
    "POPULATE_READ",
    "WILL_NEED",
    "advise_memory",
    "attributes",
    "c_function",
    "fallocate",
    "rename_to_new",
]

MOUNTED = 0x2000
"""The attribute of a file or folder that something is mounted on."""

IMMUTABLE = 0x10 | 0x20
"""The attributes of files that may not be removed: immutable, and append-only."""

WILL_NEED = 3
"""Advice to begin to read the pages of a file."""

POPULATE_READ = 22
"""Advice to read the pages of a file and to map them, and to return when that is done (Linux 5.14)."""

_INT, _UINT, _LONG, _TEXT, _BUFFER = ctypes.c_int, ctypes.c_uint, ctypes.c_int64, ctypes.c_char_p, ctypes.c_void_p
_SIZE = ctypes.c_size_t
_NO_REPLACE = 1
_NO_FOLLOW = 0x100
_STATX_BYTES = 256
_STATX_ATTRIBUTES = slice(8, 16)


def fallocate(fd: int, offset: int, nbytes: int) -> None:
    """Allocate room in a file.

    Not `os.posix_fallocate`: where a file system has no such call, the C library emulates it by writing every block.
    """
    _call("fallocate", (_INT, _INT, _LONG, _LONG), fd, 0, offset, nbytes)


def rename_to_new(folder: int, old: str, new: str) -> None:
    """Rename a file within a folder, given by its descriptor.

    Raises:
        FileExistsError: the new name exists.
    """
    _call("renameat2", (_INT, _TEXT, _INT, _TEXT, _UINT), folder, old, folder, new, _NO_REPLACE)


def attributes(folder: int, name: str) -> int:
    """Return the attributes of a file in a folder, given by its descriptor: bits such as `MOUNTED`."""
    found = ctypes.create_string_buffer(_STATX_BYTES)
    _call("statx", (_INT, _TEXT, _INT, _UINT, _BUFFER), folder, name, _NO_FOLLOW, 0, found)
    return int.from_bytes(found.raw[_STATX_ATTRIBUTES], sys.byteorder)


def advise_memory(address: int, nbytes: int, advice: int) -> None:
    """Tell the kernel how memory will be used. Other threads run Python meanwhile, unlike with `mmap.madvise`.

    Args:
        address: where the memory begins, a multiple of the page size.
        nbytes: its length.
        advice: one of the advices above. The kernel checks it for a range without bytes, too.
    """
    _call("madvise", (_BUFFER, _SIZE, _INT), address, nbytes, advice)


@lru_cache(maxsize=None)
def c_function(name: str, types: tuple[Any, ...]) -> Any:
    """Return a function of the C library, or `None` if it has no function of this name."""
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None) if os.name == "posix" else None
    if function is not None:
        function.argtypes = types
    return function


def _call(name: str, types: tuple[Any, ...], *args: Any) -> None:
    function = c_function(name, types)
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if function(*(os.fsencode(arg) if isinstance(arg, str) else arg for arg in args)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
