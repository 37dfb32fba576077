"""Crews whose threads hold tokens of a limiter, and the line of the calls that wait for one.

Rule: each working thread holds one token, the owner's or a helper's. Helpers take only idle tokens, and leave once
another call waits for a token. Only the first call in line waits at the limiter itself: under asyncio, anyio's own
queue loses a token whose new holder is cancelled at the same moment (before 4.10), and may let one call too many pass
(before 4.14).
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import anyio
import anyio.lowlevel
from anyio import CapacityLimiter

from ..threads.cpus import usable_cpus
from ..threads.crew import Crew
from .threads import loop_caller

__all__ = ["AsyncCrew"]

_default_limiter: anyio.lowlevel.RunVar[CapacityLimiter] = anyio.lowlevel.RunVar("binpickle_limiter")
_lines: anyio.lowlevel.RunVar[WeakKeyDictionary[CapacityLimiter, _Line]] = anyio.lowlevel.RunVar("binpickle_lines")


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

    Raises:
        TypeError: `limiter` is not a limiter of anyio.
    """

    def __init__(self, limiter: CapacityLimiter | None):
        cpus = usable_cpus()
        self._limiter = _shared_limiter(cpus) if limiter is None else limiter
        if not isinstance(self._limiter, CapacityLimiter):
            raise TypeError(f"limiter must be an anyio.CapacityLimiter, not {type(limiter).__name__}")
        super().__init__(int(min(self._limiter.total_tokens, cpus)))
        self._line = _line_of(self._limiter)
        self._call_soon = loop_caller()
        self._holding = False
        self._tickets: list[object] = []  # one for each working helper: the borrower of its token

    def crowded(self) -> bool:
        """Return whether another call waits for a token; in any thread."""
        return self._line.length > 0 or self._limiter.statistics().tasks_waiting > 0

    async def acquire(self) -> None:
        """Wait for the owner's token, and take it; on the event loop."""
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

    def invite(self) -> None:
        if self.crowded():  # no token is idle or will be soon, so the event loop need not be woken
            self.turn_away()
        else:
            self._call_soon(self._bring_helper)

    def may_stay(self) -> bool:
        return not self.crowded()

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
        # Asked first: the error for acquiring in vain varies with the backend and the release of anyio.
        if self._limiter.available_tokens < 1 or self._limiter.statistics().tasks_waiting:
            return False
        self._limiter.acquire_on_behalf_of_nowait(borrower)
        return True

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


def _shared_limiter(tokens: int) -> CapacityLimiter:
    """Return the limiter that all calls on this event loop share."""
    try:
        return _default_limiter.get()
    except LookupError:
        _default_limiter.set(CapacityLimiter(tokens))
        return _default_limiter.get()


def _line_of(limiter: CapacityLimiter) -> _Line:
    """Return the line of the calls that wait at a limiter on this event loop."""
    try:
        lines = _lines.get()
    except LookupError:
        lines = WeakKeyDictionary()
        _lines.set(lines)
    line = lines.get(limiter)
    if line is None:
        line = lines[limiter] = _Line()
    return line
