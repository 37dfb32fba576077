"""Calling the caller's `progress`, not too often."""

from __future__ import annotations

import time
from typing import Any, Callable, Optional

__all__ = ["Meter", "Progress"]

Progress = Callable[[int, Optional[int]], Any]
"""Called with the bytes done and the bytes in total, `None` while these are not known."""

_INTERVAL = 0.05  # seconds: 20 calls a second are as many as an eye can follow


class Meter:
    """Counts bytes for a caller's `progress`.

    Attributes:
        total: bytes in total, once they are known.
    """

    def __init__(self, progress: Progress | None, total: int | None = None):
        self.total = total
        self._progress = progress
        self._done = 0
        self._next = 0.0

    def advance(self, nbytes: int) -> None:
        """Count bytes that are done."""
        self._done += nbytes
        if self._progress is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + _INTERVAL
            self._progress(self._done, self.total)

    def finish(self) -> None:
        """Report the end."""
        if self._progress is not None:
            self._progress(self._done, self.total)
