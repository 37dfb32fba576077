"""Cancels coroutines at chosen suspension points, and finds the threads and files that they leave behind.

Rule: `Stepped` runs a coroutine by hand, so it sees each moment at which the event loop could interrupt it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Coroutine, Generator, NamedTuple

import anyio

import binpickle

PACKAGE = str(Path(binpickle.__file__).parent)
OPEN_FILES = "/proc/self/fd"

Act = Callable[[Any], Any]


class Stepped:
    """An awaitable that runs a coroutine, and acts whenever the coroutine is about to be suspended.

    Args:
        coroutine: the coroutine.
        acts: functions by the number of the suspension; each is called with the object that the event loop waits for.

    Attributes:
        acts: the functions; a test may add more.
        count: how many suspensions there were so far.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], acts: dict[int, Act]):
        self.count = 0
        self._coroutine = coroutine
        self.acts = acts

    def __await__(self) -> Generator[Any, Any, Any]:
        go_on, argument = self._coroutine.send, None
        while True:
            try:
                trap = go_on(argument)
            except StopIteration as end:
                return end.value
            act = self.acts.get(self.count)
            self.count += 1
            if act is not None:
                act(trap)
            try:
                go_on, argument = self._coroutine.send, (yield trap)
            except BaseException as error:
                go_on, argument = self._coroutine.throw, error


class Outcome(NamedTuple):
    """How a coroutine ended: neither `done` nor with an `error` if it was cancelled."""

    done: bool
    error: Exception | None
    suspensions: int


class Way:
    """A way to cancel: at suspension `n`, and perhaps at the next one again.

    Args:
        first: name of the method that cancels at suspension `n`.
        second: name of the method that cancels at suspension `n + 1`, if any.
    """

    def __init__(self, first: str, second: str | None = None):
        self.name = first if second is None else f"{first}, then {second}"
        self.native = any(method.startswith("task") for method in (first, second or ""))
        self._first, self._second = first, second

    async def run(self, coroutine: Coroutine[Any, Any, Any], n: int) -> Outcome:
        """Run a coroutine and cancel it at suspension `n`."""
        stepped = Stepped(coroutine, {})
        done, error = False, None

        async def work() -> None:
            nonlocal done, error
            async with anyio.create_task_group() as group:
                with anyio.CancelScope() as scope:
                    asked = anyio.Event()
                    group.start_soon(cancel_beside, scope, asked)
                    stepped.acts.update(self._acts(n, scope, asked))
                    try:
                        await stepped
                        done = True
                    except Exception as raised:
                        if is_cancellation(raised):  # it is an Exception on Python 3.7
                            raise
                        error = raised
                group.cancel_scope.cancel()

        if self.native:
            await asyncio.wait([asyncio.ensure_future(work())])
        else:
            await work()
        return Outcome(done, error, stepped.count)

    def _acts(self, n: int, scope: anyio.CancelScope, asked: anyio.Event) -> dict[int, Act]:
        task = asyncio.current_task() if self.native else None

        def late(trap: Any) -> None:
            """Cancel once the awaited future is done, but before the task hears of that."""
            if hasattr(trap, "add_done_callback"):
                trap.add_done_callback(lambda _: task.cancel())
            else:
                task.cancel()

        methods: dict[str, Act] = {
            "scope": lambda _: scope.cancel(),
            "a moment later": lambda _: asked.set(),
            "task": lambda _: task.cancel(),
            "task late": late,
        }
        acts = {n: methods[self._first]}
        if self._second is not None:
            acts[n + 1] = methods[self._second]
        return acts


async def cancel_beside(scope: anyio.CancelScope, asked: anyio.Event) -> None:
    """Cancel a scope a moment after a test asks for it."""
    await asked.wait()
    await anyio.sleep(0.001)
    scope.cancel()


def is_cancellation(error: BaseException) -> bool:
    """Return whether this is the exception by which the event loop cancels a task."""
    return isinstance(error, anyio.get_cancelled_exc_class())


WAYS = [Way("scope"), Way("a moment later")]
# asyncio's own cancellation, which ignores anyio's shields.
NATIVE_WAYS = [Way("task"), Way("task late"), Way("task", "task"), Way("scope", "task")]


def descriptors() -> int:
    """Return how many files are open; 0 if the system does not tell."""
    return len(os.listdir(OPEN_FILES)) if os.path.isdir(OPEN_FILES) else 0


def busy_threads() -> list[str]:
    """Return the names of all other threads that run code of binpickle."""
    frames = sys._current_frames()
    return [
        thread.name
        for thread in threading.enumerate()
        if thread is not threading.current_thread() and _runs_binpickle(frames.get(thread.ident or 0))
    ]


def left_busy(seconds: float = 5.0) -> list[str]:
    """Return the names of the threads that still run code of binpickle after some seconds."""
    end = time.monotonic() + seconds
    while busy_threads() and time.monotonic() < end:
        time.sleep(0.001)
    return busy_threads()


def _runs_binpickle(frame: Any) -> bool:
    if frame is not None and frame.f_code.co_name == "next_work":  # an idle worker
        return False
    while frame is not None:
        if frame.f_code.co_filename.startswith(PACKAGE):
            return True
        frame = frame.f_back
    return False
