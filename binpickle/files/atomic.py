"""A file that takes its place whole: the temporary file beside the target, and how it gets the target's name.

Rule: a path shows the old file or the whole new one, never anything between, whatever fails or interrupts. The new
bytes go into a temporary file beside the target (`.NAME.XXXXXXXX.bpk-tmp`), which takes the target's name at the end.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from typing import Any, Iterator, Sequence

from .sink import Sink

__all__ = ["NO_HARD_LINKS", "AtomicFile", "naming", "write_atomically"]

NO_HARD_LINKS = frozenset([errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP])
"""The errors of `os.link` on a file system without hard links, which exclusive writing needs."""

# Smaller files are not worth a system call that allocates room in advance.
_ALLOCATE_FROM = 1 << 20
_MAX_NAME = 255
# POSIX lets systems take as few as 16 pieces; Linux, macOS and the BSDs all take 1024.
_PIECES_AT_ONCE = 1024


def write_atomically(path: str, data: Any, *, durable: bool | None = None, exclusive: bool = False) -> None:
    """Write a file that appears under its name whole or not at all, whatever fails or interrupts.

    Args:
        path: path of the file; a symbolic link stays a link, and its target is replaced.
        data: the bytes of the file, as one contiguous bytes-like object.
        durable: `True` syncs the file and its folder to the disk, `None` syncs the file only if it replaces another,
            `False` syncs nothing.
        exclusive: refuse to replace a file; the operating system decides that at the end, by `os.link`.

    Raises:
        FileExistsError: the file exists, and `exclusive` is given.
        IsADirectoryError: the path is a folder.
        OSError: the operating system refused a step; it names `path`. Its `errno` is in `NO_HARD_LINKS` if the file
            system cannot write exclusively.
    """
    with AtomicFile(path, durable, exclusive) as file:
        file.write(data)


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Make errors of the operating system name the file that the caller named."""
    try:
        yield
    except OSError as error:
        error.filename = path
        if error.filename2 is not None:  # the temporary name; set to None it would be shown as "-> None"
            del error.filename2
        raise


class AtomicFile(Sink):
    """Writes a new file that takes the place of `path` when it is committed.

    Args:
        path: path of the target; a symbolic link stays a link, and its target is replaced.
        durable: `True` syncs the file and its folder to the disk, `None` syncs the file only if it replaces another,
            `False` syncs nothing.
        exclusive: refuse to replace a file; the operating system decides that at the end.

    Raises:
        OSError: the operating system refused a step; the error names `path`.
    """

    def __init__(self, path: str, durable: bool | None = None, exclusive: bool = False):
        self.path = path
        self._target = os.path.realpath(path)
        self._durable = durable
        self._exclusive = exclusive
        self._owner = os.getpid()
        self._size = 0
        self._allocated = False
        self._fd = -1
        with naming(self.path):
            mode = self._existing_mode()
            folder, name = os.path.split(self._target)
            suffix = f".{secrets.token_hex(4)}.bpk-tmp"
            name = os.fsdecode(os.fsencode(name)[: _MAX_NAME - len(suffix) - 4])  # 4: a cut UTF-8 sequence grows
            self._temporary = os.path.join(folder, f".{name}{suffix}")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
            self._fd = os.open(self._temporary, flags, 0o666)
        if mode is not None and hasattr(os, "fchmod"):
            try:
                with naming(self.path):
                    os.fchmod(self._fd, mode)
            except BaseException:
                self.abort()
                raise

    def write(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        with naming(self.path):
            while view:
                written = os.write(self._fd, view)
                self._size += written
                view = view[written:]

    def write_all(self, pieces: Sequence[Any]) -> None:
        if len(pieces) == 1 or not hasattr(os, "writev"):
            super().write_all(pieces)
            return
        for start in range(0, len(pieces), _PIECES_AT_ONCE):
            batch = pieces[start : start + _PIECES_AT_ONCE]
            with naming(self.path):
                written = os.writev(self._fd, batch)
            self._size += written
            if written < sum(memoryview(piece).nbytes for piece in batch):  # the disk is nearly full, or a signal came
                self.write(memoryview(b"".join(batch))[written:])

    def expect(self, nbytes: int) -> None:
        """Allocate the room at once, which is faster than growing block by block and finds a full disk early."""
        if nbytes >= _ALLOCATE_FROM:
            with naming(self.path):
                self._allocated = _allocate(self._fd, self._size, nbytes) or self._allocated

    def commit(self) -> None:
        with naming(self.path):
            if self._allocated:
                os.ftruncate(self._fd, self._size)
            if self._durable or self._durable is None and os.path.lexists(self._target):
                os.fsync(self._fd)
            fd, self._fd = self._fd, -1
            os.close(fd)
            self._put_in_place()
            if self._durable:
                _sync_folder(os.path.dirname(self._target))

    def abort(self) -> None:
        fd, self._fd = self._fd, -1
        temporary, self._temporary = self._temporary, ""
        try:
            if fd >= 0:
                with suppress(OSError):  # the error that led here says more
                    os.close(fd)
        finally:
            if temporary and os.getpid() == self._owner:  # after a fork the file belongs to the parent
                with suppress(FileNotFoundError):  # an interrupt came just after the rename
                    os.unlink(temporary)

    def _existing_mode(self) -> int | None:
        try:
            status = os.stat(self._target)
        except FileNotFoundError:
            return None
        if self._exclusive:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self.path)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self.path)
        return stat.S_IMODE(status.st_mode)

    def _put_in_place(self) -> None:
        if self._exclusive:
            os.link(self._temporary, self._target)  # abort removes the temporary name
        else:
            os.replace(self._temporary, self._target)
            self._temporary = ""


def _sync_folder(folder: str) -> None:
    if os.name == "nt":  # folders cannot be opened there
        return
    fd = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _allocate(fd: int, offset: int, nbytes: int) -> bool:
    """Allocate room in a file; return whether the file system did.

    Not `os.posix_fallocate`: where a file system has no such call, the C library emulates it by writing every block.
    """
    fallocate = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None) if os.name == "posix" else None
    if fallocate is None:
        return False
    fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if fallocate(fd, 0, offset, nbytes) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise OSError(code, os.strerror(code))
    return False
