"""Streams: objects of the caller's that take or give bytes by coroutines, on the event loop.

Rule: the caller's coroutines run on the event loop and hold no token. Encoding may be a few chunks ahead of sending.
Received bytes are kept in a spool until the stream ends.
"""

from __future__ import annotations

import inspect
from collections import deque
from functools import partial
from typing import Any, Awaitable, Callable

import anyio
from anyio import CancelScope, from_thread

from ..errors import LimitError
from ..files.origin import is_path
from ..files.reader import Reader, as_piece
from ..files.sink import Sink, taken
from ..files.source import Source
from ..files.spool import Spool
from .crew import AsyncCrew

__all__ = ["Received", "SendSink", "Stream", "interruptible", "receiver", "sender", "unwrapped"]

# A running pickler cannot be halted for every chunk, so this many bytes may wait for a slow receiver.
_SEND_AHEAD = 16 << 20
# Fewer bytes are not worth a change of threads, nor a call of `send`.
_SEND_FROM = 1 << 20
_RECEIVE_BYTES = 1 << 20


class Stream:
    """The part of a dump or load that runs on the event loop. This base class does nothing there.

    Attributes:
        waiting: whether the steps should halt soon, so that `exchange` can run.
    """

    waiting = False

    async def exchange(self) -> None:
        """Send or receive bytes. Called on the event loop before the steps begin, when they halt, and at their end."""

    def interrupt(self) -> None:
        """Make a thread that waits for the event loop go on. Called on the event loop when the call is cancelled."""


class SendSink(Sink, Stream):
    """Sends the written bytes by a coroutine function of the caller's.

    The task sends between hops. A running pickler cannot be interrupted; once too many bytes wait, its thread therefore
    gives the token back and waits until they are sent.

    Args:
        send: the coroutine function; it takes all bytes of a `bytes` object.
        crew: holds the token of the writing thread.
    """

    def __init__(self, send: Callable[[bytes], Awaitable[Any]], crew: AsyncCrew):
        self._send = send
        self._crew = crew
        self._pieces: deque[bytes] = deque()
        self._nbytes = 0
        self._scope = CancelScope()

    @property
    def waiting(self) -> bool:  # type: ignore[override]
        """Whether enough bytes wait to be worth sending."""
        return self._nbytes >= _SEND_FROM

    def write(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        self._nbytes += len(view)
        if self._pieces and len(self._pieces[-1]) + len(view) <= _SEND_FROM:
            self._pieces[-1] += view
        else:
            self._pieces.append(bytes(view))  # a copy: receivers may keep it, and the caller's array may change
        if self._nbytes > _SEND_AHEAD:
            from_thread.run(self._send_without_token)
            self._crew.check()

    async def exchange(self) -> None:
        while self._pieces:
            piece = self._pieces.popleft()
            self._nbytes -= len(piece)
            await self._send(piece)

    def interrupt(self) -> None:
        self._scope.cancel()

    async def _send_without_token(self) -> None:
        self._crew.release()
        with self._scope:
            await self.exchange()
            await self._crew.acquire()
        self._scope = CancelScope()


class Received(Stream):
    """Receives all bytes of a stream, by a coroutine function of the caller's.

    Args:
        file: the stream, for errors.
        receive: the coroutine function; it returns the next bytes, and no bytes at the end.
        limit: the largest number of bytes to accept; more are refused with `LimitError`.
    """

    def __init__(self, file: Any, receive: Callable[[], Awaitable[Any]], limit: int):
        self.waiting = True
        self._file = file
        self._receive = receive
        self._limit = limit
        self._spool = Spool()
        self._source: Source | None = None
        self._pieces: list[bytes] = []
        self._size = 0

    async def exchange(self) -> None:
        nbytes = 0
        while self.waiting and nbytes < _RECEIVE_BYTES:
            piece = bytes(as_piece(await self._receive(), self._file))  # a copy, unless these are bytes
            self.waiting = bool(piece)
            if piece:
                nbytes += self._take(piece)

    def put_away(self) -> None:
        """Move the received bytes into the spool; may do I/O, so it runs in a worker thread."""
        for piece in self._pieces:
            self._spool.add(piece)
        self._pieces.clear()

    def finish(self) -> Source:
        """Return a source of all received bytes; may do I/O, so it runs in a worker thread."""
        self.put_away()
        self._source = self._spool.finish()
        return self._source

    def close(self) -> None:
        """Drop the received bytes and close their source; may do I/O, so it runs in a worker thread."""
        self._spool.close()
        if self._source is not None:
            self._source.close()

    def _take(self, piece: bytes) -> int:
        """Take the next bytes; return how many of them `put_away` must move, which is none if memory has room."""
        self._size += len(piece)
        if self._size > self._limit:
            raise LimitError(f"more than {self._limit} bytes were received", "stored_bytes")
        if not self._pieces and self._spool.fits(len(piece)):
            self._spool.add(piece)
            return 0
        self._pieces.append(piece)
        return len(piece)


def unwrapped(file: Any) -> Any:
    """Return the file object inside a file of `anyio.open_file`, for worker threads; return any other file as it is."""
    return file.wrapped if isinstance(file, anyio.AsyncFile) else file


def sender(file: Any) -> Callable[[bytes], Awaitable[Any]] | None:
    """Return the coroutine function by which a stream takes bytes; `None` if `file` is no stream.

    Raises:
        TypeError: the stream has a `write` that cannot be awaited.
    """
    if _is_plain(file):
        return None
    if _is_async(getattr(file, "drain", None)) and not _is_async(getattr(file, "write", None)):
        hint = "its write cannot be awaited: wrap it in an object whose async send(data) writes, and awaits drain()"
        raise TypeError(f"file must not be an asyncio.StreamWriter: {hint}")
    write: Any = getattr(file, "write", None)
    send: Any = getattr(file, "send", None)
    if _is_async(write):
        return partial(_write_all, write, type(file).__name__)
    return send if _is_async(send) and not callable(write) else None


def receiver(file: Any) -> Callable[[], Awaitable[Any]] | None:
    """Return the coroutine function that gives a stream's next bytes, none at its end; `None` if it is no stream."""
    if _is_plain(file):
        return None
    read: Any = getattr(file, "read", None)
    receive: Any = getattr(file, "receive", None)
    if _is_async(read):
        return partial(read, _RECEIVE_BYTES)
    if _is_async(receive):
        return partial(_next, receive, anyio.EndOfStream)
    if hasattr(file, "__aiter__") and not callable(read):
        return partial(_next_nonempty, file, file.__aiter__().__anext__)
    return None


def interruptible(file: Any, crew: AsyncCrew) -> Any:
    """Return a file object whose reading ends once the crew is cancelled; return a path as it is."""
    return file if is_path(file) else Reader(file, crew.check)


def _is_plain(file: Any) -> bool:
    return is_path(file) or isinstance(file, anyio.AsyncFile)


def _is_async(function: Any) -> bool:
    """Return whether a function is a coroutine function, or one that a decorator wraps."""
    return callable(function) and any(map(inspect.iscoroutinefunction, (function, inspect.unwrap(function))))


async def _write_all(write: Callable[[bytes], Awaitable[Any]], kind: str, data: bytes) -> None:
    while data:
        data = data[taken(await write(data), len(data), kind) :]


async def _next(receive: Callable[[], Awaitable[Any]], end: type[Exception]) -> Any:
    try:
        return await receive()
    except end:
        return b""


async def _next_nonempty(file: Any, receive: Callable[[], Awaitable[Any]]) -> Any:
    """Return the next item of an iterator, whose empty items are not its end."""
    piece: Any = b""
    while not piece:
        try:
            piece = as_piece(await receive(), file)
        except StopAsyncIteration:
            break
    return piece
