"""From what a caller gave as the file to write to the sink that takes the bytes.

Rule: a path gets an `AtomicFile`, unless a device or a pipe has that path: there is nothing to replace then.
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
    """Return the sink for what a caller gave as `file`.

    Raises:
        TypeError: it is neither a path nor a binary file object, or a file object with arguments that need a path.
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
    """A FIFO or device: nothing to replace, so written directly."""

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
        return None  # opening it will say what is wrong
    if exclusive or stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    return _SpecialFile(path)
