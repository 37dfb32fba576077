"""Opens the sink of the bytes for the file that a caller gives to write.

Rule: a path gets an `AtomicFile`, unless it is the path of a device or FIFO, which cannot be replaced.
"""

from __future__ import annotations

import io
import os
import stat
from typing import Any

from .atomic import AtomicFile, naming
from .origin import makefile_hint
from .sink import FileSink, Sink

__all__ = ["open_sink"]


def open_sink(file: Any, durable: bool | None = None, exclusive: bool = False) -> Sink:
    """Return the sink that takes the bytes of a file.

    Args:
        file: the file that the caller of `dump` gave.
        durable: see `AtomicFile`.
        exclusive: see `AtomicFile`.

    Raises:
        TypeError: `file` is neither a path nor a binary file object; or it is a file object, and an argument needs a
            path.
        OSError: the path cannot be written.
    """
    if durable not in (None, False, True):
        raise TypeError(f"durable must be None, True or False, not {durable!r:.80}")
    if isinstance(file, (str, os.PathLike)):
        path = os.fsdecode(file)
        return _special_file(path, exclusive) or AtomicFile(path, durable, exclusive)
    if not callable(getattr(file, "write", None)) or isinstance(file, io.TextIOBase):
        hint = makefile_hint(file, "wb")
        raise TypeError(f"file must be a path or a binary file object with write, not {type(file).__name__}{hint}")
    if durable or exclusive:
        raise TypeError("durable and exclusive need a path: a file object is the caller's to open and to sync")
    return FileSink(file)


class _SpecialFile(FileSink):
    """Writes directly to a FIFO or device, which cannot be replaced."""

    def __init__(self, path: str):
        self._path = path
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - closed by abort, which always follows
        super().__init__(self._file)

    def write(self, data: Any) -> None:
        with naming(self._path):
            super().write(data)

    def abort(self) -> None:
        self._file.close()


def _special_file(path: str, exclusive: bool) -> Sink | None:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return None  # AtomicFile opens it, and raises the error
    if exclusive or stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    return _SpecialFile(path)
