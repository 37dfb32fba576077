"""Where a file's bytes go: a path, replaced only when all is written; a file object; memory.

Rule: a path shows the old file or the whole new one, never anything between, whatever fails or interrupts. The new
bytes go into a temporary file beside the target (`.NAME.XXXXXXXX.bpk-tmp`), which takes its name at the end.
"""

from __future__ import annotations

import ctypes
import errno
import io
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from typing import Any, Iterator, Sequence

from .source import makefile_hint

__all__ = ["AtomicFile", "BytesSink", "FileSink", "Sink", "open_sink"]

# Less is not worth asking for in advance.
_ALLOCATE_FROM = 1 << 20
_MAX_NAME = 255
# POSIX lets systems take as few as 16; Linux, macOS and the BSDs all take 1024.
_PIECES_AT_ONCE = 1024


class Sink:
    """Takes the bytes of one file in order."""

    def write(self, data: Any) -> None:
        """Write all of a bytes-like object."""
        raise NotImplementedError

    def write_all(self, pieces: Sequence[Any]) -> None:
        """Write bytes-like objects, one behind the other."""
        self.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def expect(self, nbytes: int) -> None:
        """Be told that at least so many bytes will follow."""

    def commit(self) -> None:
        """Put the file in place: all is written."""

    def abort(self) -> None:
        """Leave nothing behind: something failed. Does nothing after `commit`."""

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self.abort()


class BytesSink(Sink):
    """Keeps what is written, copying nothing until all is there."""

    def __init__(self) -> None:
        self._parts: list[Any] = []

    def write(self, data: Any) -> None:
        self._parts.append(data)

    def write_all(self, pieces: Sequence[Any]) -> None:
        self._parts.extend(pieces)

    def getvalue(self) -> bytes:
        """Return all bytes, and forget them."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


class FileSink(Sink):
    """Writes to a binary file object of the caller's, from its current position; closes nothing.

    A failure leaves a partial file that readers refuse.
    """

    def __init__(self, file: Any):
        self._write = file.write
        self._raw = isinstance(file, io.RawIOBase)

    def write(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        while view:
            written = self._write(view)
            if hasattr(written, "__await__"):
                getattr(written, "close", bool)()  # else Python warns that nobody awaited it
                raise TypeError("write of this file gives an awaitable: adump takes it if it is a coroutine function")
            if self._raw and not written:
                raise BlockingIOError(errno.EAGAIN, "the file takes no more now: it must not be in non-blocking mode")
            # Raw files and sockets may take less than all; other objects return nothing of use.
            view = view[written:] if isinstance(written, int) and 0 < written < len(view) else view[:0]


@contextmanager
def _naming(path: str) -> Iterator[None]:
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
        path: the target; a symbolic link stays one, what it points to is replaced.
        durable: `True` syncs file and folder, `None` the file only if one exists already, `False` nothing.
        exclusive: refuse a path that exists, decided atomically at the end.

    Raises:
        OSError: as the operating system says, naming the target.
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
        with _naming(self.path):
            mode = self._existing_mode()
            folder, name = os.path.split(self._target)
            suffix = f".{secrets.token_hex(4)}.bpk-tmp"
            name = os.fsdecode(os.fsencode(name)[: _MAX_NAME - len(suffix) - 4])  # 4: a cut UTF-8 sequence grows
            self._temporary = os.path.join(folder, f".{name}{suffix}")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
            self._fd = os.open(self._temporary, flags, 0o666)
        if mode is not None and hasattr(os, "fchmod"):
            try:
                with _naming(self.path):
                    os.fchmod(self._fd, mode)
            except BaseException:
                self.abort()
                raise

    def write(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        with _naming(self.path):
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
            with _naming(self.path):
                written = os.writev(self._fd, batch)
            self._size += written
            if written < sum(memoryview(piece).nbytes for piece in batch):  # the disk is full, or a signal came
                self.write(memoryview(b"".join(batch))[written:])

    def expect(self, nbytes: int) -> None:
        """Allocate the room at once: faster than growing block by block, and a full disk is met early."""
        if nbytes >= _ALLOCATE_FROM:
            with _naming(self.path):
                self._allocated = _allocate(self._fd, self._size, nbytes) or self._allocated

    def commit(self) -> None:
        with _naming(self.path):
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
                with suppress(OSError):  # something else failed before, and says why
                    os.close(fd)
        finally:
            if temporary and os.getpid() == self._owner:  # after a fork the file is the parent's
                with suppress(FileNotFoundError):  # interrupted when it just had its new name
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
            os.link(self._temporary, self._target)  # the temporary name goes in abort
        else:
            os.replace(self._temporary, self._target)
            self._temporary = ""


def open_sink(file: Any, durable: bool | None = None, exclusive: bool = False) -> Sink:
    """Return the sink for what a caller gave as `file`.

    Raises:
        TypeError: it is neither a path nor a binary file object, or a file object with arguments that need a path.
        OSError: the path cannot be written.
    """
    if durable not in (None, False, True):
        raise TypeError(f"durable must be None, True or False, not {durable!r:.80}")
    if isinstance(file, (str, os.PathLike)):
        path = os.fsdecode(file)
        return _special_file(path, exclusive) or AtomicFile(path, durable, exclusive)
    if not callable(getattr(file, "write", None)) or isinstance(file, io.TextIOBase):
        hint = makefile_hint(file, "wb")
        raise TypeError(f"file must be a path or a binary file object with write, not {type(file).__name__}{hint}")
    if durable or exclusive:
        raise TypeError("durable and exclusive need a path: a file object is the caller's to open and to sync")
    return FileSink(file)


class _SpecialFile(FileSink):
    """A FIFO or device: nothing to replace, so written directly."""

    def __init__(self, path: str):
        self._path = path
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - closed by abort, which always follows
        super().__init__(self._file)

    def write(self, data: Any) -> None:
        with _naming(self._path):
            super().write(data)

    def abort(self) -> None:
        self._file.close()


def _special_file(path: str, exclusive: bool) -> Sink | None:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return None  # opening it will say what is wrong
    if exclusive or stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    return _SpecialFile(path)


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
