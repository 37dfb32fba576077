"""How much of the work is done: counts bytes and calls the caller's `progress`, not too often.

Rule: the owner of the work counts, in its own thread; what `progress` raises there ends the work.
"""

from __future__ import annotations

import time

from ..types import Progress

__all__ = ["Meter"]

_INTERVAL = 0.05  # seconds: an eye cannot follow more than 20 calls a second


class Meter:
    """Counts bytes for a caller's `progress`.

    Args:
        progress: what to call, if anything.
        total: see the attribute.

    Attributes:
        total: bytes in total; `None` until the total is known.
        done: bytes that are done.
    """

    def __init__(self, progress: Progress | None, total: int | None = None):
        self.total = total
        self._progress = progress
        self.done = 0
        self._next = 0.0

    def advance(self, nbytes: int) -> None:
        """Count bytes that have just been done."""
        self.done += nbytes
        if self._progress is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + _INTERVAL
            self._progress(self.done, self.total)

    def finish(self) -> None:
        """Report the end."""
        if self._progress is not None:
            self._progress(self.done, self.total)
