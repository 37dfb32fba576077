"""Runs the steps of a dump or load in hops: pieces of work, each in one worker thread under one token.

Goals: the event loop is never blocked; many calls share the limiter fairly; a cancellation is obeyed within one chunk.

Rule: a thread that holds a token waits for no other token, no sender and no receiver, or calls could stall for ever.

`run` repeats three states until the steps end:
    exchange: on the event loop, without a token, bytes are sent to or received from the caller's stream;
    queue: the task waits for a token of the limiter (`AsyncCrew.acquire`);
    hop: a worker thread goes on with the steps (`_some`). The hop ends when the steps end, when others have waited for
        a token for 10 ms, or when enough bytes wait to be sent; then the token goes back.
A cancellation in exchange or queue closes the steps in a thread. One in a hop makes the crew stop at its next chunk,
and `in_thread` waits until the thread has stopped, before the steps are closed.
"""

from __future__ import annotations

import inspect
import time
from functools import partial
from typing import Generator, Generic, TypeVar

from .crew import AsyncCrew
from .streams import Stream
from .threads import in_thread, surely_in_thread

__all__ = ["Steps", "run"]

T = TypeVar("T")
Steps = Generator[None, None, T]

# A call that waits for a token waits for others this long at most, and for one chunk more.
_HOP_SECONDS = 0.01


async def run(steps: Steps[T], crew: AsyncCrew, stream: Stream) -> T:
    """Run steps to their end, and return what they return.

    Args:
        steps: the steps; they are closed, in a thread, if they cannot be run to their end.
        crew: runs the chunk jobs, and holds the token of the hops.
        stream: exchanges bytes with the caller's stream on the event loop.

    Raises:
        Exception: what the steps or the stream raise, never in an `ExceptionGroup`.
    """
    try:
        while True:
            await stream.exchange()
            result = await _hop(steps, crew, stream)
            if result is not None:
                await stream.exchange()
                return result.value
    except GeneratorExit:  # after which nothing can be awaited
        if _suspended(steps):
            steps.close()
        raise
    except BaseException:
        if _suspended(steps):
            await surely_in_thread(steps.close)
        raise


class _Result(Generic[T]):
    """What the steps returned; tells a result of `None` from steps that have not ended."""

    def __init__(self, value: T):
        self.value = value


async def _hop(steps: Steps[T], crew: AsyncCrew, stream: Stream) -> _Result[T] | None:
    """Go on with the steps for a while, in a thread; return their result once they have ended, else `None`."""

    def stop() -> None:
        crew.cancel()
        stream.interrupt()
        crew.release()  # the thread itself may wait for this token, if an object calls the event loop from __reduce__

    try:
        await crew.acquire()
        return await in_thread(partial(_some, steps, crew, stream), stop)
    finally:
        crew.release()


def _some(steps: Steps[T], crew: AsyncCrew, stream: Stream) -> _Result[T] | None:
    """Go on with the steps, in a worker thread, until they or the hop end."""
    enough = time.monotonic() + _HOP_SECONDS
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return _Result(end.value)
        if stream.waiting or time.monotonic() > enough and crew.crowded():
            return None


def _suspended(steps: Steps[T]) -> bool:
    return inspect.getgeneratorstate(steps) == inspect.GEN_SUSPENDED
