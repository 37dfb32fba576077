"""A file that takes its place whole: it is written to a temporary file, which takes the target's name at the end.

Rule: a path shows the old file or the whole new one, never anything between, whatever fails or interrupts. `place`
finds where the file goes and refuses what cannot work, `temporary` holds the new bytes and gives them the target's
name, and `status` keeps who may use a file that is replaced. `systemcalls` says which of their calls may be refused.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Any, Iterator, Sequence

from .linux import fallocate
from .place import Place
from .sink import Sink
from .systemcalls import advise, attempt, is_refusal
from .temporary import Temporary

__all__ = ["AtomicFile", "naming"]

# Smaller files are not worth a system call that allocates room in advance.
_ALLOCATE_FROM = 1 << 20
# POSIX lets systems take as few as 16 pieces; Linux, macOS and the BSDs all take 1024.
_PIECES_AT_ONCE = 1024


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Make errors of the operating system name the file that the caller named."""
    try:
        yield
    except OSError as error:
        error.filename = path
        if error.filename2 is not None:  # the temporary name; set to None it would be shown as "-> None"
            del error.filename2
        raise


class AtomicFile(Sink):
    """Writes a new file that takes its place when it is committed.

    Args:
        path: the path that the caller named, for errors.
        place: where the file goes; this object closes its folder.
        durable: `True` syncs the file and its folder to the disk, `None` syncs the file only if it replaces another,
            `False` syncs nothing.
        exclusive: refuse to replace a file; the operating system decides that at the end.

    Raises:
        OSError: the operating system refused a step; the error names `path`.
    """

    def __init__(self, path: str, place: Place, durable: bool | None = None, exclusive: bool = False):
        self.path = path
        self._folder = place.folder
        self._durable = durable
        self._exclusive = exclusive
        self._size = 0
        self._allocated = False
        try:
            with naming(path):
                self._file = Temporary(place)
        except BaseException:
            self._folder.close()
            raise

    def write(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        with naming(self.path):
            while view:
                written = os.write(self._file.fd, view)
                self._size += written
                view = view[written:]

    def write_all(self, pieces: Sequence[Any]) -> None:
        if len(pieces) == 1 or not hasattr(os, "writev"):
            super().write_all(pieces)
            return
        for start in range(0, len(pieces), _PIECES_AT_ONCE):
            batch = pieces[start : start + _PIECES_AT_ONCE]
            with naming(self.path):
                written = os.writev(self._file.fd, batch)
            self._size += written
            if written < sum(memoryview(piece).nbytes for piece in batch):  # the disk is nearly full, or a signal came
                self.write(memoryview(b"".join(batch))[written:])

    def expect(self, nbytes: int) -> None:
        """Allocate the room at once, which is faster than growing block by block and finds a full disk early."""
        if nbytes >= _ALLOCATE_FROM:
            with naming(self.path):
                done = attempt("fallocate", fallocate, self._file.fd, self._size, nbytes)
                self._allocated = self._allocated or done

    def commit(self) -> None:
        with naming(self.path):
            if self._allocated:
                os.ftruncate(self._file.fd, self._size)
            if self._exclusive:
                self._sync(replaces=False)
                self._file.create()
            else:
                self._replace()
            if self._durable:
                self._folder.sync()

    def abort(self) -> None:
        try:
            self._file.discard()
        finally:
            with naming(self.path):
                self._folder.close()

    def _replace(self) -> None:
        replaces = self._file.old() is not None
        self._sync(replaces)
        if replaces or not self._file.appear():
            if not replaces and self._durable is None:  # another file may have appeared while this one was written
                self._sync(self._file.old() is not None)
            self._file.replace()

    def _sync(self, replaces: bool) -> None:
        if self._durable is False or self._durable is None and not replaces:
            return
        try:
            os.fsync(self._file.fd)
        except OSError as error:
            if not is_refusal("fsync of a file", error):
                raise
            if self._durable:
                raise advise(error, "this file system cannot sync files: pass durable=False") from None
