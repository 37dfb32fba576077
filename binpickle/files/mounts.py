"""Which files are on a file system of a network, or of a program (FUSE), where a page fault takes as long as a request.

Rule: what cannot be found out is taken for a local file system. The kernel lists all mounts in `/proc/self/mountinfo`,
each with the number of its device, which `fstat` gives for a file, too.
"""

from __future__ import annotations

import os
from functools import lru_cache

__all__ = ["is_networked", "kind_of_device"]

# Types as the kernel names them; the name of a FUSE file system has a dot and its own name behind `fuse`.
_NETWORKED = frozenset(
    ["9p", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse", "glusterfs", "gpfs", "lustre", "nfs", "nfs4"]
    + ["orangefs", "panfs", "pvfs2", "smb3", "smbfs", "wekafs"]
)


def is_networked(fd: int) -> bool:
    """Return whether an open file is on such a file system."""
    try:
        device = os.fstat(fd).st_dev
        # Devices that are no disks have the major number 0.
        return os.major(device) == 0 and kind_of_device(device).partition(".")[0] in _NETWORKED
    except (AttributeError, OSError):  # Windows has no `os.major`
        return False


@lru_cache(maxsize=256)
def kind_of_device(device: int, root: str = "/") -> str:
    """Return the type of the file system on a device; empty if it is not known.

    Args:
        device: `st_dev` of a file.
        root: the folder that has `proc`.
    """
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open(os.path.join(root, "proc/self/mountinfo"), encoding="utf-8", errors="surrogateescape") as file:
            mounts = [line.split() for line in file]
    except OSError:
        return ""
    return next((fields[fields.index("-") + 1] for fields in mounts if fields[2:3] == [number] and "-" in fields), "")
