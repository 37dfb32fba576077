"""Temporary files that have a name: what they are called, how their writers hold them, and what goes of killed ones.

Rule: a writer locks its temporary file, unless that is in place in a moment, and the system gives the lock back when
the process ends, however that ends. A temporary file of this user is removed if nobody has written to it for a day and
its lock is free: systems that share a folder may not share locks. Sweeping never makes a dump fail.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from contextlib import suppress

from .folder import Folder
from .systemcalls import attempt

try:
    import fcntl
except ImportError:  # Windows has no such locks: nothing is locked there, and nothing removed
    fcntl = None  # type: ignore[assignment]

__all__ = ["hold", "sweep", "temporary_name"]

_MOST_NAME = 96
_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{8}\.bpk-tmp", re.DOTALL)
_OLD = 24 * 60 * 60
# Folders of networks can have millions of names, and take minutes to list.
_MOST_LISTED = 1 << 14

# The folders that this process has swept, by device and number.
_SWEPT: set[tuple[int, int]] = set()


def temporary_name(target: str) -> str:
    """Return a name for a temporary file that will replace or become the target."""
    start = os.fsencode(target)[:_MOST_NAME].decode("utf-8", "ignore")
    return f".{start}.{secrets.token_hex(4)}.bpk-tmp"


def hold(fd: int) -> None:
    """Lock a temporary file until it is closed, where the file system has locks."""
    if fcntl is not None:
        attempt("flock", fcntl.flock, fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sweep(folder: Folder, new: int) -> None:
    """Remove what killed writers have left in a folder; each process sweeps a folder once.

    Args:
        folder: the folder.
        new: the descriptor of a file just made there, whose time is that of the file system.
    """
    if fcntl is None:
        return
    with suppress(OSError):
        found = folder.own_status
        place = found.st_dev, found.st_ino
        if place in _SWEPT:
            return
        _SWEPT.add(place)
        now = os.fstat(new).st_mtime
        for name in folder.names(_MOST_LISTED):
            if _TEMPORARY.fullmatch(name):
                with suppress(OSError):
                    _remove_left(folder, name, now - _OLD)


def _remove_left(folder: Folder, name: str, before: float) -> None:
    """Remove a temporary file, if it is a regular one of this user, old, and held by nobody.

    Raises:
        OSError: somebody holds it, or it cannot be opened, locked or removed.
    """
    found = folder.status(name)
    if found is None or not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mtime > before:
        return
    fd = folder.reopen(name)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # over a network, another lock would need the right to write
        folder.unlink(name)
    finally:
        os.close(fd)
