"""Sinks: each takes the bytes of one file in order.

Rule: a sink is committed once all bytes are written, or it is aborted. An aborted sink leaves no file behind; only
a file object of the caller's then holds a part.
"""

from __future__ import annotations

import errno
import io
from typing import Any, Sequence

__all__ = ["BytesSink", "FileSink", "Sink", "taken"]

# Bytes that must be copied are copied in pieces of this size, and in smaller ones for files that take little at a time.
_PIECE = 256 << 10
_LITTLE = 4 << 10


class Sink:
    """Takes the bytes of one file in order."""

    def write(self, data: Any) -> None:
        """Write all of a bytes-like object."""
        raise NotImplementedError

    def write_all(self, pieces: Sequence[Any]) -> None:
        """Write bytes-like objects, one after another."""
        self.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def expect(self, nbytes: int) -> None:
        """Take note that at least `nbytes` more bytes will be written."""

    def commit(self) -> None:
        """Put the file in place, once all bytes are written."""

    def abort(self) -> None:
        """Remove what was written, because the write failed. Does nothing after `commit`."""

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self.abort()


class BytesSink(Sink):
    """Keeps the written pieces in memory, and joins them once, in `getvalue`."""

    def __init__(self) -> None:
        self._parts: list[Any] = []

    def write(self, data: Any) -> None:
        self._parts.append(data)

    def write_all(self, pieces: Sequence[Any]) -> None:
        self._parts.extend(pieces)

    def getvalue(self) -> bytes:
        """Return all written bytes, and let go of them."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


class FileSink(Sink):
    """Writes to a binary file object of the caller's, from its current position; does not close it.

    A failure leaves a partial file, which readers refuse.
    """

    def __init__(self, file: Any):
        self._kind = type(file).__name__
        self._write = file.write
        self._raw = isinstance(file, io.RawIOBase)
        # The classes of `io` take any bytes-like object, and keep none. Others may know only `bytes`, or keep what they
        # get, and memory of the caller's may change.
        self._views = isinstance(file, io.IOBase)

    def write(self, data: Any) -> None:
        view, most = memoryview(data).cast("B"), _PIECE
        while view:
            piece = view if self._views else bytes(view[:most])
            written = self._write_some(piece)
            most = _PIECE if written == len(piece) else max(2 * written, _LITTLE)
            view = view[written:]

    def _write_some(self, data: Any) -> int:
        try:
            written = self._write(data)
        except TypeError as error:
            if "str" not in str(error):
                raise
            raise TypeError(f"write of {self._kind} wants str ({error}): open the file in binary mode") from error
        if hasattr(written, "__await__"):
            getattr(written, "close", bool)()  # else Python warns that nobody awaited it
            raise TypeError("write of this file returned an awaitable: use adump if write is a coroutine function")
        return taken(0 if written is None and self._raw else written, len(data), self._kind)


def taken(written: Any, nbytes: int, kind: str) -> int:
    """Return how many bytes a file object took, by what its `write` returned.

    Raw files and sockets may take only some bytes, and return how many. Other objects take all, and may return anything
    that is no integer.

    Args:
        written: what `write` returned.
        nbytes: how many bytes it was given.
        kind: what to call the file object in errors.

    Raises:
        BlockingIOError: it took none.
    """
    try:
        count = nbytes if isinstance(written, bool) else int(written.__index__())
    except Exception:  # no integer
        return nbytes
    if count <= 0:
        raise BlockingIOError(errno.EAGAIN, f"{kind} takes no more bytes now: it must not be in non-blocking mode")
    return min(count, nbytes)
