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

# Unseekable sources stay in memory up to here, as most messages do; beyond it they go to an unnamed temporary file.
_SPOOL_BYTES = 16 << 20
_PIECE = 1 << 20


class Spool:
    """Collects what can be read only once: in memory, and from some size on in an unnamed temporary file."""

    def __init__(self, name: str | None = None):
        self._name = name
        self._pieces: list[bytes] = []
        self._size = 0
        self._file: IO[bytes] | None = None

    def fits(self, nbytes: int) -> bool:
        """Return whether that many more bytes would go to memory, so that adding them does no I/O."""
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
        """Return a source of all that was added."""
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
        """Drop everything."""
        if self._file is not None:
            self._file.close()
        self._pieces.clear()


@contextmanager
def _naming_temporary() -> Iterator[None]:
    """Name the folder in errors of the operating system: the file has no name, and nobody asked for it."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or tempfile.gettempdir()
        raise


def spool_file(file: Any, limit: int) -> Source:
    """Copy what is left of an unseekable file object to where it can be read from."""
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
