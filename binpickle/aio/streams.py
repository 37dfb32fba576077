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

from ..errors import LimitError
from ..files.origin import is_path
from ..files.reader import Reader, as_piece
from ..files.sink import Sink, taken
from ..files.source import Source
from ..files.spool import ENOUGH, START, Spool
from ..remote.resolving import is_remote
from .crew import AsyncCrew

__all__ = [
    "PieceSink",
    "Received",
    "SendSink",
    "Stream",
    "interruptible",
    "receiver",
    "refuse_generator",
    "sender",
    "unwrapped",
]

# Fewer bytes are not worth a change of threads, nor a call of `send`; more would be too many for some receivers.
_PIECE = 1 << 20
# A running pickler cannot be halted for every chunk, so this many pieces may wait for a slow receiver.
_MOST_PIECES = 16
_RECEIVE_BYTES = 1 << 20
# Smaller pieces are joined: as objects of their own they would take several times their length.
_SMALL = 64 << 10


class Stream:
    """The part of a dump or load that runs on the event loop. This base class does nothing there.

    Attributes:
        waiting: whether the steps should halt soon, so that `exchange` can run.
    """

    waiting = False

    async def exchange(self) -> None:
        """Send or receive bytes. Called on the event loop before the steps begin, when they halt, and at their end."""


class PieceSink(Sink, Stream):
    """Cuts the written bytes into pieces of 1 MiB, which the event loop takes while the steps halt.

    A running pickler cannot be halted between chunks; once too many bytes wait, its thread parks until they are taken.

    Args:
        crew: knows the call whose thread writes.
    """

    def __init__(self, crew: AsyncCrew):
        self._crew = crew
        self._pieces: deque[bytes] = deque()  # each of `_PIECE` bytes
        self._rest: list[bytes] = []
        self._rest_nbytes = 0

    @property
    def waiting(self) -> bool:  # type: ignore[override]
        """Whether a piece is complete."""
        return bool(self._pieces)

    def write(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        while view:
            part = bytes(view[: _PIECE - self._rest_nbytes])  # a copy: the memory may change before it is taken
            view = view[len(part) :]
            self._rest.append(part)
            self._rest_nbytes += len(part)
            if self._rest_nbytes == _PIECE:
                self._pieces.append(self._take_rest())
        if len(self._pieces) > _MOST_PIECES:
            self._crew.park()

    def take(self, done: bool) -> bytes:
        """Return the next piece; no bytes if there is none.

        Args:
            done: whether the last piece, which may be shorter, is complete.
        """
        if self._pieces:
            return self._pieces.popleft()
        return self._take_rest() if done else b""

    def _take_rest(self) -> bytes:
        rest, self._rest, self._rest_nbytes = self._rest, [], 0
        return rest[0] if len(rest) == 1 else b"".join(rest)


class SendSink(PieceSink):
    """Sends the written bytes by a coroutine function of the caller's.

    Args:
        send: the coroutine function; it takes all bytes of a `bytes` object.
        crew: see `PieceSink`.
    """

    def __init__(self, send: Callable[[bytes], Awaitable[Any]], crew: AsyncCrew):
        super().__init__(crew)
        self._send = send
        self._committed = False

    def commit(self) -> None:
        self._committed = True

    async def exchange(self) -> None:
        piece = self.take(self._committed)
        while piece:
            await self._send(piece)
            piece = self.take(self._committed)


class Received(Stream):
    """Receives all bytes of a stream, by a coroutine function of the caller's.

    Args:
        file: the stream, for errors.
        receive: the coroutine function; it returns the next bytes, and no bytes at the end.
        limit: the largest number of bytes to accept; more are refused with `LimitError`.
        check: called with the first bytes, once there are enough. It refuses a stream of another kind.
    """

    def __init__(self, file: Any, receive: Callable[[], Awaitable[Any]], limit: int, check: Callable[[bytes], object]):
        self.waiting = True
        self._file = file
        self._receive = receive
        self._limit = limit
        self._check: Callable[[bytes], object] | None = check
        self._start = b""
        self._spool = Spool()
        self._source: Source | None = None
        self._pieces: list[bytes | bytearray] = []
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
        if self._check is not None:
            self._look_at_start(piece)
        if not self._pieces and self._spool.fits(len(piece)):
            self._spool.add(piece)
            return 0
        if len(piece) >= _SMALL:
            self._pieces.append(piece)
        elif self._pieces and isinstance(self._pieces[-1], bytearray):
            self._pieces[-1] += piece
        else:
            self._pieces.append(bytearray(piece))
        return len(piece)

    def _look_at_start(self, piece: bytes) -> None:
        self._start += piece[:START]
        if len(self._start) >= ENOUGH and self._check is not None:
            check, self._check = self._check, None
            check(self._start[:START])


def unwrapped(file: Any) -> Any:
    """Return the file object inside a file of `anyio.open_file`, for worker threads; return any other file as it is."""
    return file.wrapped if isinstance(file, anyio.AsyncFile) else file


def sender(file: Any) -> Callable[[bytes], Awaitable[Any]] | None:
    """Return the coroutine function by which a stream takes bytes; `None` if `file` is no stream.

    Raises:
        TypeError: the stream has a `write` that cannot be awaited, or is an async generator.
    """
    if _is_plain(file):
        return None
    if _is_generator(file):
        raise TypeError(
            "file must not be an async generator: adump has no bytes to take from it. "
            "Use adump_iter(obj) where an async iterator of bytes is wanted, and aload(generator()) to load from one"
        )
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


def refuse_generator(obj: Any) -> None:
    """Refuse an async generator, or an async generator function, as the object to dump.

    Raises:
        TypeError: `obj` is one.
    """
    if inspect.isasyncgen(obj):
        raise TypeError("obj is an async generator, which cannot be dumped: dump [item async for item in generator]")
    if inspect.isasyncgenfunction(obj):
        raise TypeError(
            f"obj is an async generator function: dump [item async for item in {obj.__name__}()]; "
            "to dump the function itself, put it into a list"
        )


def _is_generator(file: Any) -> bool:
    return inspect.isasyncgen(file) or inspect.isasyncgenfunction(file)


def interruptible(file: Any, crew: AsyncCrew) -> Any:
    """Return a file object whose reading ends once the crew is cancelled; return a path as it is."""
    return file if is_path(file) or is_remote(file) else Reader(file, crew.check)


def _is_plain(file: Any) -> bool:
    return is_path(file) or isinstance(file, anyio.AsyncFile) or is_remote(file)


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
