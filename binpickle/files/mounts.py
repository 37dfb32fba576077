"""What is known of the file system of a file: whether it is one of a network, and how far the kernel reads ahead.

Rule: what cannot be found out is taken for a local disk with the kernel's defaults. The kernel names a file system by
the number of its device, which `fstat` gives for a file: in `/proc/self/mountinfo`, which lists all mounts, and in
`/sys`.
"""

from __future__ import annotations

import os
from functools import lru_cache

__all__ = ["is_networked", "kind_of_device", "read_ahead", "read_ahead_of_device"]

# Types as the kernel names them; the name of a FUSE file system has a dot and its own name behind `fuse`.
_NETWORKED = frozenset(
    ["9p", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse", "glusterfs", "gpfs", "lustre", "nfs", "nfs4"]
    + ["orangefs", "panfs", "pvfs2", "smb3", "smbfs", "wekafs"]
)
_USUAL_AHEAD = 128 << 10


def is_networked(fd: int) -> bool:
    """Return whether an open file is on a file system of a network, or of a program (FUSE)."""
    try:
        device = os.fstat(fd).st_dev
        # Devices that are no disks have the major number 0.
        return os.major(device) == 0 and kind_of_device(device).partition(".")[0] in _NETWORKED
    except (AttributeError, OSError):  # Windows has no `os.major`
        return False


def read_ahead(fd: int) -> int:
    """Return how many bytes the kernel reads ahead in an open file."""
    try:
        return read_ahead_of_device(os.fstat(fd).st_dev)
    except (AttributeError, OSError):
        return _USUAL_AHEAD


@lru_cache(maxsize=256)
def read_ahead_of_device(device: int, root: str = "/") -> int:
    """Return how many bytes the kernel reads ahead on a device.

    Args:
        device: `st_dev` of a file.
        root: the folder that has `sys`.
    """
    number = f"{os.major(device)}:{os.minor(device)}"
    # The second is for partitions: their disks have it.
    for path in (f"sys/class/bdi/{number}/read_ahead_kb", f"sys/dev/block/{number}/../queue/read_ahead_kb"):
        try:
            with open(os.path.join(root, path), encoding="ascii") as file:
                return int(file.read()) << 10
        except (OSError, ValueError):
            pass
    return _USUAL_AHEAD


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
