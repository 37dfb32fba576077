"""Copies of files that can be read only once: in memory, in a temporary file, or in memory for want of one."""

from __future__ import annotations

import errno
import io
import os
import tempfile
from typing import Any, Callable

import numpy as np
import pytest
from common import assert_same, each

import binpickle

ARRAY = np.arange(3 << 20)
DATA = binpickle.dumps(ARRAY, codecs=[], mappable=True)


class Once:
    """A file object that can be read only once."""

    def __init__(self, data: bytes = DATA) -> None:
        self.read = io.BytesIO(data).read


def refuse(code: int) -> Callable[..., Any]:
    def function(*_: Any, **__: Any) -> Any:
        raise OSError(code, os.strerror(code))

    return function


class Full(io.FileIO):
    """A temporary file whose disk is full after some bytes, and takes a part of the last ones."""

    room = 0
    code = errno.ENOSPC

    def write(self, data: Any) -> int:
        left = self.room - self.tell()
        if left <= 0:
            raise OSError(self.code, os.strerror(self.code))
        return super().write(memoryview(data)[:left])


def full(room: int, code: int = errno.ENOSPC) -> Callable[..., Any]:
    def make(*_: Any, **__: Any) -> Any:
        fd, path = tempfile.mkstemp()
        os.unlink(path)
        file = Full(fd, "w+b")
        file.room, file.code = room, code
        return file

    return make


WITHOUT: dict[str, Callable[..., Any]] = {
    "no folder": refuse(errno.ENOENT),
    "unwritable": refuse(errno.EACCES),
    "read-only": refuse(errno.EROFS),
    "no descriptors left": refuse(errno.EMFILE),
    "full": full(0),
    "soon full": full(1 << 20),
    "full at a boundary": full(17 << 20),
    "full later": full((20 << 20) + 5),
    "quota": full(20 << 20, errno.EDQUOT),
}


@each(WITHOUT, "make")
def test_no_temporary_file(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder for temporary files, or without room in it, a large copy stays in memory, and is not mapped."""
    monkeypatch.setattr(tempfile, "TemporaryFile", make)
    assert_same(binpickle.load(Once()), ARRAY)
    with pytest.warns(binpickle.FormatWarning):
        assert_same(binpickle.load(Once(), mmap_mode="r"), ARRAY, writeable=False)


@pytest.mark.anyio
@each(WITHOUT, "make")
async def test_no_temporary_file_in_an_event_loop(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same holds for what `aload` receives."""
    monkeypatch.setattr(tempfile, "TemporaryFile", make)
    file = io.BytesIO(DATA)

    class Stream:
        async def receive(self) -> bytes:
            return file.read(1 << 20)

    assert_same(await binpickle.aload(Stream()), ARRAY)


@each(WITHOUT, "make")
def test_limit_without_temporary_file(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory, too, no more is kept than `stored_bytes` allow."""
    monkeypatch.setattr(tempfile, "TemporaryFile", make)
    with pytest.raises(binpickle.LimitError) as caught:
        binpickle.load(Once(), limits=binpickle.Limits(stored_bytes=22 << 20))
    assert caught.value.limit == "stored_bytes"


def test_lost_temporary_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk fails, and what it has cannot be read back, the error names the folder for temporary files."""

    class Lost(Full):
        room, code = 18 << 20, errno.EIO

        def readinto(self, out: Any) -> int:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def make(*_: Any, **__: Any) -> Any:
        fd, path = tempfile.mkstemp()
        os.unlink(path)
        return Lost(fd, "w+b")

    monkeypatch.setattr(tempfile, "TemporaryFile", make)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)) as caught:
        binpickle.load(Once())
    assert caught.value.filename == tempfile.gettempdir()


@each({"in memory": 1000, "in a file": len(DATA)}, "nbytes")
def test_pieces_that_change(nbytes: int) -> None:
    """A copy holds what was given, although the memory of each piece is used again for the next one."""
    data = binpickle.dumps(np.arange(nbytes // 8), codecs=[])
    file, buffer = io.BytesIO(data), bytearray(1 << 20)

    class Reusing:
        def read(self, size: int) -> memoryview:
            return memoryview(buffer)[: file.readinto(memoryview(buffer)[:size])]

    assert_same(binpickle.load(Reusing()), np.arange(nbytes // 8))  # type: ignore[arg-type]
