"""The pickle stream on its way into a file: cut into chunks while the pickler writes it.

Rule: chunks end at multiples of `CHUNK_BYTES`, whatever pieces the pickler writes. A raw stream is written at once; a
stream to encode is gathered, one chunk at a time.
"""

from __future__ import annotations

from typing import Any, Callable

from ..files.sink import Sink
from ..format.checksums import start_checksum
from ..format.header import CHUNK_BYTES

__all__ = ["GatheredStream", "RawStream", "StreamCut"]


class StreamCut:
    """Cuts the stream into chunks.

    Attributes:
        nbytes: how many bytes have been written.
    """

    def __init__(self) -> None:
        self.nbytes = 0

    def write(self, piece: Any) -> None:
        """Take the next bytes of the stream, any number of them."""
        view = memoryview(piece).cast("B")
        while view:
            part = view[: CHUNK_BYTES - self.nbytes % CHUNK_BYTES]
            self._take(part)
            self.nbytes += len(part)
            view = view[len(part) :]
            if self.nbytes % CHUNK_BYTES == 0:
                self._end_chunk(CHUNK_BYTES)

    def end(self) -> None:
        """End the last chunk, at the end of the stream."""
        rest = self.nbytes % CHUNK_BYTES
        if rest:
            self._end_chunk(rest)

    def _take(self, part: memoryview) -> None:
        raise NotImplementedError

    def _end_chunk(self, nbytes: int) -> None:
        raise NotImplementedError


class RawStream(StreamCut):
    """Writes a stream raw.

    Args:
        sink: takes the bytes.
        algorithm: the name of the checksum.
        placed: called after each chunk with its length and its checksum.
    """

    def __init__(self, sink: Sink, algorithm: str, placed: Callable[[int, bytes], Any]):
        super().__init__()
        self._sink = sink
        self._algorithm = algorithm
        self._placed = placed
        self._checksum = start_checksum(algorithm)

    def _take(self, part: memoryview) -> None:
        self._checksum.update(part)
        self._sink.write(part)

    def _end_chunk(self, nbytes: int) -> None:
        self._placed(nbytes, self._checksum.digest())
        self._checksum = start_checksum(self._algorithm)


class GatheredStream(StreamCut):
    """Gathers a stream into chunks to encode.

    Args:
        push: called with the bytes of each chunk.
    """

    def __init__(self, push: Callable[[bytearray], Any]):
        super().__init__()
        self._push = push
        self._rest = bytearray()

    def _take(self, part: memoryview) -> None:
        self._rest += part

    def _end_chunk(self, nbytes: int) -> None:
        chunk, self._rest = self._rest, bytearray()
        self._push(chunk)
