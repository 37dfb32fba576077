"""The source of a file on an object store.

Rule: opening takes one round trip, in which head and tail come side by side. What lies in them costs no further
request. All else comes by parts that `plan` was told of; a read that was not planned is a request of its own.
"""

from __future__ import annotations

from concurrent.futures import Future
from threading import Thread
from typing import Any, Callable, Iterable, Iterator

import numpy as np

from ..errors import IntegrityError
from ..files.reader import Piece
from ..files.source import Source
from .fetching import Fetcher
from .objects import ObjectStore

__all__ = ["EDGE", "RemoteSource"]

EDGE = 64 << 10
"""Bytes of the head and of the tail: index and stream of some hundred arrays, in the time of one request."""


class RemoteSource(Source):
    """The bytes of an object.

    Args:
        store: the client.
        key: the key of the object.
        path: the address by which another process can open the object, or `None`.
        close: called when the source is closed.

    Raises:
        NoRangesError: the server sends only whole objects.
        OSError: from the client.
    """

    remote = True

    def __init__(
        self, store: ObjectStore, key: str, path: str | None = None, close: Callable[[], object] = lambda: None
    ):
        self.name = store.url(key)
        self.path = path
        self._store = store
        self._key = key
        (head, first), (tail, self._info) = _side_by_side(store, key)
        if first.differs(self._info):  # it was replaced between the two answers
            head = store.read(key, 0, min(EDGE, self._info.size), self._info)
        self.size = self._info.size
        self._edges = [(0, memoryview(head)), (self.size - len(memoryview(tail)), memoryview(tail))]
        self._fetcher = Fetcher(self._get)
        self._closed = False
        self._at_close = close

    def read_into(self, offset: int, out: np.ndarray) -> None:
        self._check(offset, len(out))
        edge = self._in_edge(offset, offset + len(out))
        if edge is not None:
            out[:] = np.frombuffer(edge, np.uint8)
        elif len(out):
            self._fetcher.read_into(offset, out)

    def read(self, offset: int, nbytes: int) -> Any:
        self._check(offset, nbytes)
        edge = self._in_edge(offset, offset + nbytes)
        return self._fetcher.read(offset, offset + nbytes) if edge is None else edge

    def plan(self, ranges: Iterable[tuple[int, int]]) -> None:
        if not self._closed:
            self._fetcher.plan(self._outside(ranges))

    def close(self) -> None:
        self._closed = True
        self._fetcher.close()
        self._at_close()

    def _get(self, start: int, stop: int) -> Piece:
        data = memoryview(self._store.read(self._key, start, stop, self._info))
        if len(data) != stop - start:
            raise IntegrityError(f"the store sent {len(data)} bytes for the range {start} to {stop}")
        return data

    def _check(self, offset: int, nbytes: int) -> None:
        if self._closed:
            raise ValueError("the file is closed")
        if offset + nbytes > self.size:
            raise self._truncated(offset, nbytes)

    def _in_edge(self, start: int, stop: int) -> memoryview | None:
        for begin, data in self._edges:
            if begin <= start and stop <= begin + len(data):
                return data[start - begin : stop - begin]
        return None

    def _outside(self, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        return ((start, stop) for start, stop in ranges if self._in_edge(start, stop) is None)


def _side_by_side(store: ObjectStore, key: str) -> tuple[Any, Any]:
    """Return the answers to the requests for head and tail, which run at the same time."""
    head: Future[Any] = Future()

    def fetch() -> None:
        try:
            head.set_result(store.head(key, EDGE))
        except BaseException as error:
            head.set_exception(error)

    thread = Thread(target=fetch, name="binpickle-fetcher", daemon=True)
    thread.start()
    try:
        tail = store.tail(key, EDGE)
    finally:
        thread.join()
    return head.result(), tail
