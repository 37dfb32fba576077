"""Crews whose threads hold tokens of a limiter, and the line of the calls that wait for one.

Rule: each working thread holds one token, the owner's or a helper's. Helpers take only idle tokens, and leave once
another call waits for a token. Only the first call in line waits at the limiter itself: under asyncio, anyio's own
queue loses a token whose new holder is cancelled at the same moment (before 4.10), and may let one call too many pass
(before 4.14).
"""

from __future__ import annotations

import threading
from typing import Any, Callable, TypeVar
from weakref import WeakKeyDictionary

import anyio
import anyio.lowlevel
from anyio import CapacityLimiter

from ..threads.cpus import usable_cpus
from ..threads.crew import Crew
from .loops import current_loop, is_asyncio, loop_caller
from .threads import Call

__all__ = ["AsyncCrew", "check_limiter"]

T = TypeVar("T")


class _Shared:
    """What the calls on one event loop share."""

    def __init__(self) -> None:
        self.limiter: CapacityLimiter | None = None
        self.lines: WeakKeyDictionary[CapacityLimiter, _Line] = WeakKeyDictionary()


_shared: WeakKeyDictionary[Any, _Shared] = WeakKeyDictionary()


class _Line:
    """The calls that wait for a token of one limiter, in the order in which they came."""

    def __init__(self) -> None:
        self.length = 0
        self.first = anyio.Lock()


class AsyncCrew(Crew):
    """A crew whose threads hold tokens of a limiter. The module says when helpers come and leave.

    Args:
        limiter: bounds the threads of all crews that share it; `None` for the limiter that this event loop shares,
            which has as many tokens as this process may use CPUs.

    Attributes:
        loop: the event loop.
        call: the call whose thread is the owner.

    Raises:
        TypeError: `limiter` is not a limiter of anyio.
    """

    def __init__(self, limiter: CapacityLimiter | None):
        check_limiter(limiter)
        cpus = usable_cpus()
        self.loop = current_loop()
        self._limiter, self._line = _limiter_and_line(self.loop, limiter, cpus)
        super().__init__(int(min(self._limiter.total_tokens, cpus)))
        self.call: Call[Any] | None = None
        self._call_soon = loop_caller(self.loop)
        self._holding = False
        self._tickets: list[object] = []  # one for each working helper: the borrower of its token

    def crowded(self) -> bool:
        """Return whether another call waits for a token; in any thread."""
        return self._line.length > 0 or self._limiter.statistics().tasks_waiting > 0

    async def acquire(self) -> None:
        """Wait for the owner's token, and take it; on the event loop."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        if not self._line.length and self._take_idle(self):
            self._holding = True
            return
        self._line.length += 1
        try:
            async with self._line.first:
                await self._acquire_as_first()
        finally:
            self._line.length -= 1

    def release(self) -> None:
        """Give the owner's token back, if it has one; on the event loop."""
        if self._holding:
            self._holding = False
            self._limiter.release_on_behalf_of(self)

    def park(self) -> None:
        """Wait, in the owner's thread and without a token, until the task goes on with the call.

        Raises:
            Cancelled: the crew was cancelled.
        """
        self.call.park()  # type: ignore[union-attr]
        self.check()

    def ask(self, function: Callable[[], T]) -> T:
        """Call a function on the event loop, and return its result; in the owner's thread.

        Raises:
            Cancelled: the call was left before the event loop came to it.
            BaseException: what the function raises.
        """
        return self.call.ask(function)  # type: ignore[union-attr,no-any-return]

    def invite(self) -> None:
        if self.crowded():  # no token is idle or will be soon, so the event loop need not be woken
            self.turn_away()
        else:
            self._call_soon(self._bring_helper)

    def may_stay(self) -> bool:
        return not self.crowded() and not self._forsaken()

    def leaving(self) -> None:
        self._call_soon(self._release_ticket)

    async def _acquire_as_first(self) -> None:
        while not self._holding:
            if not self._take_idle(self):
                await self._limiter.acquire_on_behalf_of(self)
            self._holding = True
            if self._limiter.borrowed_tokens > self._limiter.total_tokens:
                self.release()

    def _take_idle(self, borrower: object) -> bool:
        """Take an idle token if no task waits at the limiter; return whether there was one. On the event loop."""
        if self._limiter.available_tokens < 1:
            return False
        try:
            self._limiter.acquire_on_behalf_of_nowait(borrower)
        except Exception as error:  # WouldBlock of anyio, or, by some releases of it, that of Trio
            if type(error).__name__ != "WouldBlock":
                raise
            return False
        return True

    def _forsaken(self) -> bool:
        """Return whether the event loop was stopped, and the process waits for nothing but helpers to end."""
        if threading.main_thread().is_alive() or not is_asyncio(self.loop):
            return False
        return not self.loop.is_running()  # type: ignore[attr-defined]

    def _bring_helper(self) -> None:
        """Start a helper if a token is idle; on the event loop."""
        ticket = object()
        if self._line.length or not self._take_idle(ticket):
            self.turn_away()
            return
        self._tickets.append(ticket)
        try:
            came = self.admit()
        except RuntimeError:  # no more threads can be started: the owner does all the work
            came = False
        if not came:
            self._release_ticket()

    def _release_ticket(self) -> None:
        self._limiter.release_on_behalf_of(self._tickets.pop())


def check_limiter(limiter: Any) -> None:
    """Check the argument `limiter`.

    Raises:
        TypeError: `limiter` is not a limiter of anyio.
    """
    if limiter is not None and not isinstance(limiter, CapacityLimiter):
        raise TypeError(f"limiter must be an anyio.CapacityLimiter, not {type(limiter).__name__}")


def _limiter_and_line(loop: Any, limiter: CapacityLimiter | None, tokens: int) -> tuple[CapacityLimiter, _Line]:
    """Return a limiter, by default that of the event loop, and the line of the calls that wait at it there."""
    shared = _shared.get(loop)
    if shared is None:
        shared = _shared[loop] = _Shared()
    if limiter is None:
        limiter = shared.limiter = shared.limiter or CapacityLimiter(tokens)
    line = shared.lines.get(limiter)
    if line is None:
        line = shared.lines[limiter] = _Line()
    return limiter, line
