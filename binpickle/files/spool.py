"""A spool: the copy of bytes that can be read only once, such as those of a pipe.

Rule: a small spool stays in memory; a large one goes to an unnamed temporary file.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import IO, Any, Iterator

from ..errors import LimitError
from .source import BytesSource, DescriptorSource, Source, name_of

__all__ = ["Spool", "spool_file"]

# Most messages are smaller, and stay in memory.
_SPOOL_BYTES = 16 << 20
_PIECE = 1 << 20


class Spool:
    """Collects bytes in memory, or from 16 MiB on in an unnamed temporary file.

    Args:
        name: name of the source for error messages.
    """

    def __init__(self, name: str | None = None):
        self._name = name
        self._pieces: list[bytes] = []
        self._size = 0
        self._file: IO[bytes] | None = None

    def fits(self, nbytes: int) -> bool:
        """Return whether `nbytes` more bytes would stay in memory, so that adding them does no I/O."""
        return self._file is None and self._size + nbytes <= _SPOOL_BYTES

    def add(self, piece: bytes) -> None:
        """Take the next bytes."""
        if self._file is None and not self.fits(len(piece)):
            with _naming_temporary():
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by finish or close
                self._file.writelines(self._pieces)
            self._pieces.clear()
        self._size += len(piece)
        if self._file is None:
            self._pieces.append(piece)
        else:
            with _naming_temporary():
                self._file.write(piece)

    def finish(self) -> Source:
        """Return a source of all bytes that were added."""
        if self._file is None:
            source: Source = BytesSource(b"".join(self._pieces))
            source.name = self._name
            return source
        with _naming_temporary():
            self._file.flush()
        source = DescriptorSource(os.dup(self._file.fileno()), 0, self._name)
        self.close()
        return source

    def close(self) -> None:
        """Drop the bytes that were added; a source that `finish` returned stays valid."""
        if self._file is not None:
            self._file.close()
        self._pieces.clear()


@contextmanager
def _naming_temporary() -> Iterator[None]:
    """Name the folder of temporary files in errors of the operating system, as the file itself has no name."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or tempfile.gettempdir()
        raise


def spool_file(file: Any, limit: int) -> Source:
    """Copy the rest of a file object that cannot seek, and return a source of the copy.

    Args:
        file: the binary file object.
        limit: the largest number of bytes to accept.

    Raises:
        LimitError: the file has more bytes.
    """
    spool, size = Spool(name_of(file)), 0
    try:
        for piece in iter(lambda: file.read(_PIECE), b""):
            size += len(piece)
            if size > limit:
                raise LimitError(f"the file has more than {limit} bytes", "stored_bytes")
            spool.add(piece)
        return spool.finish()
    finally:
        spool.close()
