"""The end of the process, for calls whose event loop was stopped before they ended.

Goals: the process ends soon; a dump leaves the old file or the new one, and nothing else; no thread is killed amid its
work if it can end by itself.

Rule: at the end of the process the work of all calls is cancelled. Threads have some seconds to come to the end of a
chunk, and to clean up. A thread that does not come there is a daemon, and Python ends it.
"""

from __future__ import annotations

import atexit
import os
import time
from typing import Any

__all__ = ["calls", "works"]

# Encoding a chunk takes a second and more with bz2 and lzma.
_SECONDS = 5.0

works: set[Any] = set()
"""The work (`hops.Work`) that has not ended."""

calls: set[Any] = set()
"""The calls (`threads.Call`) that a thread has begun and not ended."""


@atexit.register
def _end_all() -> None:
    for work in list(works):
        work.abandon(at_end=lambda: None)  # an event loop that runs to this moment must not go on
    end = time.monotonic() + _SECONDS
    while calls and time.monotonic() < end:
        time.sleep(0.001)


def _forget() -> None:
    """Leave everything to the parent process, which has the threads."""
    works.clear()
    calls.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
