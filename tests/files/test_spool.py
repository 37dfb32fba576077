"""Copies of files that can be read only once: in memory, in a temporary file, or in memory for want of one."""

from __future__ import annotations

import errno
import io
import os
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from common import assert_same, each
from internals import Spool

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


class Written(io.FileIO):
    """A temporary file that notes how much each write gives it."""

    sizes: list[int]

    def write(self, data: Any) -> int:
        self.sizes.append(len(data))
        return super().write(data)


@each({"one byte": 1, "seven bytes": 7, "a large piece": 3 << 20}, "nbytes")
def test_small_pieces(nbytes: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pieces are gathered: a file gets 1 MiB at a time or more, and no more than that is in memory besides."""
    with Written(str(tmp_path / "spool"), "w+b") as file:
        file.sizes = []
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: file)
        begun = (16 << 20) // nbytes
        spool, count = Spool(), begun + (1 << 20) // nbytes + 2
        spool.add(bytes(begun * nbytes))
        tracemalloc.start()
        try:
            for _ in range(count - begun):
                spool.add(bytes(nbytes))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        source = spool.finish()
        assert source.size == count * nbytes
        source.close()
    assert sum(file.sizes) == count * nbytes
    assert len(file.sizes) < 10
    assert peak < (8 << 20)


class Endless:
    """Gives bytes without an end, a few at a time, and counts them."""

    def __init__(self, start: bytes, nbytes: int) -> None:
        self.start, self.nbytes, self.given = start, nbytes, 0

    def read(self, size: int) -> bytes:
        piece = (self.start + bytes(self.nbytes))[self.given : self.given + self.nbytes] or bytes(self.nbytes)
        self.given += len(piece)
        return piece[:size]


OTHERS = {
    "zeros": bytes(64),
    "a gzip file": b"\x1f\x8b" + bytes(range(62)),
    "HTML": b"<!DOCTYPE html><html><head><title>Not found</title></head>      ",
    "a newer version": b"BPCK\0\x09" + bytes(58),
    "unknown flags": b"BPCK\0\x03\xff\xff" + b"\xff" * 56,
}


@each(OTHERS, "start")
@pytest.mark.parametrize("nbytes", [16, 64, 4096])
def test_endless(start: bytes, nbytes: int) -> None:
    """A file that can be read only once and is no BinPickle file is refused after its first bytes, as any such file."""
    with pytest.raises(binpickle.FormatError) as expected:
        binpickle.load(io.BytesIO(start))
    for function in (binpickle.load, binpickle.BinPickleFile, lambda file: binpickle.repack(file, io.BytesIO())):
        file = Endless(start, nbytes)
        with pytest.raises(binpickle.FormatError) as raised:
            function(file)  # type: ignore[operator]
        assert file.given <= max(64, nbytes)
        assert str(raised.value)[:20] == str(expected.value)[:20]
        if nbytes >= 64:
            assert str(raised.value) == str(expected.value)


@pytest.mark.anyio
@each(OTHERS, "start")
@pytest.mark.parametrize("nbytes", [1, 16, 64, 4096])
async def test_endless_in_an_event_loop(start: bytes, nbytes: int) -> None:
    """`aload` refuses such a stream as soon as it has received the length of a header."""
    with pytest.raises(binpickle.FormatError) as expected:
        binpickle.load(io.BytesIO(start))
    file = Endless(start, nbytes)

    class Stream:
        async def receive(self) -> bytes:
            return file.read(nbytes)

    with pytest.raises(binpickle.FormatError) as raised:
        await binpickle.aload(Stream())
    assert file.given == max(16, nbytes)
    if nbytes >= 64:
        assert str(raised.value) == str(expected.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_endless_fifo(tmp_path: Path) -> None:
    """A FIFO whose writer sends something else, and stays, is refused; the error names the FIFO."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)  # does not wait for a reader
    try:
        os.write(writer, b"something else, of sixteen bytes or more")
        with pytest.raises(binpickle.FormatError, match="not a BinPickle file") as raised:
            binpickle.load(path)
    finally:
        os.close(writer)
    assert raised.value.file == str(path)


@each({"in memory": 1000, "in a file": len(DATA)}, "nbytes")
def test_pieces_that_change(nbytes: int) -> None:
    """A copy holds what was given, although the memory of each piece is used again for the next one."""
    data = binpickle.dumps(np.arange(nbytes // 8), codecs=[])
    file, buffer = io.BytesIO(data), bytearray(1 << 20)

    class Reusing:
        def read(self, size: int) -> memoryview:
            return memoryview(buffer)[: file.readinto(memoryview(buffer)[:size])]

    assert_same(binpickle.load(Reusing()), np.arange(nbytes // 8))  # type: ignore[arg-type]
