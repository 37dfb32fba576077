"""The system calls of writing: which a dump needs, and which it can do without.

Rule: `REFUSALS` lists, for each call that a dump can do without, the errors that mean "this file system, or this
process, cannot do that here". Such a refusal is passed over by `attempt`, and the comment says what happens instead.
Every other error means that the call failed, and ends the dump. A call that is not in the table is needed, and any
error of it ends the dump. These are: making a temporary file that has a name, making the target by `O_EXCL`, `write`,
`writev`, `ftruncate`, `close`, `replace` and `unlink`.
"""

from __future__ import annotations

import errno
from typing import Any, Callable

__all__ = ["REFUSALS", "advise", "attempt", "is_refusal"]

_UNKNOWN_HERE = frozenset([errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP])
_REFUSED = _UNKNOWN_HERE | {errno.EPERM, errno.EACCES}
# Attributes have a limited place of their own in many file systems: these errors do not mean that the disk is full.
_NO_PLACE = frozenset([errno.ENOSPC, errno.EDQUOT, errno.E2BIG, errno.ERANGE])
_ABSENT = frozenset(getattr(errno, name) for name in ("ENODATA", "ENOATTR") if hasattr(errno, name))
_FULL = frozenset([errno.ENOSPC, errno.EDQUOT, errno.EFBIG])

REFUSALS: dict[str, frozenset[int]] = {
    # Opening a folder that may not be read, on systems where that needs the permission: its files are named by paths.
    "open of a folder": frozenset([errno.EPERM, errno.EACCES]),
    # A temporary file without a name: the file gets a temporary name. Old kernels say EISDIR, and overlays ENOENT.
    "O_TMPFILE": _REFUSED | {errno.EISDIR, errno.ENOENT, errno.EBUSY, errno.EXDEV, errno.EROFS},
    # Allocating room in advance only makes writing faster; writing itself reports what fails.
    "fallocate": frozenset(errno.errorcode) - _FULL,
    # Syncing a file, unless `durable=True` asks for it: the operating system chooses the time of writing.
    "fsync of a file": _UNKNOWN_HERE,
    # Syncing a folder: file systems that refuse this, mostly of networks, have no such step, or no cache of names.
    "fsync of a folder": _REFUSED,
    # Locking a temporary file that has a name: where that cannot be, no sweep finds it if this process is killed.
    "flock": frozenset(errno.errorcode),
    # Owner and group: the group's permissions are dropped, so that no other group gets them.
    "fchown": _REFUSED,
    # Mode: the file stays open to its owner alone, or as the file system shows all its files.
    "fchmod": _REFUSED,
    # The access control list, and attributes of the user: without the list, only the owner may use the file.
    "setxattr": _REFUSED | _NO_PLACE,
    "removexattr": _REFUSED | _NO_PLACE,
    "getxattr": _REFUSED | _NO_PLACE | _ABSENT,
    # Creating a name by a link: `renameat2` creates it, or a copy gets a name if the temporary file has none.
    "link": _REFUSED | {errno.EXDEV, errno.EMLINK},
    # Creating a name by renaming: `O_EXCL` creates it.
    "renameat2": _UNKNOWN_HERE | {errno.EPERM},
    # What is special about a file that will be replaced: the replacement itself reports it, at the end.
    "statx": frozenset(errno.errorcode),
}
"""The errors of each call that a dump can do without, by the name of the call."""


def is_refusal(call: str, error: OSError) -> bool:
    """Return whether an error means that a call is refused here, and not that it failed."""
    return error.errno in REFUSALS[call]


def attempt(call: str, function: Callable[..., Any], *args: Any, **more: Any) -> bool:
    """Make a call that a dump can do without; return whether it took effect.

    Args:
        call: its name in `REFUSALS`.
        function: makes the call.
        *args: arguments of the function.
        **more: further arguments of the function.

    Raises:
        OSError: the call failed.
    """
    try:
        function(*args, **more)
    except OSError as error:
        if not is_refusal(call, error):
            raise
        return False
    return True


def advise(error: OSError, advice: str) -> OSError:
    """Add to the message of an error what its reader can do; return the error."""
    error.strerror = f"{error.strerror}: {advice}"
    return error
