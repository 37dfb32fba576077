"""Reads a file object of the caller's: `read` may give bytes of any kind, fewer than were asked for, or more.

Rule: a file object needs `read` and nothing else. What `read` gives besides bytes is refused with what to do, and never
taken for the end of the file.
"""

from __future__ import annotations

import errno
from typing import Any, Callable, Union

__all__ = ["Piece", "Reader", "as_piece"]

# What to do where text comes instead of bytes.
_FOR_FILES = "open the file in binary mode"
_FOR_STREAMS = (
    "give the bytes as they came, before they were decoded as text: aiter_bytes() instead of aiter_text() or "
    "aiter_lines(), receive_bytes() instead of receive_text()"
)

Piece = Union[bytes, memoryview]
"""Bytes of a file; a memoryview has items of one byte, and its memory may change with the next read."""


class Reader:
    """The `read` of a file object, checked.

    Args:
        file: the file object.
        check: called before each read; what it raises ends the reading.
    """

    def __init__(self, file: Any, check: Callable[[], object] | None = None):
        self.file = file
        self._check = check

    def read(self, nbytes: int) -> Piece:
        """Return some of the next bytes, usually at most `nbytes`; none only at the end of the file.

        Raises:
            TypeError: `read` of the file object gave no bytes.
            BlockingIOError: the file object is in non-blocking mode, and has no bytes now.
            Exception: what `read` raises.
        """
        if self._check is not None:
            self._check()
        return as_piece(self.file.read(nbytes), self.file)

    def read_start(self, nbytes: int, enough: int | None = None) -> bytes:
        """Return the next `nbytes` bytes, fewer at the end of the file, more if `read` gives more than it is asked for.

        Args:
            nbytes: how many bytes to return.
            enough: return these many bytes if there are no more without another read.

        Raises:
            Exception: see `read`.
        """
        start = bytearray()
        while len(start) < (enough or nbytes):
            piece = self.read(nbytes - len(start))
            if not piece:
                break
            start += piece
        return bytes(start)


def as_piece(given: Any, file: Any) -> Piece:
    """Return what a file object or stream gave as bytes, without a copy where possible.

    Args:
        given: what it gave.
        file: the file object or stream, for errors.

    Raises:
        TypeError: these are no bytes.
        BlockingIOError: it gave `None`, as streams in non-blocking mode do.
    """
    if isinstance(given, bytes):
        return given
    kind = type(file).__name__
    if given is None:
        raise BlockingIOError(
            errno.EAGAIN, f"{kind} gave None instead of bytes, as in non-blocking mode: make the file blocking"
        )
    if isinstance(given, str):
        raise TypeError(f"{kind} gave str, not bytes: {_FOR_FILES if hasattr(file, 'read') else _FOR_STREAMS}")
    if hasattr(given, "__await__"):
        getattr(given, "close", bool)()  # else Python warns that nobody awaited it
        raise TypeError(f"read of {kind} returned an awaitable: use aload if read is a coroutine function")
    try:
        view = memoryview(given)
        if "O" not in view.format:  # pointers of this process are no bytes of a file
            return view.cast("B") if view.c_contiguous else view.tobytes()
    except (TypeError, ValueError):
        pass
    raise TypeError(f"{kind} gave {type(given).__name__}, not bytes")
