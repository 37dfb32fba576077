"""A spool: the copy of bytes that can be read only once, such as those of a pipe.

Rule: a small spool stays in memory; a large one goes to an unnamed temporary file. Where there is no folder for
temporary files, or no room in it, a large spool stays in memory, too.
"""

from __future__ import annotations

import os
import tempfile
from typing import IO, Any, Callable

from ..errors import BinPickleError, LimitError
from .reader import Reader
from .source import BytesSource, DescriptorSource, Source

__all__ = ["ENOUGH", "START", "Spool", "spool_file"]

START = 64
"""How many bytes are read first: they tell whether two ways of reading show the same file, and what kind it is."""

ENOUGH = 16
"""How many of them, the length of a header, are enough where no more come at once."""

# Most messages are smaller, and stay in memory.
_SPOOL_BYTES = 16 << 20
_PIECE = 1 << 20


class Spool:
    """Collects bytes in memory, or from 16 MiB on in an unnamed temporary file, which takes them 1 MiB at a time.

    Args:
        name: name of the source for error messages.
    """

    def __init__(self, name: str | None = None):
        self._name = name
        self._memory = bytearray()  # the last bytes, which are not in the file; all bytes if there is no file
        self._size = 0
        self._file: IO[bytes] | None = None
        self._takes_files = True

    def fits(self, nbytes: int) -> bool:
        """Return whether `nbytes` more bytes would stay in memory, so that adding them does no I/O."""
        if self._file is not None:
            return len(self._memory) + nbytes < _PIECE
        return not self._takes_files or self._size + nbytes <= _SPOOL_BYTES

    def add(self, piece: Any) -> None:
        """Take the next bytes, of `bytes`, a `bytearray` or a memoryview, whose memory may change afterwards."""
        if not self.fits(len(piece)):
            self._use_file(piece)
        else:
            self._memory += piece
        self._size += len(piece)

    def finish(self) -> Source:
        """Return a source of all bytes that were added."""
        if self._file is not None:
            self._use_file(b"")
        if self._file is not None:
            source: Source = DescriptorSource(os.dup(self._file.fileno()), 0, self._name)
        else:
            source = BytesSource(self._memory)
            source.name = self._name
        self.close()
        return source

    def close(self) -> None:
        """Drop the bytes that were added; a source that `finish` returned stays valid."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
        self._memory = bytearray()

    def _use_file(self, piece: Any) -> None:
        """Write the bytes in memory and the next ones to the temporary file; or move to memory what is there."""
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by finish or close
            _write_all(self._file, self._memory)
            self._memory = bytearray()
            _write_all(self._file, piece)
        except OSError as error:
            self._return_to_memory(error)
            self._memory = self._memory + piece  # a new object: the traceback of the error has views of the old one

    def _return_to_memory(self, error: OSError) -> None:
        """Read what is in the temporary file, after an error of writing it."""
        self._takes_files = False
        file, self._file = self._file, None
        if file is None:
            return
        with file:
            nbytes = self._size - len(self._memory)  # of the file; a part of what comes after them may be there, too
            if nbytes:
                error.filename = error.filename or tempfile.gettempdir()  # the file itself has no name
                self._memory = _read_all(file, nbytes, error) + self._memory


def spool_file(
    reader: Reader,
    limit: int,
    start: bytes = b"",
    name: str | None = None,
    check: Callable[[bytes], object] | None = None,
) -> Source:
    """Copy a file object from where it is to its end, and return a source of the copy.

    Args:
        reader: reads the file object.
        limit: the largest number of bytes to accept.
        start: the first bytes, which were read before.
        name: name of the file for error messages.
        check: called with the first bytes, at least `ENOUGH` of them, before any other is read. It refuses a file of
            another kind, which may have no end.

    Raises:
        LimitError: the file has more bytes.
        Exception: see `Reader.read`, and what `check` raises.
    """
    spool, size = Spool(name), 0
    if len(start) < ENOUGH:
        start += reader.read_start(START, ENOUGH)
    if check is not None and len(start) >= ENOUGH:
        try:
            check(start)
        except BinPickleError as error:
            error.file = error.file or name
            raise
    try:
        piece: Any = start
        while piece:
            size += len(piece)
            if size > limit:
                raise LimitError(f"the file has more than {limit} bytes", "stored_bytes")
            spool.add(piece)
            piece = reader.read(_PIECE)
        return spool.finish()
    finally:
        spool.close()


def _write_all(file: IO[bytes], data: Any) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _read_all(file: IO[bytes], nbytes: int, error: OSError) -> bytearray:
    """Return the first bytes of a file; raise `error` if they cannot be had."""
    try:
        memory = bytearray(nbytes)
        view = memoryview(memory)
        file.seek(0)
        while view:
            got = file.readinto(view)  # type: ignore[attr-defined]
            if not got:
                raise error
            view = view[got:]
    except (OSError, MemoryError):
        raise error from None
    return memory
