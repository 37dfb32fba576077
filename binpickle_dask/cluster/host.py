"""Which processes see the same files in the same way, by proof instead of by address."""

from __future__ import annotations

import hashlib
import os
import socket
from functools import lru_cache

__all__ = ["host_proof"]

# One kernel since it was started, one view of the file systems.
_FILES = ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/mnt")


@lru_cache(maxsize=1)
def host_proof() -> str:
    """Return what two processes have in common only if each can open the files that the other can.

    Boot id, mount namespace and user id: containers that share an address, or a kernel, still differ in the second.
    """
    if not all(map(os.path.exists, _FILES)):
        return f"{socket.gethostname()}-{os.getpid()}"  # not Linux: no process but this one
    with open(_FILES[0], encoding="ascii") as file:
        boot = file.read().strip()
    facts = (boot, os.stat(_FILES[1]).st_ino, os.getuid(), os.getgid())
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
