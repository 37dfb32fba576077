"""Ranges of one object, fetched ahead of their readers: planned, merged into parts, and held until they were read.

Goals: requests are few and large where much is wanted, and small where little is; a reader never waits for a part of
another file; memory is bounded whatever the size of the object.

A part is, in this order:
    waiting: in line. The fetchers of the process take parts out of the lines of all files in turn, as long as their
        `Window` has room. A reader that comes first takes the part out and fetches it itself.
    running: one thread fetches it; readers wait for its end.
    done: its bytes or its error are kept until all planned bytes of it were read.
A reader waits only for parts that are running, and so never for the window: no two files can stall each other.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_right, insort
from collections import deque
from typing import Any, Callable, Iterable
from weakref import WeakSet

import numpy as np

__all__ = ["Fetcher", "Window", "merge"]

# A gap that is fetched costs less than another request.
_GAP = 64 << 10
# Parts are small when little is wanted, so that all connections share the work, and large when much is.
_LEAST_PART, _MOST_PART = 1 << 20, 8 << 20
_MOST_RANGE = _MOST_PART + _MOST_PART // 4
_REQUESTS = 16
_HELD = 128 << 20


class _Part:
    """A range that one request fetches. The module says which states it has."""

    __slots__ = ("begun", "data", "done", "error", "left", "start", "stop")

    def __init__(self, start: int, stop: int, left: int):
        self.start = start
        self.stop = stop
        self.left = left  # planned bytes that were not read yet
        self.begun = False
        self.done = threading.Event()
        self.data: Any = None
        self.error: BaseException | None = None

    def __lt__(self, other: _Part) -> bool:
        return self.start < other.start


class Window:
    """How many requests run ahead of their readers at a time, and how many bytes they hold, for all files of a process.

    Args:
        requests: the most threads that fetch ahead.
        nbytes: the most bytes that are being fetched, or were fetched and wait for their readers.
    """

    def __init__(self, requests: int = _REQUESTS, nbytes: int = _HELD):
        self._requests = requests
        self._nbytes = nbytes
        self._lock = threading.Lock()
        self._lines: deque[Fetcher] = deque()
        self._threads = 0
        self._held = 0

    def renew(self) -> None:
        """Forget all that was under way: in a forked child, which has none of the threads."""
        self.__init__(self._requests, self._nbytes)  # type: ignore[misc]

    def offer(self, fetcher: Fetcher) -> None:
        """Fetch the waiting parts of a file."""
        with self._lock:
            if fetcher not in self._lines:
                self._lines.append(fetcher)
            wanted = min(self._requests, self._threads + fetcher.waiting) - self._threads
            self._threads += wanted
        self._start(wanted)

    def free(self, nbytes: int) -> None:
        """Take note that bytes which were fetched ahead are held no more."""
        with self._lock:
            self._held -= nbytes
            start = bool(self._lines) and self._threads < self._requests
            self._threads += start
        self._start(int(start))

    def leave(self, fetcher: Fetcher) -> None:
        """Fetch no more parts of a file."""
        with self._lock:
            if fetcher in self._lines:
                self._lines.remove(fetcher)

    def _start(self, count: int) -> None:
        for _ in range(count):
            try:
                threading.Thread(target=self._run, name="binpickle-fetcher", daemon=True).start()
            except RuntimeError:  # no more threads can be started: readers fetch what they need
                with self._lock:
                    self._threads -= 1

    def _run(self) -> None:
        """Fetch parts until there is none, or no room: the whole life of a fetching thread."""
        found = self._next()
        while found is not None:
            fetcher, part = found
            fetcher.run(part)
            del fetcher, part
            found = self._next()

    def _next(self) -> tuple[Fetcher, _Part] | None:
        with self._lock:
            for _ in range(len(self._lines)):
                fetcher = self._lines[0]
                part = fetcher.take(self._nbytes - self._held)
                if part is not None:
                    self._held += part.stop - part.start
                    self._lines.rotate(-1)
                    return fetcher, part
                if fetcher.waiting:
                    self._lines.rotate(-1)
                else:
                    self._lines.popleft()
            self._threads -= 1
        return None


window = Window()
_fetchers: WeakSet[Fetcher] = WeakSet()


class Fetcher:
    """The parts of one object.

    Args:
        get: fetches a range of the object, in any thread.
        ahead: bounds what is fetched ahead; by default that of the process.
    """

    def __init__(self, get: Callable[[int, int], Any], ahead: Window | None = None):
        self._get = get
        self._window = window if ahead is None else ahead
        self._closed = False
        self.renew()
        _fetchers.add(self)

    def renew(self) -> None:
        """Forget all parts: in a forked child, where nobody fetches those that are running."""
        self._lock = threading.Lock()
        self._parts: list[_Part] = []  # by their starts
        self._line: deque[_Part] = deque()
        self._reserved: set[_Part] = set()  # those that the window counts

    @property
    def waiting(self) -> int:
        """How many parts nobody has begun to fetch."""
        return len(self._line)

    def plan(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Fetch ranges ahead of their readers; see `Source.plan`."""
        parts = [_Part(*part) for part in merge(ranges)]
        with self._lock:
            if self._closed:
                return
            for part in parts:
                insort(self._parts, part)
            self._line.extend(parts)
        if len(parts) > 1:  # the reader fetches a single part itself, without another thread
            self._window.offer(self)

    def read(self, start: int, stop: int) -> Any:
        """Return a range as a bytes-like object: a view of a part, if one has all of it.

        Raises:
            Exception: what `get` raises.
        """
        part, end = self._find(start, stop)
        if part is None and end == stop:
            return self._get(start, stop)
        if part is not None and end == stop:
            return self._use(part, start, stop)
        out = np.empty(stop - start, np.uint8)
        self.read_into(start, out)
        return out

    def read_into(self, start: int, out: np.ndarray) -> None:
        """Fill memory with the bytes from `start` on.

        Raises:
            Exception: what `get` raises.
        """
        at, stop = start, start + len(out)
        while at < stop:
            part, end = self._find(at, stop)
            data = self._get(at, end) if part is None else self._use(part, at, end)
            out[at - start : end - start] = np.frombuffer(data, np.uint8)
            at = end

    def take(self, room: int) -> _Part | None:
        """Return the next part to fetch ahead; `None` if there is none, or it has more bytes than there is room."""
        with self._lock:
            while self._line and self._line[0].begun:
                self._line.popleft()
            if self._closed or not self._line or self._line[0].stop - self._line[0].start > room:
                return None
            part = self._line.popleft()
            part.begun = True
            self._reserved.add(part)
            return part

    def run(self, part: _Part) -> None:
        """Fetch a part, and keep its bytes or its error."""
        try:
            if not self._closed:
                part.data = self._get(part.start, part.stop)
        except BaseException as error:
            part.error = error
        part.done.set()
        if self._closed:
            self._release(part)

    def close(self) -> None:
        """Drop all parts. Requests under way end by themselves."""
        with self._lock:
            self._closed = True
            self._line.clear()
            parts, self._parts = self._parts, []
        self._window.leave(self)
        for part in parts:
            if part.done.is_set():
                self._release(part)

    def _find(self, at: int, stop: int) -> tuple[_Part | None, int]:
        """Return the part that has a byte, if any, and where the bytes end that come from there."""
        with self._lock:
            i = bisect_right(self._parts, _Part(at, at, 0)) - 1
            if i >= 0 and self._parts[i].stop > at:
                return self._parts[i], min(stop, self._parts[i].stop)
            end = self._parts[i + 1].start if i + 1 < len(self._parts) else stop
        return None, min(stop, end)

    def _use(self, part: _Part, start: int, stop: int) -> Any:
        with self._lock:
            mine, part.begun = not part.begun, True
        if mine:
            self.run(part)
        part.done.wait()
        data, error = part.data, part.error
        if data is None and error is None:
            raise ValueError("the file is closed")
        piece = None if error else memoryview(data)[start - part.start : stop - part.start]
        with self._lock:
            part.left -= stop - start
            over = (part.left <= 0 or error is not None) and part in self._parts
            if over:
                self._parts.remove(part)
        if over:
            self._release(part)
        if error is not None:
            raise error
        return piece

    def _release(self, part: _Part) -> None:
        with self._lock:
            counted = part in self._reserved
            self._reserved.discard(part)
            part.data = None if self._closed else part.data
        if counted:
            self._window.free(part.stop - part.start)


def merge(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Return the parts that fetch some ranges: the start and stop of each, and how many of its bytes are wanted.

    Args:
        ranges: start and stop of each range, in the order in which they will be read.
    """
    wanted = [(start, stop) for start, stop in ranges if start < stop]
    total = sum(stop - start for start, stop in wanted)
    most = min(max(total // _REQUESTS, _LEAST_PART), _MOST_PART)
    parts: list[tuple[int, int, int]] = []
    for start, stop in wanted:
        if parts:
            begin, end, nbytes = parts[-1]
            if 0 <= start - end <= _GAP and stop - begin <= most:
                parts[-1] = begin, stop, nbytes + stop - start
                continue
        while stop - start > _MOST_RANGE:  # a shorter one is a chunk, which is read as a whole
            parts.append((start, start + _MOST_PART, _MOST_PART))
            start += _MOST_PART
        parts.append((start, stop, stop - start))
    return parts


def _renew_all() -> None:
    window.renew()
    for fetcher in list(_fetchers):
        fetcher.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
