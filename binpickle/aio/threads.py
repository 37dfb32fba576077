"""Calls in worker threads that no cancellation leaves behind.

Goals: a cancellation is heard at once, and the function is asked to stop; when a call has returned or raised, its
function does not run and will not run. anyio offers calls that hear of a cancellation only when they are done, and
calls whose threads go on unwatched after it; neither meets these goals.

A `Call` is, in this order:
    waiting: no thread has begun it. A cancellation leaves it: it will never begin.
    running: a thread calls the function. A cancellation asks it to stop (`stop`) and waits for its end (`until`).
    parked: the thread waits until the task goes on with the call. It may be running and parked several times.
    ended: its result or error is kept until `result` hands it out, once.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import threading
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, Callable, Generic, TypeVar

import anyio
import anyio.lowlevel
from anyio import CancelScope, CapacityLimiter, to_thread

from ..threads.crew import Cancelled
from . import ending
from .loops import context_for, current_loop, is_asyncio, loop_caller
from .workers import start_in_worker

__all__ = ["Call", "clean_in_thread", "go_on", "surely_in_thread", "surely_leave"]

T = TypeVar("T")

# The argument has had another name since anyio 4.
_ABANDON: dict[str, Any] = (
    {"abandon_on_cancel": True}
    if "abandon_on_cancel" in inspect.signature(to_thread.run_sync).parameters
    else {"cancellable": True}
)

_unlimited: anyio.lowlevel.RunVar[CapacityLimiter] = anyio.lowlevel.RunVar("binpickle_unlimited")


class Call(Generic[T]):
    """A call of a function in another thread. The module says which states it has.

    It lets go of the function and of the outcome as early as it can: idle worker threads hold on to their last call.

    Args:
        function: the function.
        loop: the event loop.

    Attributes:
        begun: whether a thread has begun the call.
        ended: whether the function has returned or raised.
        thread: the identity of that thread, once the call has begun.
    """

    def __init__(self, function: Callable[[], T], loop: Any):
        self._function: Callable[[], T] | None = function
        self.loop = loop
        self._lock = threading.Lock()
        self.begun = self.ended = self._left = False
        self.thread = 0
        self._error: BaseException | None = None
        self._value: Any = None
        self._at_park: Callable[[], object] = _nothing
        self._at_end: Callable[[], object] = _nothing
        self._resumed: SimpleQueue[None] = SimpleQueue()
        self._answer: Future[Any] | None = None

    # In the thread:

    def run(self) -> Callable[[], object]:
        """Call the function, unless the call was left before; return what to call at the end."""
        with self._lock:
            function, self._function = self._function, None
            if function is None:
                return self._at_end
            self.begun = True
            self.thread = threading.get_ident()
            ending.calls.add(self)
        try:
            self._value = function()
        except BaseException as error:
            self._error = error
        del function
        with self._lock:
            self.ended = True
            ending.calls.discard(self)
            if self._left:
                self._error = self._value = None
        return self._at_end

    def park(self) -> None:
        """Wait until the task goes on with the call, or leaves it."""
        with self._lock:
            if self._left:
                return
            at_park = self._at_park
        at_park()
        self._resumed.get()

    def ask(self, function: Callable[[], T]) -> T:
        """Call a function on the event loop, in a copy of this thread's context, and return its result.

        Raises:
            Cancelled: the call was left before the event loop came to it.
            BaseException: what the function raises.
        """
        answer: Future[T] = Future()
        with self._lock:
            if self._left:
                raise Cancelled
            self._answer = answer
        context = context_for("asyncio" if is_asyncio(self.loop) else "trio")
        loop_caller(self.loop)(partial(context.run, _answer, answer, function))
        try:
            return answer.result()
        except CancelledError:
            if answer.cancelled():
                raise Cancelled from None
            raise
        finally:
            self._answer = None
            del answer

    # On the event loop:

    def watch(self, at_park: Callable[[], object], at_end: Callable[[], object]) -> None:
        """Have functions called in the thread when it parks and when it ends; before the call begins or goes on."""
        self._at_park, self._at_end = at_park, at_end

    def resume(self) -> None:
        """Let the parked thread go on."""
        self._resumed.put(None)

    def leave(self, stop: Callable[[], object], at_end: Callable[[], object] | None = None) -> bool:
        """Keep a waiting call from beginning, or stop a running or parked one; in any thread.

        Args:
            stop: called at once if the call has begun and not ended.
            at_end: called, instead of what was to be called, once the call has ended, in either thread.

        Returns:
            Whether the call had begun.
        """
        with self._lock:
            begun, ended = self.begun, self.ended
            self._left = True
            self._at_end = at_end or self._at_end
            self._function = self._error = self._value = None
        if ended:
            self._at_end()
        elif begun:
            stop()
            self.wake()
        return begun

    def wake(self) -> None:
        """Let the thread go on, if it is parked or waits for the event loop; in any thread. Called after `stop`."""
        self._resumed.put(None)
        answer = self._answer
        if answer is not None:
            answer.cancel()

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


async def go_on(call: Call[Any], stop: Callable[[], object]) -> None:
    """Begin a call, or go on with a parked one, until it parks or ends; when cancelled, stop it and wait for its end.

    Args:
        call: the call; it does not begin at all if a cancellation comes first.
        stop: asks the function to stop; called on the event loop if a cancellation comes while the function runs.

    Raises:
        BaseException: the cancellation.
    """
    try:
        await (_go_on_asyncio if is_asyncio(call.loop) else _go_on_trio)(call)
    except GeneratorExit:  # after which nothing can be awaited
        call.leave(stop)
        raise
    except BaseException:
        await surely_leave(call, stop)
        raise


async def surely_leave(call: Call[Any], stop: Callable[[], object]) -> None:
    """Leave a call, and wait for its end if it has begun, whatever cancellation comes."""
    ended = anyio.Event()
    if call.leave(stop, partial(loop_caller(call.loop), ended.set)):
        await _until(ended)


async def surely_in_thread(function: Callable[[], object]) -> None:
    """Call a function in a thread of its own, whatever cancellation comes; for cleaning up. Its errors are dropped."""
    ended = anyio.Event()
    clean_in_thread(function, partial(loop_caller(current_loop()), ended.set))
    await _until(ended)


def clean_in_thread(function: Callable[[], object], at_end: Callable[[], object] = lambda: None) -> None:
    """Begin to call a function in a thread of its own, for cleaning up; its errors are dropped.

    Args:
        function: the function.
        at_end: called in that thread at the end.
    """

    def run() -> None:
        with suppress(Exception):
            function()
        at_end()

    try:
        threading.Thread(target=run, name="binpickle-cleaner").start()
    except RuntimeError:  # no more threads can be started: better here, on the event loop, than not at all
        run()


async def _go_on_asyncio(call: Call[Any]) -> None:
    halted = call.loop.create_future()
    tell = partial(loop_caller(call.loop), partial(_settle, halted))
    call.watch(tell, tell)
    if call.begun:
        call.resume()
        await halted
    else:
        with _TaskScope() as scope:
            start_in_worker(call.run, call.loop, scope)
            await halted


class _TaskScope:
    """A cancel scope for the tasks that the thread starts; one that bears being left when its task is destroyed."""

    def __init__(self) -> None:
        self._scope = CancelScope()

    def __enter__(self) -> CancelScope:
        return self._scope.__enter__()

    def __exit__(self, kind: Any, *error: Any) -> bool | None:
        try:
            return self._scope.__exit__(kind, *error)
        except RuntimeError:  # the coroutine is closed outside of its task, as when the loop is no more
            if kind is not GeneratorExit:
                raise
            return None


async def _go_on_trio(call: Call[Any]) -> None:
    """Use Trio's own threads, which are daemons. A call that parks is abandoned, as Trio sees it, and watched by us."""
    call_soon = loop_caller(call.loop)
    if call.begun:
        halted = anyio.Event()
        tell = partial(call_soon, halted.set)
        call.watch(tell, tell)
        call.resume()
        await halted.wait()
    else:
        with CancelScope() as parked:
            call.watch(partial(call_soon, parked.cancel), _nothing)
            await to_thread.run_sync(partial(_run, call), limiter=_no_limit(), **_ABANDON)


def _run(call: Call[Any]) -> None:
    call.run()()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _answer(answer: Future[Any], function: Callable[[], Any]) -> None:
    """Give an answer, on the event loop."""
    if answer.set_running_or_notify_cancel():
        try:
            answer.set_result(function())
        except BaseException as error:
            answer.set_exception(error)
            if not isinstance(error, Exception):
                raise


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
    """Return a limiter that lets every call pass: the caller holds a token already."""
    try:
        return _unlimited.get()
    except LookupError:
        _unlimited.set(CapacityLimiter(math.inf))
        return _unlimited.get()


def _nothing() -> None:
    pass
