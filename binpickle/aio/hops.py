"""Steps of work, run in hops: a hop holds one token of the limiter, and goes on in one worker thread.

Rule: a thread that holds a token waits for no other token, no sender and no receiver. A hop ends with the work, when
others have waited long enough, or when there is enough to send.
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

# Others that wait for a token wait this long at the most, and one chunk more.
_HOP_SECONDS = 0.01


async def run(steps: Steps[T], crew: AsyncCrew, stream: Stream) -> T:
    """Run steps to their end, and return what they return.

    Args:
        steps: what to run; closed, in a thread, when they cannot be run to their end.
        crew: does the jobs.
        stream: what the steps have to do with the event loop.
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
    def __init__(self, value: T):
        self.value = value


async def _hop(steps: Steps[T], crew: AsyncCrew, stream: Stream) -> _Result[T] | None:
    """Go on with the steps for a while, in a thread; return their result if that was the end."""

    def stop() -> None:
        crew.cancel()
        stream.interrupt()
        crew.release()  # the thread may wait for a token itself, if what it pickles or unpickles calls the event loop

    try:
        await crew.acquire()
        return await in_thread(partial(_some, steps, crew, stream), stop)
    finally:
        crew.release()


def _some(steps: Steps[T], crew: AsyncCrew, stream: Stream) -> _Result[T] | None:
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
