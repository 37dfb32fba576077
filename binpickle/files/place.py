"""Where a file goes: the folder and the name that a path leads to, and what stands there.

Rule: what can be known to fail is refused here, before anything is pickled, with what the caller can do about it.
Symbolic links are followed by BinPickle, so that they stay links. A link that leads to an open descriptor, such as
`/dev/stdout` or `/dev/fd/3`, stands for that descriptor, whatever name its file has or had.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import NamedTuple

from .folder import Folder
from .linux import IMMUTABLE, MOUNTED
from .status import Status, status_of
from .systemcalls import advise

__all__ = ["OPEN_IT", "Place", "find_place"]

OPEN_IT = "open the file and pass the file object, which writes in place"
"""The advice for files that cannot be replaced."""

_MOST_LINKS = 40
_DESCRIPTORS = re.compile(r"/proc/(?P<process>\d+)/(task/\d+/)?fd|/dev/fd")


class Place(NamedTuple):
    """Where a file goes.

    Attributes:
        folder: the open folder; whoever gets the place closes it.
        name: name of the file in the folder.
        old: the status of the regular file that will be replaced, or `None`.
        special: whether this is a device, FIFO, socket or descriptor, which is written to, and not replaced.
        descriptor: the descriptor of this process that the path stands for, or -1.
    """

    folder: Folder
    name: str
    old: Status | None = None
    special: bool = False
    descriptor: int = -1


def find_place(path: str, *, durable: bool = False, exclusive: bool = False) -> Place:
    """Return the place that a path leads to.

    Args:
        path: path of the target.
        durable: whether the folder will be synced.
        exclusive: refuse whatever has this name, a dangling symbolic link included.

    Raises:
        FileExistsError: something has this name, and `exclusive` is given.
        IsADirectoryError: the path is a folder.
        PermissionError: the system will not let the file be replaced, or a link is not to be trusted.
        OSError: the file cannot be replaced, or the folder cannot be opened.
    """
    folder, name = _open(path, None, durable)
    try:
        for _ in range(_MOST_LINKS):
            found = folder.status(name)
            if exclusive and found is not None:
                raise _error(errno.EEXIST)
            if found is None or not stat.S_ISLNK(found.st_mode):
                return _place(folder, name, found)
            descriptor = _descriptor(folder, name)
            if descriptor is not None:
                return Place(folder, name, special=True, descriptor=descriptor)
            _check_link(folder, found)
            before = folder
            folder, name = _open(folder.readlink(name), folder, durable)
            before.close()
        raise _error(errno.ELOOP)
    except BaseException:
        folder.close()
        raise


def _open(path: str, within: Folder | None, durable: bool) -> tuple[Folder, str]:
    """Open the folder of a path, and return it with the name of the file."""
    if not path:
        raise _error(errno.ENOENT)
    parent, name = os.path.split(path)
    folder = Folder(parent, within, durable)
    if name in ("", os.curdir, os.pardir):
        folder.close()
        raise _error(errno.EISDIR)
    return folder, name


def _place(folder: Folder, name: str, found: os.stat_result | None) -> Place:
    if found is None:
        if len(name) > folder.longest_name:
            raise _error(errno.ENAMETOOLONG)
        if _descriptor(folder, name) is not None:
            raise _error(errno.ENOENT)
        return Place(folder, name)
    if stat.S_ISDIR(found.st_mode):
        raise _error(errno.EISDIR)
    if not stat.S_ISREG(found.st_mode):
        return Place(folder, name, special=True)
    _check_replaceable(folder, name, found)
    return Place(folder, name, status_of(folder, name, found))


def _check_replaceable(folder: Folder, name: str, found: os.stat_result) -> None:
    """Refuse a file that the system will not let this process replace."""
    attributes = folder.attributes(name)
    if attributes & MOUNTED:
        advice = f"the file is mounted by itself, and cannot be replaced: mount its folder instead, or {OPEN_IT}"
        raise advise(_error(errno.EBUSY), advice)
    if attributes & IMMUTABLE:
        raise advise(_error(errno.EPERM), "the file is immutable or append-only (see chattr): write to another name")
    owner = _owner_of_sticky(folder)
    if owner is not None and _user() not in (0, owner, found.st_uid):
        advice = (
            f"a file in a folder with the sticky bit may only be replaced by its owner: use another name, or {OPEN_IT}"
        )
        raise advise(_error(errno.EPERM), advice)


def _check_link(folder: Folder, link: os.stat_result) -> None:
    """Refuse to follow a link that somebody else put into a folder for all, such as `/tmp`."""
    owner = _owner_of_sticky(folder)
    if owner is not None and link.st_uid not in (owner, _user()):
        advice = (
            "this symbolic link belongs to someone else, in a folder with the sticky bit: give the path it points to"
        )
        raise advise(_error(errno.EACCES), advice)


def _owner_of_sticky(folder: Folder) -> int | None:
    """Return who owns a folder if it has the sticky bit, which lets only its owner remove files; else `None`."""
    return folder.own_status.st_uid if folder.own_status.st_mode & stat.S_ISVTX else None


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _descriptor(folder: Folder, name: str) -> int | None:
    """Return the descriptor of this process that a link stands for; -1 if it is of another process; `None` if none."""
    if not name.isdigit():
        return None
    found = _DESCRIPTORS.fullmatch(os.path.realpath(folder.path or os.curdir))
    if found is None:
        return None
    return int(name) if found["process"] in (None, str(os.getpid())) else -1


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))
