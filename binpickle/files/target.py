"""Opens the sink of the bytes for the file that a caller gives to write.

Rule: a path gets an `AtomicFile`, unless it stands for a device, FIFO or descriptor, which cannot be replaced.
"""

from __future__ import annotations

import io
import os
from typing import Any

from .atomic import AtomicFile, naming
from .origin import is_path, makefile_hint
from .place import Place, find_place
from .sink import FileSink, Sink
from .systemcalls import attempt

__all__ = ["open_sink", "write_atomically"]


def write_atomically(path: str, data: Any, *, durable: bool | None = None, exclusive: bool = False) -> None:
    """Write a file that appears under its name whole or not at all, whatever fails or interrupts.

    A file that is replaced keeps its mode, and its owner, group, access control list and user attributes where the
    system allows it. A device or FIFO is written to directly.

    Args:
        path: path of the file; a symbolic link stays a link, and its target is replaced.
        data: the bytes of the file, as one contiguous bytes-like object.
        durable: `True` syncs the file and its folder to the disk, `None` syncs the file only if it replaces another,
            `False` syncs nothing.
        exclusive: refuse to replace a file; the operating system decides that at the end.

    Raises:
        FileExistsError: the name exists, and `exclusive` is given.
        IsADirectoryError: the path is a folder.
        OSError: the operating system refused a step; it names `path`.
    """
    with open_sink(path, durable, exclusive) as file:
        file.write(data)


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
    if is_path(file):
        return _open_path(os.fsdecode(file), durable, exclusive)
    if not callable(getattr(file, "write", None)) or isinstance(file, io.TextIOBase):
        hint = makefile_hint(file, "wb")
        raise TypeError(f"file must be a path or a binary file object with write, not {type(file).__name__}{hint}")
    if durable or exclusive:
        raise TypeError("durable and exclusive need a path: a file object is the caller's to open and to sync")
    return FileSink(file)


def _open_path(path: str, durable: bool | None, exclusive: bool) -> Sink:
    with naming(path):
        place = find_place(path, durable=bool(durable), exclusive=exclusive)
    if not place.special:
        return AtomicFile(path, place, durable, exclusive)
    place.folder.close()
    return _SpecialFile(path, place, durable)


class _SpecialFile(FileSink):
    """Writes directly to a FIFO, a device or a descriptor, which cannot be replaced."""

    def __init__(self, path: str, place: Place, durable: bool | None):
        self._path = path
        self._durable = durable
        with naming(path):
            self._file: Any = open(_duplicate(place, path), "wb", buffering=0)  # noqa: SIM115 - closed by abort
        super().__init__(self._file)

    def write(self, data: Any) -> None:
        with naming(self._path):
            super().write(data)

    def commit(self) -> None:
        if self._durable:
            with naming(self._path):
                attempt("fsync of a file", os.fsync, self._file.fileno())

    def abort(self) -> None:
        self._file.close()


def _duplicate(place: Place, path: str) -> Any:
    """Return what to open: a second descriptor of the same open file, which keeps its position; or the path."""
    return os.dup(place.descriptor) if place.descriptor >= 0 else path
