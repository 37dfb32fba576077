"""Brings mapped buffers into the page cache in the background: `load(prefetch=)`.

Goals: whoever touches the arrays finds the pages there; nothing is kept alive or open that the caller has dropped; the
end of the process does not wait; no page is fetched for which another fetched page would have to go.

A few threads of the process serve all files, first come, first served. They end when there is nothing more to fetch.
A thread takes one window at a time, and between two windows it sees whether the mapping still lives. So the work on a
file ends with its last array, within the time of a window. An error ends it, too, and is told to nobody: whoever
touches the page gets it from there. A thread keeps no array while it works, since several threads would keep it alive
from window to window.

The threads are daemons, which a process does not wait for. They run no code that must come to its end.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from typing import Tuple

from ..files.pagecache import Fetcher
from ..threads.available import available_memory
from .ranges import Ranges, ranges_nbytes, windows

__all__ = ["Prefetching", "Room", "start_prefetch"]

Window = Tuple[int, int]

# A window is long enough that a thread which waits for the interpreter's lock after each does not slow the reading.
WINDOW = 4 << 20
_LOOK_EVERY = 256 << 20


class Room:
    """How much may be fetched: three quarters of the memory that is available, as seen now and again."""

    def __init__(self) -> None:
        self._taken = 0
        self._next_look = 0
        self._most = 0

    def take(self, nbytes: int) -> bool:
        """Return whether there is room for so many bytes more, and count them."""
        if self._taken >= self._next_look:
            # What has been fetched counts as available, since the kernel could take it back.
            self._most = available_memory() // 4 * 3
            self._next_look = self._taken + _LOOK_EVERY
        self._taken += nbytes
        return self._taken <= self._most


class Prefetching:
    """The work on one file. `begin`, `end` and `close` are called with the lock of the pool.

    Args:
        fetcher: brings ranges of the file into the page cache; closed at the end.
        ranges: what to fetch.

    Attributes:
        nbytes: how much there is to fetch.
        threads: how many threads should do it, at most.
    """

    def __init__(self, fetcher: Fetcher, ranges: Ranges):
        self.nbytes = ranges_nbytes(ranges)
        self.threads = min(fetcher.threads, -(-self.nbytes // WINDOW))
        self._fetcher = fetcher
        self._windows = windows(ranges, WINDOW)
        self._fetching = 0
        self._stopped = False

    def begin(self, room: Room) -> Window | None:
        """Return the next window, for a thread that will call `fetch` and `end`; `None` if none is left or fits."""
        window = None if self._stopped or not self._fetcher.wanted else next(self._windows, None)
        if window is None or not room.take(window[1] - window[0]):
            self.stop()
            self.close()
            return None
        self._fetching += 1
        return window

    def fetch(self, window: Window) -> None:
        """Bring a window into the page cache."""
        try:
            self._fetcher.fetch(*window)
        except (OSError, MemoryError):
            self._stopped = True

    def end(self) -> None:
        """Take note that a thread has done with its window."""
        self._fetching -= 1
        if self._stopped:
            self.close()

    def stop(self) -> None:
        """Fetch no further window; in any thread, without the lock."""
        self._stopped = True

    def close(self) -> None:
        """Close the fetcher, unless a thread uses it: its `end` will."""
        if not self._fetching:
            self._fetcher.close()


class _Pool:
    """The threads of this process, and the files that wait for them."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may load a file while this thread has the lock
        self._waiting: deque[Prefetching] = deque()
        self._threads: set[threading.Thread] = set()
        self._room = Room()  # for all that is fetched until nothing is left to fetch

    def add(self, work: Prefetching) -> None:
        """Let the threads fetch what this work needs; start threads for it, if there may be more."""
        with self._lock:
            if not self._waiting:
                self._room = Room()
            self._waiting.append(work)
            self._threads = {thread for thread in self._threads if thread.is_alive()}
            for _ in range(work.threads - len(self._threads)):
                thread = threading.Thread(target=self._fetch_all, name="binpickle-prefetch", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # too many threads, or the interpreter is about to end
                    break
                self._threads.add(thread)
            if not self._threads:
                self._waiting.pop().close()

    def stop(self) -> None:
        """Make all threads end after their windows."""
        for work in list(self._waiting):
            work.stop()

    def _fetch_all(self) -> None:
        """Fetch windows until there are none: the whole life of a thread."""
        found = self._next()
        while found is not None:
            work, window = found
            try:
                work.fetch(window)
            finally:
                with self._lock:
                    work.end()
            found = self._next()

    def _next(self) -> tuple[Prefetching, Window] | None:
        """Return the next window and its work, for this thread; `None` if the thread is to end."""
        with self._lock:
            while self._waiting:
                window = self._waiting[0].begin(self._room)
                if window is not None:
                    return self._waiting[0], window
                self._waiting.popleft()
            self._threads.discard(threading.current_thread())
        return None


_pool = _Pool()
atexit.register(lambda: _pool.stop())


def start_prefetch(fetcher: Fetcher, ranges: Ranges) -> Prefetching:
    """Begin to bring ranges of a mapped file into the page cache, and return at once.

    Args:
        fetcher: see `Prefetching`.
        ranges: see `Prefetching`.
    """
    work = Prefetching(fetcher, ranges)
    if work.nbytes:
        _pool.add(work)
    else:
        work.close()
    return work


def _after_fork() -> None:
    """Leave all work to the parent, which has the threads."""
    global _pool
    _pool = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
