"""Calls in worker threads that no cancellation leaves behind.

Rule: when a call here has returned or raised, its function does not run and will not. anyio has calls that hear nothing
of a cancellation until they are done, and calls that nobody watches after it; neither would do.
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

# anyio 4 has another name for it.
_ABANDON: dict[str, Any] = (
    {"abandon_on_cancel": True}
    if "abandon_on_cancel" in inspect.signature(to_thread.run_sync).parameters
    else {"cancellable": True}
)

_unlimited: anyio.lowlevel.RunVar[CapacityLimiter] = anyio.lowlevel.RunVar("binpickle_unlimited")


async def in_thread(function: Callable[[], T], stop: Callable[[], object]) -> T:
    """Call a function in a worker thread; when cancelled, ask it to stop and wait until it has.

    Args:
        function: what to call; not called at all if a cancellation comes first.
        stop: called on the event loop when a cancellation comes while the function runs.
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
    except RuntimeError:  # no more threads to be had: rather here than not at all
        run()
    await _until(ended)


def loop_caller() -> Callable[[Callable[[], object]], None]:
    """Return what makes the running event loop call a function soon, from any thread; never, once it is closed."""
    token: Any = anyio.lowlevel.current_token()
    token = getattr(token, "native_token", token)  # anyio 4 wraps the event loop, or what stands for Trio's
    call_soon = getattr(token, "call_soon_threadsafe", None) or token.run_sync_soon

    def caller(function: Callable[[], object]) -> None:
        with suppress(RuntimeError):
            call_soon(function)

    return caller


class _Call(Generic[T]):
    """A function called in another thread: once, or not any more.

    Keeps neither function nor outcome when they are done with: idle worker threads hold on to their last call.
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
        """Prevent the call, or if it has begun, stop it; return whether it had begun. `at_end` is called then."""
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
    """Wait for an event; raise what interrupts only afterwards.

    Scopes do not, being shielded from. Cancellation of asyncio's own and Ctrl-C on Trio do.
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
    """Return a limiter that lets everything pass: who calls here has a token already."""
    try:
        return _unlimited.get()
    except LookupError:
        _unlimited.set(CapacityLimiter(math.inf))
        return _unlimited.get()


def _nothing() -> None:
    pass
