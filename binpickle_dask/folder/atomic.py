"""Writing a small file so that it appears whole under its name or not at all."""

from __future__ import annotations

import errno
import os
import uuid

__all__ = ["NO_HARD_LINKS", "write_atomically"]

# The errors of `os.link` on a file system without hard links.
NO_HARD_LINKS = {errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


def write_atomically(path: str, data: bytes, *, durable: bool = False, exclusive: bool = False) -> None:
    """Write a file; with `exclusive`, only if its name is free.

    Raises:
        FileExistsError: the file exists.
        OSError: from the operating system.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{uuid.uuid4().hex[:8]}.bpk-tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        (os.link if exclusive else os.replace)(temporary, path)
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)
    if durable and os.name != "nt":  # folders cannot be opened there
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
