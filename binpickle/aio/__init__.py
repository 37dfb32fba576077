"""Async writing and reading: `adump`, `adump_iter` and `aload`, on asyncio and Trio.

Strategy: `dump` and `load` are generators of steps, which worker threads run. `hops` runs the steps, `crew` bounds how
many threads work at a time, `threads` makes calls that a cancellation does not leave behind, in threads of `workers`,
and `ending` ends them with the process. `streams` takes and gives bytes by the caller's coroutines, and `iterating`
gives them to an `async for`.
"""

from __future__ import annotations

import inspect
from contextlib import closing
from functools import partial
from typing import Any, Callable, Mapping

from anyio import CapacityLimiter

from ..file import BinPickleFile, check_prefetch, check_settings, load_steps
from ..files.sink import Sink
from ..files.source import Source
from ..format.header import Header
from ..keys import Keys
from ..limits import Limits
from ..read import by_default, load_quickly
from ..reading.environment import trusted_here
from ..reading.limiting import load_limits
from ..remote.opening import open_sink, open_source
from ..threads.crew import Crew
from ..types import (
    CodecsLike,
    KeyLike,
    MmapMode,
    PathOrAsyncReadable,
    PathOrAsyncWritable,
    PicklerClass,
    Prefetch,
    Progress,
    Trusted,
)
from ..writing.filewriter import write_steps
from ..writing.options import DumpOptions, explaining
from ..writing.staged import holding
from .crew import AsyncCrew, check_limiter
from .hops import Steps, run
from .iterating import DumpIterator
from .streams import PieceSink, Received, SendSink, Stream, interruptible, receiver, refuse_generator, sender, unwrapped

__all__ = ["adump", "adump_iter", "aload"]


@holding
@explaining
async def adump(
    obj: Any,
    file: PathOrAsyncWritable,
    *,
    storage_options: Mapping[str, Any] | None = None,
    limiter: CapacityLimiter | None = None,
    mappable: bool = False,
    codecs: CodecsLike = "auto",
    metadata: Mapping[str, str] | None = None,
    digests: bool = False,
    key: KeyLike | None = None,
    context: bytes = b"",
    durable: bool | None = None,
    exclusive: bool = False,
    pickler: PicklerClass | None = None,
    progress: Progress | None = None,
) -> None:
    """Write an object to a file without blocking the event loop. The file is byte for byte the one that `dump` writes.

    Threads: worker threads pickle, encode and write; several encode chunks at the same time. Pickling holds the GIL, as
    always, so an object of very many small Python objects still slows the event loop. The object must not change until
    `adump` returns.

    Cancellation: takes effect within the time of one chunk. Until the new file is in place the old file stands and
    nothing else is left; from then on the new file is complete. When `adump` has returned or raised, no thread works
    for it any more.

    Args:
        obj: the object to write, or what `stage` made of one, which may then change meanwhile.
        file: a path or file object as for `dump`; or an object with a coroutine `write` (`anyio.open_file`) or
            `send(bytes)` (`anyio.abc.ByteSendStream`). Encoding is at most a few chunks ahead of such a stream.
        storage_options: see `load`.
        limiter: bounds how many threads work at the same time. By default all calls on an event loop share one limiter,
            which has as many tokens as this process may use CPUs.
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
        Exception: any error that `dump` raises, and any that `send` or `write` of `file` raises; never in an
            `ExceptionGroup`.
    """
    refuse_generator(obj)
    options = DumpOptions.of(locals())
    send = sender(file)
    crew = AsyncCrew(limiter)
    if send is None:
        open_file = partial(open_sink, unwrapped(file), durable, exclusive, storage_options)
        await run(_dump_steps(obj, open_file, crew, options, _on_loop(progress, crew)), crew, Stream())
    elif durable or exclusive:
        raise TypeError("durable and exclusive need a path: a stream is the caller's")
    else:
        sink = SendSink(send, crew)
        await run(_dump_steps(obj, lambda: sink, crew, options, _on_loop(progress, crew)), crew, sink)


@explaining
def adump_iter(
    obj: Any,
    *,
    limiter: CapacityLimiter | None = None,
    mappable: bool = False,
    codecs: CodecsLike = "auto",
    metadata: Mapping[str, str] | None = None,
    digests: bool = False,
    key: KeyLike | None = None,
    context: bytes = b"",
    pickler: PicklerClass | None = None,
    progress: Progress | None = None,
) -> DumpIterator:
    """Return an async iterator over the bytes of the file that `dump` writes, in pieces of at most 1 MiB.

    It is a body for the responses of Starlette, FastAPI and aiohttp, and for the requests of httpx and aiohttp.
    Encoding is at most a few chunks ahead of the consumer. The arguments are checked at once; nothing else happens
    before the first piece is awaited. The object must not change until the last piece was taken.

    You may leave the iterator before its end: break out of the loop, cancel it, or drop it. No thread works for it
    any more within the time of one chunk. Its coroutine `aclose` ends it too, and waits for that.

    Args:
        obj: the object to write.
        limiter: see `adump`.
        mappable: see `dump`.
        codecs: see `dump`; functions among them are called in a worker thread.
        metadata: see `dump`.
        digests: see `dump`.
        key: see `dump`.
        context: see `dump`.
        pickler: see `dump`.
        progress: see `dump`; called on the event loop.

    Raises:
        Exception: any error that `dumps` raises: for an argument at once, else while the pieces are taken.
    """
    refuse_generator(obj)
    check_limiter(limiter)
    _check_progress(progress)
    options = DumpOptions.of(locals())

    def make() -> tuple[Steps[None], AsyncCrew, PieceSink]:
        crew = AsyncCrew(limiter)
        sink = PieceSink(crew)
        return _dump_steps(obj, lambda: sink, crew, options, _on_loop(progress, crew)), crew, sink

    return DumpIterator(make)


async def aload(
    file: PathOrAsyncReadable,
    *,
    storage_options: Mapping[str, Any] | None = None,
    limiter: CapacityLimiter | None = None,
    mmap_mode: MmapMode = None,
    prefetch: Prefetch = None,
    trusted: Trusted | None = None,
    verify: bool | None = None,
    key: KeyLike | None = None,
    context: bytes = b"",
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Any:
    """Load the object that a file holds without blocking the event loop.

    **Loading runs code that the file names**, as pickle does, unless `trusted` is given.

    Threads: worker threads read, decode and unpickle. Unpickling holds the GIL, as always.

    Cancellation: takes effect within the time of one chunk, or at the end of unpickling. When `aload` has returned or
    raised, no thread works for it any more, but for those of `prefetch`.

    Args:
        file: a path or file object as for `load`; or an object with a coroutine `read` or `receive` (which raises
            `anyio.EndOfStream` or returns no bytes at the end), or an async iterable of bytes. The bytes of such a
            stream are kept in memory, or from 16 MiB on in an unnamed temporary file.
        storage_options: see `load`.
        limiter: see `adump`.
        mmap_mode: see `load`.
        prefetch: see `load`; its threads hold no token of the limiter, and go on after `aload` has returned. If `aload`
            is cancelled or raises, they end within the time of one window of 4 MiB.
        trusted: see `load`.
        verify: see `load`.
        key: see `load`.
        context: see `load`.
        limits: see `load`.
        progress: see `load`; called on the event loop.

    Raises:
        Exception: any error that `load` raises, and any that `read` or `receive` of `file` raises; never in an
            `ExceptionGroup`.
    """
    check_settings(mmap_mode, verify, limits)
    prefetch = check_prefetch(prefetch, mmap_mode)
    trusted = trusted_here(trusted)
    limits = load_limits(limits, trusted)
    if not callable(key):
        Keys.of(key, context)  # refuses a wrong key before the stream is received
    crew = AsyncCrew(limiter)
    opened = partial(BinPickleFile, mmap_mode=mmap_mode, verify=verify, key=key, context=context, limits=limits)
    quickly = mmap_mode is None and by_default(trusted, verify, key, context, limits, progress)
    load = partial(_load_steps, opened, quickly, crew, _on_loop(progress, crew), trusted, prefetch)
    receive, limit = receiver(file), (limits or Limits()).stored_bytes
    if receive is None:
        return await run(
            load(partial(open_source, interruptible(unwrapped(file), crew), limit, Header.unpack, storage_options)),
            crew,
            Stream(),
        )
    received = Received(file, receive, limit, Header.unpack)
    return await run(_receive_steps(received, load(received.finish)), crew, received)


def _dump_steps(
    obj: Any, open_file: Callable[[], Sink], crew: Crew, options: DumpOptions, progress: Progress | None
) -> Steps[None]:
    with open_file() as sink, crew:
        yield from write_steps(obj, sink, crew, options, progress)


def _load_steps(
    opened: Callable[[Source], BinPickleFile],
    quickly: bool,
    crew: Crew,
    progress: Progress | None,
    trusted: Trusted | None,
    prefetch: Prefetch,
    open_file: Callable[[], Source],
) -> Steps[Any]:
    with closing(open_file()) as source, crew:
        loaded = load_quickly(source) if quickly else None
        if loaded is not None:
            return loaded[0]
        with opened(source) as file:
            return (yield from load_steps(file, crew, progress, trusted, prefetch))


def _receive_steps(received: Received, load: Steps[Any]) -> Steps[Any]:
    with closing(received):
        while received.waiting:
            received.put_away()
            yield
        return (yield from load)


def _on_loop(progress: Progress | None, crew: AsyncCrew) -> Progress | None:
    """Return a function for worker threads that calls `progress` on the event loop."""
    _check_progress(progress)
    return None if progress is None else lambda done, total: crew.ask(partial(progress, done, total))


def _check_progress(progress: Any) -> None:
    if inspect.iscoroutinefunction(progress):
        raise TypeError("progress must be a plain function: a coroutine function would never be awaited")
