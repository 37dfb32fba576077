"""A file that takes its place whole: it is written to a temporary file, which takes the target's name at the end.

Rule: a path shows the old file or the whole new one, never anything between, whatever fails or interrupts. `place`
finds where the file goes and refuses what cannot work, `temporary` holds the new bytes and gives them the target's
name, and `status` keeps who may use a file that is replaced. `systemcalls` says which of their calls may be refused.

A small file is kept in memory until it is complete, so that it takes few system calls, and there is hardly a moment in
which a killed process could leave something behind.
"""

from __future__ import annotations

import os
from typing import Any, Sequence

from .linux import fallocate
from .place import Place
from .sink import Sink
from .systemcalls import advise, attempt, is_refusal
from .temporary import Temporary

__all__ = ["HELD", "AtomicFile", "naming"]

HELD = 1 << 16
"""Files of at most so many bytes are kept in memory until they are complete."""

# Smaller files are not worth a system call that allocates room in advance.
_ALLOCATE_FROM = 1 << 20
# POSIX lets systems take as few as 16 pieces; Linux, macOS and the BSDs all take 1024.
_PIECES_AT_ONCE = 1024


class naming:  # noqa: N801 - used as a function; a generator would take several times as long
    """A context manager that makes errors of the operating system name the file that the caller named."""

    __slots__ = ("_path",)

    def __init__(self, path: str):
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, OSError):
            error.filename = self._path
            if error.filename2 is not None:  # the temporary name; set to None it would be shown as "-> None"
                del error.filename2


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
        self._place = place
        self._folder = place.folder
        self._durable = durable
        self._exclusive = exclusive
        self._held: list[Any] = []
        self._held_nbytes = 0
        self._temporary: Temporary | None = None
        self._size = 0  # of what was written to the temporary file
        self._allocated = False
        if not self._folder.takes_files:  # making one tells why
            self._begin()

    def write(self, data: Any) -> None:
        self.write_all((data,))

    def write_all(self, pieces: Sequence[Any]) -> None:
        if self._temporary is None:
            self._held += pieces
            self._held_nbytes += _nbytes(pieces)
            if self._held_nbytes > HELD:
                self._begin()
        else:
            self._write_now(pieces)

    def expect(self, nbytes: int) -> None:
        """Allocate the room at once, which is faster than growing block by block and finds a full disk early."""
        if nbytes >= _ALLOCATE_FROM:
            self._begin()
            with naming(self.path):
                done = attempt("fallocate", fallocate, self._file.fd, self._size, nbytes)
                self._allocated = self._allocated or done

    def commit(self) -> None:
        self._begin(named=self._place.old is not None)  # for a small file, nothing is quicker
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
            if self._temporary is not None:
                self._temporary.discard()
        finally:
            with naming(self.path):
                self._folder.close()

    @property
    def _file(self) -> Temporary:
        """The temporary file; it is made now if the file was small until now."""
        self._begin()
        assert self._temporary is not None
        return self._temporary

    def _begin(self, named: bool = False) -> None:
        """Make the temporary file, if there is none yet, and write to it what was held."""
        if self._temporary is not None:
            return
        try:
            with naming(self.path):
                self._temporary = Temporary(self._place, named)
        except BaseException:
            self._folder.close()
            raise
        held, self._held = self._held, []
        self._write_now(held)

    def _write_now(self, pieces: Sequence[Any]) -> None:
        """Write pieces to the temporary file, in as few calls as may be."""
        for start in range(0, len(pieces), _PIECES_AT_ONCE):
            batch = pieces[start : start + _PIECES_AT_ONCE]
            nbytes, written = _nbytes(batch), 0
            with naming(self.path):
                if len(batch) > 1 and hasattr(os, "writev"):
                    written = os.writev(self._file.fd, batch)
                if written < nbytes:  # also if the disk is nearly full, or a signal came
                    self._write_rest(batch[0] if len(batch) == 1 else b"".join(batch), written)
            self._size += nbytes

    def _write_rest(self, data: Any, written: int) -> None:
        rest = memoryview(data).cast("B")[written:]
        while rest:
            rest = rest[os.write(self._file.fd, rest) :]

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


def _nbytes(pieces: Sequence[Any]) -> int:
    return sum([memoryview(piece).nbytes for piece in pieces])
