"""Async writing and reading: `adump` and `aload`, on asyncio and Trio.

Strategy: all work is that of `dump` and `load`, a generator of steps run in worker threads. It is run in hops: a hop
holds one token of the limiter and goes on until it is done, others wait for a token, or there is something to send. A
thread that holds a token never waits for a token, a sender or a receiver; helpers come only for tokens that are idle.
"""

from __future__ import annotations

import inspect
import math
import os
import threading
import time
from collections import deque
from functools import partial
from typing import Any, Awaitable, Callable, Generator, Generic, Iterable, Mapping, TypeVar

import anyio
import anyio.lowlevel
from anyio import CancelScope, CapacityLimiter, from_thread, to_thread

from .contents import Limits
from .cpus import usable_cpus
from .crew import Crew
from .filewriter import Codecs, DumpOptions
from .meter import Progress
from .read import BinPickleFile, load_steps
from .sink import Sink, open_sink
from .source import Source, Spool
from .write import write_steps

__all__ = ["adump", "aload"]

T = TypeVar("T")
Steps = Generator[None, None, T]

# Bytes that may wait for a slow receiver while the pickler goes on: a few chunks.
_SEND_AHEAD = 16 << 20

# Others that wait for a token wait this long at the most, and one chunk more.
_HOP_SECONDS = 0.01
_RECEIVE_BYTES = 1 << 20

# anyio 4 has another name for it.
_ABANDON: dict[str, Any] = (
    {"abandon_on_cancel": True}
    if "abandon_on_cancel" in inspect.signature(to_thread.run_sync).parameters
    else {"cancellable": True}
)

_default_limiter: anyio.lowlevel.RunVar[CapacityLimiter] = anyio.lowlevel.RunVar("binpickle_limiter")
_no_limit: anyio.lowlevel.RunVar[CapacityLimiter] = anyio.lowlevel.RunVar("binpickle_no_limit")


async def adump(
    obj: Any,
    file: Any,
    *,
    limiter: CapacityLimiter | None = None,
    mappable: bool = False,
    codecs: Codecs = "auto",
    metadata: Mapping[str, str] | None = None,
    digests: bool = False,
    key: Any = None,
    context: bytes = b"",
    durable: bool | None = None,
    exclusive: bool = False,
    pickler: type[Any] | None = None,
    progress: Progress | None = None,
) -> None:
    """Write an object to a file without blocking the event loop: byte for byte the file that `dump` writes.

    Pickling, encoding and file work run in worker threads; chunks are encoded concurrently. Pickling holds the GIL as
    it always does, so an object of very many small Python objects still slows the loop. The object must not be changed
    until this returns.

    Cancellation takes effect within one chunk's time: before the file is in place the old one stands and nothing else
    is left, afterwards the new one is complete. No thread goes on when this has returned or raised.

    Args:
        obj: what to write.
        file: as for `dump`; also an object with coroutine `write` (`anyio.open_file`) or `send(bytes)`
            (`anyio.abc.ByteSendStream`), which is not run ahead of by more than a few chunks.
        limiter: bounds the threads that work at the same time; by default one limiter for each event loop, with as
            many tokens as CPUs may be used, shared by all calls.
        mappable: see `dump`.
        codecs: see `dump`; functions among them are called in a worker thread.
        metadata: see `dump`.
        digests: see `dump`.
        key: see `dump`.
        context: see `dump`.
        durable: see `dump`.
        exclusive: see `dump`.
        pickler: see `dump`.
        progress: see `dump`; called on the event loop.

    Raises:
        Exception: what `dump` raises, never in an `ExceptionGroup`; what `send` or `write` of `file` raise.
    """
    options = DumpOptions(
        mappable=mappable,
        codecs=codecs,
        metadata=metadata,
        digests=digests,
        key=key,
        context=context,
        pickler=pickler,
    )
    crew = _AsyncCrew(limiter or _shared(_default_limiter, usable_cpus()))
    send = _sender(file)
    if send is None:
        open_file = partial(open_sink, _unwrapped(file), durable, exclusive)
        await _run(_dump_steps(obj, open_file, crew, options, _on_loop(progress)), crew)
        return
    if durable or exclusive:
        raise TypeError("durable and exclusive need a path: a stream is the caller's")
    sink = _SendSink(send, crew)
    await _run(_dump_steps(obj, lambda: sink, crew, options, _on_loop(progress)), crew, sink)


async def aload(
    file: Any,
    *,
    limiter: CapacityLimiter | None = None,
    mmap_mode: str | None = None,
    trusted: Iterable[Any] | None = None,
    verify: bool | None = None,
    key: Any = None,
    context: bytes = b"",
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Any:
    """Load the object that a file holds without blocking the event loop.

    **Loading runs code that the file names**, as pickle does, unless `trusted` is given. Reading, decoding and
    unpickling run in worker threads; unpickling holds the GIL as it always does.

    Cancellation takes effect within one chunk's time, or at the end of unpickling; no thread goes on afterwards.

    Args:
        file: as for `load`; also an object with coroutine `read` or `receive` (which ends with `anyio.EndOfStream` or
            empty bytes), or an async iterable of bytes. These are copied to memory, or from 16 MiB on to an unnamed
            temporary file.
        limiter: see `adump`.
        mmap_mode: see `load`.
        trusted: see `load`.
        verify: see `load`.
        key: see `load`.
        context: see `load`.
        limits: see `load`.
        progress: see `load`; called on the event loop.

    Raises:
        Exception: what `load` raises, never in an `ExceptionGroup`; what `read` or `receive` of `file` raise.
    """
    crew = _AsyncCrew(limiter or _shared(_default_limiter, usable_cpus()))
    receive = _receiver(file)
    source = _unwrapped(file) if receive is None else await _spool(receive)
    open_file = partial(
        BinPickleFile, source, mmap_mode=mmap_mode, verify=verify, key=key, context=context, limits=limits
    )
    return await _run(_load_steps(open_file, crew, _on_loop(progress), trusted), crew)


def _dump_steps(
    obj: Any, open_file: Callable[[], Sink], crew: Crew, options: DumpOptions, progress: Progress | None
) -> Steps[None]:
    with open_file() as sink, crew:
        yield from write_steps(obj, sink, crew, options, progress)


def _load_steps(
    open_file: Callable[[], BinPickleFile], crew: Crew, progress: Progress | None, trusted: Iterable[Any] | None
) -> Steps[Any]:
    with open_file() as opened, crew:
        return (yield from load_steps(opened, crew, progress, trusted))


class _AsyncCrew(Crew):
    """A crew whose threads hold tokens of a limiter; helpers leave when others wait for one."""

    def __init__(self, limiter: CapacityLimiter):
        super().__init__(int(min(limiter.total_tokens, usable_cpus())))
        self._limiter = limiter
        self._call_soon = _loop_caller()
        self._holding = False
        self._tickets: list[object] = []  # what helpers borrow tokens on behalf of

    def crowded(self) -> bool:
        """Return whether others wait for a token; from any thread."""
        return self._limiter.statistics().tasks_waiting > 0

    async def acquire(self) -> None:
        """Take the owner's token."""
        await self._limiter.acquire_on_behalf_of(self)
        self._holding = True

    def release(self) -> None:
        """Give the owner's token back, if it has one; on the event loop."""
        if self._holding:
            self._holding = False
            self._limiter.release_on_behalf_of(self)

    def invite(self) -> None:
        self._call_soon(self._bring_helper)

    def may_stay(self) -> bool:
        return not self.crowded()

    def leaving(self) -> None:
        self._call_soon(self._release_ticket)

    def _bring_helper(self) -> None:
        """Start a helper if a token is idle; on the event loop."""
        # Asked first: what comes out of acquiring in vain varies with backend and release of anyio.
        if self._limiter.available_tokens < 1 or self.crowded():
            self.turn_away()
            return
        ticket = object()
        self._limiter.acquire_on_behalf_of_nowait(ticket)
        self._tickets.append(ticket)
        if not self.admit():
            self._release_ticket()

    def _release_ticket(self) -> None:
        self._limiter.release_on_behalf_of(self._tickets.pop())


class _SendSink(Sink):
    """Sends what is written by a coroutine function of the caller's, on the event loop.

    Between hops the task that runs them sends. A pickler can not be interrupted, so when too much waits while it runs,
    its thread gives its token back and waits for the receiver.
    """

    def __init__(self, send: Callable[[bytes], Awaitable[Any]], crew: _AsyncCrew):
        self._send = send
        self._crew = crew
        self._pieces: deque[bytes] = deque()
        self._nbytes = 0
        self._scope = CancelScope()

    @property
    def waiting(self) -> bool:
        """Whether there is something to send."""
        return bool(self._pieces)

    def write(self, data: Any) -> None:
        self._pieces.append(bytes(data))
        self._nbytes += len(self._pieces[-1])
        if self._nbytes > _SEND_AHEAD:
            from_thread.run(self._send_without_token)
            self._crew.check()

    async def send_all(self) -> None:
        """Send everything that waits."""
        while self._pieces:
            piece = self._pieces.popleft()
            self._nbytes -= len(piece)
            await self._send(piece)

    def interrupt(self) -> None:
        """Let a thread that waits for the receiver go on; on the event loop."""
        self._scope.cancel()

    async def _send_without_token(self) -> None:
        self._crew.release()
        with self._scope:
            await self.send_all()
            await self._crew.acquire()
        self._scope = CancelScope()


async def _run(steps: Steps[T], crew: _AsyncCrew, sink: _SendSink | None = None) -> T:
    """Run steps in hops, each in a worker thread and with a token."""
    try:
        while True:
            await crew.acquire()
            try:
                result = await _in_thread(partial(_hop, steps, crew, sink), partial(_stop, crew, sink))
            finally:
                crew.release()
            if sink is not None:
                await sink.send_all()
            if result is not None:
                return result.value
    finally:
        if inspect.getgeneratorstate(steps) == inspect.GEN_SUSPENDED:  # cancelled between two hops
            _stop(crew, sink)
            with CancelScope(shield=True):
                await _in_thread(steps.close, _nothing)


class _Result(Generic[T]):
    def __init__(self, value: T):
        self.value = value


def _hop(steps: Steps[T], crew: _AsyncCrew, sink: _SendSink | None) -> _Result[T] | None:
    """Go on with the steps for a while; return their result if that was the end."""
    enough = time.monotonic() + _HOP_SECONDS
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return _Result(end.value)
        if sink is not None and sink.waiting or time.monotonic() > enough and crew.crowded():
            return None


def _stop(crew: _AsyncCrew, sink: _SendSink | None) -> None:
    crew.cancel()
    if sink is not None:
        sink.interrupt()


def _nothing() -> None:
    pass


class _Call(Generic[T]):
    """A function called in another thread, whose end can be waited for."""

    def __init__(self, function: Callable[[], T]):
        self._function = function
        self._lock = threading.Lock()
        self._claimed = False
        self._error: BaseException | None = None
        self._value: Any = None
        self.ended = threading.Event()

    def claim(self) -> bool:
        """Return whether the call has not begun, and prevent it from beginning again."""
        with self._lock:
            first, self._claimed = not self._claimed, True
        return first

    def run(self) -> None:
        """Call the function, unless somebody else has claimed the call."""
        if not self.claim():
            return
        try:
            self._value = self._function()
        except BaseException as error:
            self._error = error
        finally:
            self.ended.set()

    def result(self) -> T:
        """Return what the function returned, or raise what it raised."""
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error
        value: T = self._value
        return value


async def _in_thread(function: Callable[[], T], stop: Callable[[], None]) -> T:
    """Call a function in a worker thread; when cancelled, ask it to stop and wait until it has.

    Not left to anyio: its shielded call would tell the function nothing, and an abandoned one would go on.
    """
    call = _Call(function)
    no_limit = _shared(_no_limit, math.inf)  # the tokens are taken and given back by `_run`
    try:
        await to_thread.run_sync(call.run, limiter=no_limit, **_ABANDON)
    except BaseException:
        if not call.claim():
            stop()
            with CancelScope(shield=True):
                await _wait(call.ended, no_limit)
        raise
    return call.result()


async def _wait(ended: threading.Event, limiter: CapacityLimiter) -> None:
    while not ended.is_set():
        try:
            await to_thread.run_sync(ended.wait, limiter=limiter)
        except BaseException:  # asyncio's own cancellation passes shields: the thread must not outlive the call
            continue


def _loop_caller() -> Callable[[Callable[[], None]], Any]:
    """Return what makes the event loop call a function soon, from any thread."""
    token = anyio.lowlevel.current_token()
    native: Any = getattr(token, "native_token", token)
    caller: Callable[[Callable[[], None]], Any] = getattr(native, "call_soon_threadsafe", None) or native.run_sync_soon
    return caller


def _shared(variable: anyio.lowlevel.RunVar[CapacityLimiter], tokens: float) -> CapacityLimiter:
    """Return the limiter that all calls on this event loop share."""
    try:
        return variable.get()
    except LookupError:
        limiter = CapacityLimiter(tokens)
        variable.set(limiter)
        return limiter


def _on_loop(progress: Progress | None) -> Progress | None:
    """Return a function for worker threads that calls `progress` on the event loop."""
    return None if progress is None else lambda done, total: from_thread.run_sync(progress, done, total)


def _unwrapped(file: Any) -> Any:
    """Return the file object that `anyio.open_file` wraps: worker threads use it as it is."""
    return file.wrapped if isinstance(file, anyio.AsyncFile) else file


def _is_plain(file: Any) -> bool:
    return isinstance(file, (str, os.PathLike, anyio.AsyncFile))


def _sender(file: Any) -> Callable[[bytes], Awaitable[Any]] | None:
    """Return the coroutine function that takes the bytes of a file, if it is one that does."""
    if _is_plain(file):
        return None
    if inspect.iscoroutinefunction(getattr(file, "drain", None)):
        raise TypeError("an asyncio.StreamWriter can not be used from threads: wrap it in an object with async write")
    write, send = getattr(file, "write", None), getattr(file, "send", None)
    if inspect.iscoroutinefunction(write):
        return partial(_write_all, write)
    return send if inspect.iscoroutinefunction(send) and not callable(write) else None


async def _write_all(write: Callable[[Any], Awaitable[Any]], data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = await write(view)
        view = view[written:] if isinstance(written, int) and 0 < written < len(view) else view[:0]


def _receiver(file: Any) -> Callable[[], Awaitable[bytes]] | None:
    """Return the coroutine function that gives the next bytes of a file (none at its end), if it has one."""
    if _is_plain(file):
        return None
    read, receive = getattr(file, "read", None), getattr(file, "receive", None)
    if inspect.iscoroutinefunction(read):
        return partial(read, _RECEIVE_BYTES)
    if inspect.iscoroutinefunction(receive):
        return partial(_until_end, receive, anyio.EndOfStream)
    if hasattr(file, "__aiter__") and not callable(read):
        return partial(_until_end, file.__aiter__().__anext__, StopAsyncIteration)
    return None


async def _until_end(receive: Callable[[], Awaitable[bytes]], end: type[Exception]) -> bytes:
    try:
        return await receive()
    except end:
        return b""


async def _spool(receive: Callable[[], Awaitable[bytes]]) -> Source:
    """Copy what arrives to memory, or from some size on to a temporary file."""
    spool = Spool()
    try:
        while True:
            piece = await receive()
            if not piece:
                return await _in_thread(spool.finish, _nothing)
            if spool.fits(len(piece)):
                spool.add(piece)
            else:
                await _in_thread(partial(spool.add, piece), _nothing)
    except BaseException:
        spool.close()
        raise
