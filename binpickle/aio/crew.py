"""Crews whose threads hold tokens of a limiter, and the line of those who wait for one.

Strategy: only the first in line waits at the limiter itself. Under asyncio anyio's own queue loses a token whose new
holder is cancelled at the same moment (before 4.10), and may let one too many pass (before 4.14).
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
    """Those who wait for a token of one limiter."""

    def __init__(self) -> None:
        self.length = 0
        self.first = anyio.Lock()


class AsyncCrew(Crew):
    """A crew whose threads hold tokens of a limiter. Helpers come for idle tokens, and leave when others wait for one.

    Args:
        limiter: by default one for each event loop, with as many tokens as CPUs may be used.

    Raises:
        TypeError: not a limiter of anyio's.
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
        self._tickets: list[object] = []  # what helpers borrow tokens on behalf of

    def crowded(self) -> bool:
        """Return whether others wait for a token; from any thread."""
        return self._line.length > 0 or self._limiter.statistics().tasks_waiting > 0

    async def acquire(self) -> None:
        """Take the owner's token."""
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
        if self.crowded():  # no token is idle, nor will be soon: the event loop need not be woken to find that
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
        """Take a token for which nobody waits at the limiter; return whether there was one."""
        # Asked first: what comes out of acquiring in vain varies with backend and release of anyio.
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
        except RuntimeError:  # no more threads to be had: the owner does it all
            came = False
        if not came:
            self._release_ticket()

    def _release_ticket(self) -> None:
        self._limiter.release_on_behalf_of(self._tickets.pop())


def _shared_limiter(tokens: int) -> CapacityLimiter:
    """Return the limiter of this event loop."""
    try:
        return _default_limiter.get()
    except LookupError:
        _default_limiter.set(CapacityLimiter(tokens))
        return _default_limiter.get()


def _line_of(limiter: CapacityLimiter) -> _Line:
    """Return the line at a limiter, on this event loop."""
    try:
        lines = _lines.get()
    except LookupError:
        lines = WeakKeyDictionary()
        _lines.set(lines)
    line = lines.get(limiter)
    if line is None:
        line = lines[limiter] = _Line()
    return line
