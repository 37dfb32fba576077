"""Reading the pickle stream: exact pieces of a source that gives as much as it likes at a time.

Rule: nothing is allocated by what the stream claims before the bytes are there.
"""

from __future__ import annotations

from typing import Callable

from ..errors import FormatError

__all__ = ["PickleStream"]

# A source is asked for no more than this at once, so that a claimed length costs nothing until the bytes come.
_PIECE = 1 << 20


class PickleStream:
    """A pickle stream as exact pieces.

    Args:
        read: returns at most as many bytes as it is asked for, and none at the end only.

    Attributes:
        offset: how many bytes have been taken.
    """

    def __init__(self, read: Callable[[int], bytes]):
        self._read = read
        self.offset = 0

    def take(self, size: int) -> bytes:
        """Return exactly `size` bytes.

        Raises:
            FormatError: the stream ends before.
        """
        piece = self._read(min(size, _PIECE))
        if len(piece) < size:
            piece = b"".join(self._pieces(piece, size))
        self.offset += size
        return piece if type(piece) is bytes else bytes(piece)

    def take_bytearray(self, size: int) -> bytearray:
        """Return exactly `size` bytes as a bytearray, without holding them twice."""
        piece = bytearray()
        while len(piece) < size:
            piece += self.take(min(size - len(piece), _PIECE))
        return piece

    def at_end(self) -> bool:
        """Whether the stream has no more bytes."""
        return not self._read(1)

    def _pieces(self, piece: bytes, size: int) -> list[bytes]:
        pieces = []
        while piece:
            pieces.append(bytes(piece))
            size -= len(piece)
            if not size:
                return pieces
            piece = self._read(min(size, _PIECE))
        raise FormatError(f"pickle stream: it ends at {self.offset + sum(map(len, pieces))}, within an object")
