"""The end of the process, for calls whose event loop was stopped before they ended.

Goals: the process ends soon; a dump leaves the old file or the new one, and nothing else; no thread is killed amid its
work if it can end by itself.

Rule: at the end of the process the work of all calls is cancelled. Threads come to the end of a chunk, and clean up. A
thread that waits for the stopped loop cannot: it is a daemon, and the process does not wait for it. A thread at work
must not be left so: before Python 3.14 it would be ended amid its C++ code, which may abort the process.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from typing import Any

__all__ = ["calls", "works"]

# A thread that waits may wait for its helpers, and gets these seconds. Threads at work get more: encoding a chunk with
# bz2 or lzma takes a second and more, and unpickling cannot be halted.
_WAITING_SECONDS = 2.0
_WORKING_SECONDS = 60.0

works: set[Any] = set()
"""The work (`hops.Work`) that has not ended."""

calls: set[Any] = set()
"""The calls (`threads.Call`) that a thread has begun and not ended."""


@atexit.register
def _end_all() -> None:
    for work in list(works):
        work.abandon(at_end=lambda: None)  # an event loop that runs to this moment must not go on
    begin = time.monotonic()
    while calls and time.monotonic() < begin + _WORKING_SECONDS:
        time.sleep(0.001)
        if time.monotonic() > begin + _WAITING_SECONDS and all(map(_waits, list(calls))):
            break


def _waits(call: Any) -> bool:
    """Return whether the thread of a call waits for another thread, such as that of the stopped loop."""
    frame = sys._current_frames().get(call.thread)
    return frame is not None and frame.f_code.co_filename == threading.__file__


def _forget() -> None:
    """Leave everything to the parent process, which has the threads."""
    works.clear()
    calls.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
