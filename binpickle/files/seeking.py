"""Finds out whether a file object can be read by seeking, or by the descriptor below it.

Rule: what a file object says of itself is believed only if the bytes that it gives agree. A file object that cannot
seek, or not as it says, stays where it is, so that it can be read on. One that decodes is never asked to seek: it would
decode everything before that place again.
"""

from __future__ import annotations

import io
import os
import stat
from typing import Any, Iterator

from .reader import Reader
from .source import DescriptorSource

__all__ = ["NOT_BELOW", "decodes", "find_end", "position", "source_below"]

# Packages whose file objects decode, and a class whose file objects seek only forwards, whatever they say.
_DECODERS = frozenset(["gzip", "bz2", "lzma", "zipfile", "_compression", "compression", "lz4", "pyzstd", "zstandard"])
_FORWARD = "tarfile._Stream"
# Where a file object keeps what it wraps, and how many may wrap each other: a buffer or an archive may wrap a decoder.
_BELOW = ("raw", "fileobj", "file")
_MOST_LAYERS = 5

_UNKNOWN: Any = object()

NOT_BELOW: Any = object()
"""What `source_below` returns if the file below is another one, such as that of a decoder."""


def decodes(file: Any) -> bool:
    """Return whether a file object decodes what it reads, itself or through what it wraps."""
    for layer in _layers(file):
        for kind in type(layer).__mro__:
            if kind.__module__.split(".")[0] in _DECODERS or f"{kind.__module__}.{kind.__qualname__}" == _FORWARD:
                return True
    return False


def position(file: Any) -> int | None:
    """Return the position that a file object tells; `None` if it tells none."""
    return _natural(_ask(file, "tell"))


def source_below(file: Any, begin: int, start: bytes) -> Any:
    """Return a source that reads the regular file below a file object; `None` if there is none.

    Args:
        file: the file object.
        begin: the position of its first bytes.
        start: the first bytes. If those of the file below differ, `NOT_BELOW` is returned.
    """
    fd = _natural(_ask(file, "fileno"))
    try:
        if fd is None or not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        source = DescriptorSource(fd, begin, None, owner=file)
        same = source.size >= len(start) and bytes(source.read(0, len(start))) == start
    except (OSError, OverflowError):  # a descriptor that is closed, or cannot be read
        return None
    return source if same else NOT_BELOW


def find_end(reader: Reader, begin: int, start: bytes) -> int | None:
    """Return the position of the end of a file object; `None` if it cannot seek, or not as it says.

    Args:
        reader: reads the file object, whose position is after its first bytes; for `None` it stays there.
        begin: the position of the first bytes.
        start: the first bytes.

    Raises:
        ValueError: the file object went elsewhere, and does not tell where.
    """
    file, here = reader.file, begin + len(start)
    if position(file) != here or not _says_seekable(file):
        return None
    if not _counts_as_told(file, here) or _ask(file, "seek", begin) is _UNKNOWN:
        _stay(file, here)
        return None
    if reader.read_start(len(start)) != start:
        raise _lost(file)
    if position(file) != here:  # it counts what was read, wherever that was: the bytes say where it is
        return None
    told = _ask(file, "seek", 0, io.SEEK_END)
    end = position(file) if told is None else _natural(told)
    if end is not None and end >= here and position(file) == end and _ends_at(reader, end, here):
        return end
    _stay(file, here)
    return None


def _says_seekable(file: Any) -> bool:
    return not hasattr(file, "seekable") or _ask(file, "seekable") not in (_UNKNOWN, False, None)


def _counts_as_told(file: Any, here: int) -> bool:
    """Return whether `seek` counts from where `tell` does, as far as it says; nothing moves if both are honest."""
    told = _ask(file, "seek", 0, io.SEEK_CUR)
    return told is not _UNKNOWN and (told is None or _natural(told) == here)


def _ends_at(reader: Reader, end: int, here: int) -> bool:
    """Return whether one byte comes before the end, and none after it."""
    if end == here:
        return not reader.read(1)
    return _ask(reader.file, "seek", end - 1) is not _UNKNOWN and len(reader.read_start(2)) == 1


def _stay(file: Any, here: int) -> None:
    """Go back to where the file object was, if it went elsewhere."""
    if position(file) != here:
        _ask(file, "seek", here)
        if position(file) != here:
            raise _lost(file)


def _lost(file: Any) -> ValueError:
    kind = type(file).__name__
    return ValueError(f"seek and tell of {kind} contradict its read: pass an object that has nothing but its read")


def _layers(file: Any) -> Iterator[Any]:
    """Yield a file object, what it wraps, what that wraps, and so on."""
    for _ in range(_MOST_LAYERS):
        yield file
        below = (_get(file, name) for name in _BELOW)
        file = next((each for each in below if callable(_get(each, "read"))), None)
        if file is None:
            break


def _get(file: Any, name: str) -> Any:
    try:
        return getattr(file, name, None)
    except Exception:  # a buffer whose file was detached
        return None


def _ask(file: Any, name: str, *args: int) -> Any:
    """Return what a method of a file object returns; `_UNKNOWN` if there is no such method, or it raises."""
    try:
        told = getattr(file, name)(*args)
    except Exception:
        return _UNKNOWN
    if hasattr(told, "__await__"):
        getattr(told, "close", bool)()  # else Python warns that nobody awaited it
        return _UNKNOWN
    return told


def _natural(value: Any) -> int | None:
    """Return a natural number as it is, and `None` for anything else."""
    try:
        number = int(value.__index__())
    except Exception:
        return None
    return number if number >= 0 and value is not True and value is not False else None
