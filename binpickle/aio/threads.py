"""Calls in worker threads that no cancellation leaves behind.

Goals: a cancellation is heard at once, and the function is asked to stop; when a call has returned or raised, its
function does not run and will not run. anyio offers calls that hear of a cancellation only when they are done, and
calls whose threads go on unwatched after it; neither meets these goals.

A `_Call` is, in this order:
    waiting: no thread has begun it. A cancellation leaves it: it will never begin.
    running: a thread calls the function. A cancellation asks it to stop (`stop`) and waits for its end (`_until`).
    ended: its result or error is kept until `result` hands it out, once.
"""

from __future__ import annotations

import inspect
import math
import threading
from contextlib import suppress
from functools import partial
from typing import Any, Callable, Generic, TypeVar

import anyio
import anyio.lowlevel
from anyio import CancelScope, CapacityLimiter, to_thread

__all__ = ["in_thread", "loop_caller", "surely_in_thread"]

T = TypeVar("T")

# The argument has had another name since anyio 4.
_ABANDON: dict[str, Any] = (
    {"abandon_on_cancel": True}
    if "abandon_on_cancel" in inspect.signature(to_thread.run_sync).parameters
    else {"cancellable": True}
)

_unlimited: anyio.lowlevel.RunVar[CapacityLimiter] = anyio.lowlevel.RunVar("binpickle_unlimited")


async def in_thread(function: Callable[[], T], stop: Callable[[], object]) -> T:
    """Call a function in a worker thread and return its result; when cancelled, ask it to stop and wait for its end.

    Args:
        function: the function; it is not called at all if a cancellation comes first.
        stop: asks the function to stop; called on the event loop if a cancellation comes while the function runs.

    Raises:
        BaseException: what the function raises, or the cancellation.
    """
    call = _Call(function)
    try:
        await to_thread.run_sync(call.run, limiter=_no_limit(), **_ABANDON)
    except GeneratorExit:  # after which nothing can be awaited
        call.leave(stop, _nothing)
        raise
    except BaseException:
        ended = anyio.Event()
        if call.leave(stop, partial(loop_caller(), ended.set)):
            await _until(ended)
        raise
    return call.result()


async def surely_in_thread(function: Callable[[], object]) -> None:
    """Call a function in a thread of its own, whatever cancellation comes; for cleaning up. Its errors are dropped."""
    ended = anyio.Event()
    at_end = partial(loop_caller(), ended.set)

    def run() -> None:
        with suppress(Exception):
            function()
        at_end()

    try:
        threading.Thread(target=run, name="binpickle-cleaner").start()
    except RuntimeError:  # no more threads can be started: better here, on the event loop, than not at all
        run()
    await _until(ended)


def loop_caller() -> Callable[[Callable[[], object]], None]:
    """Return a caller for any thread: it makes this event loop call a function soon; once closed, never."""
    token: Any = anyio.lowlevel.current_token()
    token = getattr(token, "native_token", token)  # anyio 4 wraps asyncio's event loop, or Trio's token
    call_soon = getattr(token, "call_soon_threadsafe", None) or token.run_sync_soon

    def caller(function: Callable[[], object]) -> None:
        with suppress(RuntimeError):
            call_soon(function)

    return caller


class _Call(Generic[T]):
    """A call of a function in another thread. The module says which states it has.

    It lets go of the function and of the outcome as early as it can: idle worker threads hold on to their last call.
    """

    def __init__(self, function: Callable[[], T]):
        self._function: Callable[[], T] | None = function
        self._lock = threading.Lock()
        self._begun = self._ended = self._left = False
        self._error: BaseException | None = None
        self._value: Any = None
        self._at_end: Callable[[], object] = _nothing

    def run(self) -> None:
        """Call the function, unless the call was left before."""
        with self._lock:
            function, self._function = self._function, None
            if function is None:
                return
            self._begun = True
        try:
            self._value = function()
        except BaseException as error:
            self._error = error
        del function
        with self._lock:
            self._ended = True
            if self._left:
                self._error = self._value = None
        self._at_end()

    def leave(self, stop: Callable[[], object], at_end: Callable[[], object]) -> bool:
        """Keep a waiting call from beginning, or stop a running one; on the event loop.

        Args:
            stop: called at once if the call is running.
            at_end: called once the call has ended, in either thread; never if it had not begun.

        Returns:
            Whether the call had begun.
        """
        with self._lock:
            begun, ended = self._begun, self._ended
            self._left = True
            self._at_end = at_end
            self._function = self._error = self._value = None
        if ended:
            at_end()
        elif begun:
            stop()
        return begun

    def result(self) -> T:
        """Return what the function returned, or raise what it raised, once."""
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # else the traceback keeps this frame, and the frame the error
        value, self._value = self._value, None
        return value  # type: ignore[no-any-return]


async def _until(event: anyio.Event) -> None:
    """Wait for an event; raise an interruption of the wait only afterwards.

    The wait is shielded from anyio's cancel scopes. asyncio's own cancellation and Ctrl-C on Trio still interrupt it.
    """
    interruption: BaseException | None = None
    with CancelScope(shield=True):
        while not event.is_set():
            try:
                await event.wait()
            except GeneratorExit:  # after which nothing can be awaited
                raise
            except BaseException as error:
                interruption = error
    if interruption is not None:
        try:
            raise interruption
        finally:
            del interruption


def _no_limit() -> CapacityLimiter:
    """Return a limiter that lets every call pass: the caller of `in_thread` holds a token already."""
    try:
        return _unlimited.get()
    except LookupError:
        _unlimited.set(CapacityLimiter(math.inf))
        return _unlimited.get()


def _nothing() -> None:
    pass
