"""The pieces of a file as an async iterator: `adump_iter`.

Goals: the file is never in memory as a whole, and no thread, token, task or cancel scope outlives the iterator, however
it ends: run to its end, closed, cancelled, or dropped half way.

Rule: the state is the iterator's own between two pieces; nothing waits for the next one on the event loop. A thread
waits only if the iterator stands amid pickling, and without a token; dropping the iterator ends it.
"""

from __future__ import annotations

from functools import partial
from typing import Any, AsyncIterator, Callable

from .crew import AsyncCrew
from .hops import Steps, Work
from .loops import call_on_loop
from .streams import PieceSink
from .threads import clean_in_thread

__all__ = ["DumpIterator"]


class DumpIterator(AsyncIterator[bytes]):
    """The bytes of a new file, in pieces of at most 1 MiB.

    It works while a piece is awaited. `aclose` ends it early, and waits until no thread works for it; a `for` loop that
    is left early need not call it. After an error, a cancellation or `aclose` there are no more pieces.

    Args:
        make: makes the steps of the dump, and what they write to, once an event loop runs.
    """

    def __init__(self, make: Callable[[], tuple[Steps[None], AsyncCrew, PieceSink]]):
        self._make: Callable[[], tuple[Steps[None], AsyncCrew, PieceSink]] | None = make
        self._work: Work[None] | None = None
        self._sink: Any = None
        self._awaited = False

    def __aiter__(self) -> DumpIterator:
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece.

        Raises:
            StopAsyncIteration: there is none.
            RuntimeError: another task waits for a piece.
            Exception: any error that `dumps` raises.
        """
        self._enter()
        try:
            piece = await self._next()
        except GeneratorExit:  # after which nothing can be awaited
            self._drop()
            raise
        except BaseException:
            await self._close()
            raise
        finally:
            self._awaited = False
        if not piece:
            await self._close()
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """End the iteration, and wait until no thread works for it, whatever cancellation comes.

        Raises:
            RuntimeError: a task waits for a piece.
        """
        self._enter()
        try:
            await self._close()
        finally:
            self._awaited = False

    def __del__(self) -> None:
        self._drop()

    def _enter(self) -> None:
        if self._awaited:
            raise RuntimeError("adump_iter is already being awaited by another task: give each task an iterator")
        self._awaited = True

    async def _next(self) -> bytes:
        if self._make is not None:
            make, self._make = self._make, None
            steps, crew, self._sink = make()
            self._work = Work(steps, crew, self._sink)
        work = self._work
        if work is None:
            return b""
        piece = self._sink.take(work.done)
        while not piece and not work.done:
            await work.hop()
            piece = self._sink.take(work.done)
        return piece  # type: ignore[no-any-return]

    async def _close(self) -> None:
        work = self._end()
        if work is not None and not work.done:
            await work.close()
        if work is not None:
            work.forget()

    def _drop(self) -> None:
        """End without waiting: a thread that works comes to the end of a chunk, or a new one closes the steps."""
        work = self._end()
        if work is None:
            return
        try:
            # Python may drop the iterator in any thread, amid any code: that must not wait for a lock or a thread.
            call_on_loop(work.loop, partial(_abandon, work))
        except RuntimeError:  # the loop is closed
            _abandon(work)

    def _end(self) -> Work[None] | None:
        work, self._work, self._make, self._sink = self._work, None, None, None
        return work


def _abandon(work: Work[None]) -> None:
    if not work.done:
        work.abandon(clean_in_thread)
    work.forget()
