"""Whether two processes see the same files. They prove it by properties of their machine, not by its address.

Rule: the proof may differ for processes that see the same files, but is never equal for processes that do not.
"""

from __future__ import annotations

import hashlib
import os
import socket
from functools import lru_cache

__all__ = ["host_proof"]

# The first identifies a running kernel, the second a view of the file systems.
_FILES = ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/mnt")


@lru_cache(maxsize=1)
def host_proof() -> str:
    """Return a text that two processes share only if each can open the files that the other can open.

    It is made of boot id, mount namespace, user and group. Containers of one address or one kernel still differ in the
    mount namespace.
    """
    if not all(map(os.path.exists, _FILES)):
        return f"{socket.gethostname()}-{os.getpid()}"  # not Linux: no other process has the same proof
    with open(_FILES[0], encoding="ascii") as file:
        boot = file.read().strip()
    facts = (boot, os.stat(_FILES[1]).st_ino, os.getuid(), os.getgid())
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
