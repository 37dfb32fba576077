"""Runs the steps of a dump or load in hops: pieces of work, each in one worker thread under one token.

Goals: the event loop is never blocked; many calls share the limiter fairly; a cancellation is obeyed within one chunk.

Rule: a thread that holds a token waits for no other token, no sender and no receiver, or calls could stall for ever.

`run` repeats three states until the steps end:
    exchange: on the event loop, without a token, bytes are sent to or received from the caller's stream;
    queue: the task waits for a token of the limiter (`AsyncCrew.acquire`);
    hop: a worker thread goes on with the steps (`_some`). The hop ends when the steps end, when others have waited for
        a token for 10 ms, or when enough bytes wait to be sent; then the token goes back. A running pickler cannot be
        halted between chunks: once too many bytes wait, its thread parks, which ends the hop, too.
A cancellation in exchange or queue closes the steps in a thread. One in a hop makes the crew stop at its next chunk,
and `go_on` waits until the thread has stopped, before the steps are closed.
"""

from __future__ import annotations

import inspect
import time
from functools import partial
from typing import Any, Callable, Generator, Generic, TypeVar

from . import ending
from .crew import AsyncCrew
from .streams import Stream
from .threads import Call, go_on, surely_in_thread, surely_leave

__all__ = ["Steps", "Work", "run"]

T = TypeVar("T")
Steps = Generator[None, None, T]

# A call that waits for a token waits for others this long at most, and for one chunk more.
_HOP_SECONDS = 0.01


async def run(steps: Steps[T], crew: AsyncCrew, stream: Stream) -> T:
    """Run steps to their end, and return what they return.

    Args:
        steps: see `Work`.
        crew: see `Work`.
        stream: exchanges bytes with the caller's stream on the event loop.

    Raises:
        Exception: what the steps or the stream raise, never in an `ExceptionGroup`.
    """
    work = Work(steps, crew, stream)
    try:
        while not work.done:
            await stream.exchange()
            await work.hop()
        await stream.exchange()
    except GeneratorExit:  # after which nothing can be awaited
        work.abandon()
        raise
    except BaseException:
        await work.close()
        raise
    finally:
        work.forget()
    return work.result()


class Work(Generic[T]):
    """Steps that are run in hops.

    Args:
        steps: the steps. If they are not run to their end, `close` or `abandon` must be called.
        crew: runs the chunk jobs, and holds the token of the hops.
        stream: says when a hop should end.

    Attributes:
        done: whether the steps have ended.
        loop: the event loop.
    """

    def __init__(self, steps: Steps[T], crew: AsyncCrew, stream: Stream):
        self.done = False
        self.loop = crew.loop
        self._steps = steps
        self._crew = crew
        self._stream = stream
        self._call: Call[_End[T] | None] | None = None
        self._end: _End[T] | None = None
        ending.works.add(self)

    async def hop(self) -> None:
        """Go on with the steps for a while, in a thread.

        Raises:
            BaseException: what the steps raise, or the cancellation; the steps must then be closed.
        """
        crew = self._crew
        try:
            await crew.acquire()
            call = self._call
            if call is None:
                call = self._call = crew.call = Call(partial(_some, self._steps, crew, self._stream), crew.loop)
            await go_on(call, self._stop)
        finally:
            crew.release()
        if call.ended:
            self._call = crew.call = None
            self._end = call.result()
            self.done = self._end is not None

    def result(self) -> T:
        """Return what the steps returned, once."""
        end, self._end = self._end, None
        return end.value  # type: ignore[union-attr]

    async def close(self) -> None:
        """Close the steps, in a thread, and wait until no thread works for them, whatever cancellation comes."""
        self._crew.cancel()
        call = self._call
        if call is not None and call.begun and not call.ended:
            await surely_leave(call, self._stop)
        if _suspended(self._steps):
            await surely_in_thread(self._steps.close)

    def abandon(
        self,
        close: Callable[[Callable[[], object]], object] = lambda function: function(),
        at_end: Callable[[], object] | None = None,
    ) -> None:
        """Close the steps without waiting: a thread that works for them comes to the end of a chunk; in any thread.

        Args:
            close: calls the function that closes the steps, if no thread works for them.
            at_end: called once that thread has come to its end; by default the task that waits for it is told.
        """
        self._crew.cancel()
        call = self._call
        if call is not None and call.begun and not call.ended:
            call.leave(self._crew.cancel, at_end)
        elif _suspended(self._steps):
            close(self._steps.close)

    def forget(self) -> None:
        """Take note that the end of the process has nothing to do with this work any more."""
        ending.works.discard(self)

    def _stop(self) -> None:
        self._crew.cancel()
        self._crew.release()  # the thread may wait for this token itself, if an object calls the loop from __reduce__


class _End(Generic[T]):
    """What the steps returned; tells a result of `None` from steps that have not ended."""

    def __init__(self, value: T):
        self.value = value


def _some(steps: Steps[T], crew: AsyncCrew, stream: Stream) -> _End[T] | None:
    """Go on with the steps, in a worker thread, until they or the hop end."""
    enough = time.monotonic() + _HOP_SECONDS
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return _End(end.value)
        if stream.waiting or time.monotonic() > enough and crew.crowded():
            return None


def _suspended(steps: Steps[Any]) -> bool:
    return inspect.getgeneratorstate(steps) == inspect.GEN_SUSPENDED
