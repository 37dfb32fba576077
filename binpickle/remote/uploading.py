"""The sink of an object: parts are uploaded while the next ones are encoded.

Rule: the object appears when all bytes were written, or never. A small object is one request; only that can be refused
if an object of its name exists, so `exclusive` keeps the bytes until the end.
"""

from __future__ import annotations

import threading
from queue import Queue
from typing import Any, Iterator

from ..errors import StoreError
from ..files.sink import Sink
from .objects import ObjectStore

__all__ = ["UploadSink"]

_PART = 8 << 20
# S3 takes 10,000 parts, and what `expect` was told is only most of the file.
_MOST_PARTS = 9000
_MOST_EXCLUSIVE = 64 << 20
# Bytes go to the uploading thread in pieces, of which so many may wait.
_PIECE = 1 << 20
_WAITING = 4


class _AbortedError(Exception):
    """Ends the upload."""


class UploadSink(Sink):
    """Writes an object.

    Args:
        store: the client.
        key: the key of the object.
        exclusive: refuse to replace an object.

    Raises:
        StoreError: `exclusive` is given, and the store cannot promise it.
    """

    def __init__(self, store: ObjectStore, key: str, exclusive: bool = False):
        if exclusive and not store.can_create:
            raise StoreError(f"{store.url(key)}: this store cannot refuse to replace an object: leave exclusive away")
        self._store = store
        self._key = key
        self._exclusive = exclusive
        self._part = _PART
        self._pieces: list[bytes] = []  # until the upload begins
        self._nbytes = 0
        self._rest = bytearray()
        self._queue: Queue[bytes | None] = Queue(_WAITING)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._aborted = self._ended = False

    def write(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        while view:
            piece = view[: _PIECE - len(self._rest)]
            view = view[len(piece) :]
            if len(piece) == _PIECE:  # of large buffers there is one copy, not two
                self._push(bytes(piece))
                continue
            self._rest += piece
            if len(self._rest) == _PIECE:
                self._push(bytes(self._rest))
                self._rest.clear()

    def write_all(self, pieces: Any) -> None:
        for piece in pieces:
            self.write(piece)

    def expect(self, nbytes: int) -> None:
        self._part = max(self._part, -(-nbytes // _MOST_PARTS // _PIECE) * _PIECE)

    def commit(self) -> None:
        self._push(bytes(self._rest))
        if self._thread is None:
            self._store.put(self._key, b"".join(self._pieces), self._exclusive)
        else:
            self._end()
            self._check()
        self._ended = True

    def abort(self) -> None:
        self._pieces.clear()
        if not self._ended and self._thread is not None:
            self._aborted = True
            self._end()
        self._ended = True

    def _push(self, piece: bytes) -> None:
        self._check()
        if not piece:
            return
        self._nbytes += len(piece)
        if self._thread is not None:
            self._queue.put(piece)
            return
        self._pieces.append(piece)
        if self._exclusive:
            if self._nbytes > _MOST_EXCLUSIVE:
                raise StoreError(
                    f"{self._store.url(self._key)}: exclusive=True is for objects of at most {_MOST_EXCLUSIVE >> 20} "
                    "MiB: stores take larger ones in parts, and cannot refuse to replace an object at their end. "
                    "Write to a name that is unique"
                )
        elif self._nbytes > self._part:
            self._begin()

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._upload, name="binpickle-uploader", daemon=True)
        self._thread.start()
        pieces, self._pieces = self._pieces, []
        for piece in pieces:
            self._queue.put(piece)

    def _end(self) -> None:
        self._queue.put(None)
        self._thread.join()  # type: ignore[union-attr]

    def _check(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            self._ended = True
            self._end()
            raise error

    def _upload(self) -> None:
        """Upload the pieces: the whole life of the uploading thread. Afterwards it takes what nobody wants any more."""
        taken = _Taken(self._queue, self)
        try:
            self._store.put_stream(self._key, taken.pieces(), self._part)
        except BaseException as error:
            if not self._aborted:
                self._error = error
        while not taken.ended:
            taken.ended = self._queue.get() is None

    @property
    def aborted(self) -> bool:
        """Whether the write failed."""
        return self._aborted


class _Taken:
    """The pieces out of the queue.

    Attributes:
        ended: whether the last one was taken.
    """

    def __init__(self, queue: Queue[bytes | None], sink: UploadSink):
        self._queue = queue
        self._sink = sink
        self.ended = False

    def pieces(self) -> Iterator[bytes]:
        """Yield the pieces; raise when the write was aborted, which aborts the upload."""
        while True:
            piece = self._queue.get()
            self.ended = piece is None
            if self._sink.aborted:
                raise _AbortedError
            if piece is None:
                return
            yield piece
