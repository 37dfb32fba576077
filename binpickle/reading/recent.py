"""What was put last, by key: a dict of bounded length for all threads, also after a fork."""

from __future__ import annotations

import os
import threading
from typing import Generic, TypeVar

__all__ = ["Recent"]

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A dict that drops the entries that were put longest ago. It lives as long as the process.

    Args:
        most: how many entries to keep.
    """

    def __init__(self, most: int):
        self._most = most
        self._entries: dict[K, V] = {}
        self._renew_lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew_lock)

    def get(self, key: K) -> V | None:
        """Return the value of a key, or `None`."""
        return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        """Keep a value."""
        with self._lock:
            self._entries.pop(key, None)
            self._entries[key] = value
            if len(self._entries) > self._most:
                del self._entries[next(iter(self._entries))]

    def clear(self) -> None:
        """Drop all entries."""
        with self._lock:
            self._entries.clear()

    def _renew_lock(self) -> None:
        """Make a new lock, in the child of a fork: another thread may have held the lock when the process forked."""
        self._lock = threading.Lock()
