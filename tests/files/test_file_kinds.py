"""The file objects and paths of Python and of the system, each read and written as what it is."""

# ruff: noqa: SIM115 - the tables open files, and an `ExitStack` closes them

from __future__ import annotations

import base64
import bz2
import codecs
import gzip
import http.client
import io
import lzma
import mmap
import os
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import urllib.request
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from common import INSTALLED, assert_same, each

import binpickle

OBJECT = {"array": np.arange(9000), "text": "some text", "more": [np.arange(900.0), list(range(999))]}
DATA = binpickle.dumps(OBJECT, codecs=[])
BEFORE = b"before"

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")


def at(folder: Path, data: bytes, name: str = "file") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def behind(file: Any) -> Any:
    file.seek(len(BEFORE))
    return file


def written(file: Any) -> Any:
    file.write(BEFORE + DATA)
    return behind(file)


def feed(send: Any, stack: ExitStack, data: bytes = DATA) -> None:
    """Write to one end of a connection in another thread, and close it."""

    def work() -> None:
        with send:
            send.write(data)

    thread = threading.Thread(target=work)
    thread.start()
    stack.callback(thread.join)


def piped(folder: Path, stack: ExitStack, **how: Any) -> Any:
    ours, theirs = os.pipe()
    feed(os.fdopen(theirs, "wb"), stack)
    return stack.enter_context(os.fdopen(ours, "rb", **how))


def connected(stack: ExitStack, data: bytes = DATA) -> socket.socket:
    ours, theirs = socket.socketpair()
    feed(theirs.makefile("wb"), stack, data)
    theirs.close()  # for good, once all is written
    return stack.enter_context(ours)


def response(folder: Path, stack: ExitStack) -> Any:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(DATA) + DATA
    got = stack.enter_context(http.client.HTTPResponse(connected(stack, data)))
    got.begin()
    return got


def fifo(folder: Path, stack: ExitStack) -> Any:
    os.mkfifo(folder / "fifo")
    thread = threading.Thread(target=lambda: (folder / "fifo").write_bytes(DATA))
    thread.start()
    stack.callback(thread.join)
    return folder / "fifo"


def mapped(folder: Path, stack: ExitStack) -> Any:
    file = stack.enter_context(open(at(folder, BEFORE + DATA), "rb"))
    return behind(stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))


def opened(path: Path, stack: ExitStack, **how: Any) -> Any:
    return stack.enter_context(open(path, "rb", **how))


def zipped(folder: Path, stack: ExitStack, method: int = zipfile.ZIP_DEFLATED) -> Any:
    with zipfile.ZipFile(folder / "zip", "w", method) as archive:
        archive.writestr("member", DATA)
    return stack.enter_context(stack.enter_context(zipfile.ZipFile(folder / "zip")).open("member"))


def tarred(folder: Path, stack: ExitStack, write: str = "w", read: str = "r:") -> Any:
    with tarfile.open(folder / "tar", write) as archive:
        archive.add(at(folder, DATA), "member")
    archive = stack.enter_context(tarfile.open(folder / "tar", read))
    return stack.enter_context(archive.extractfile(next(iter(archive))))  # type: ignore[arg-type]


def descriptor(folder: Path, stack: ExitStack, path: str = "/dev/fd") -> str:
    return f"{path}/{opened(at(folder, DATA), stack).fileno()}"


def descriptor_of_pipe(folder: Path, stack: ExitStack) -> str:
    return f"/dev/fd/{piped(folder, stack, buffering=0).fileno()}"


def in_memory(stack: ExitStack) -> Any:
    return stack.enter_context(open(os.memfd_create("test"), "w+b"))


def descriptor_in_memory(folder: Path, stack: ExitStack) -> str:
    file = in_memory(stack)
    file.write(DATA)
    file.flush()
    return f"/proc/self/fd/{file.fileno()}"


class Raw(io.RawIOBase):
    """A raw file of a library, which has `readinto` and what `io.RawIOBase` makes of it."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, out: Any) -> int:
        return self._file.readinto(memoryview(out)[:1000])


class SeekingRaw(Raw):
    """A raw file of a library that seeks."""

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)


class Remote(io.IOBase):
    """A file of a remote file system as fsspec has them: neither raw nor buffered, with `read`, `seek` and `tell`."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)
        self.read_nbytes = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.read_nbytes += len(data)
        return data


class Window:
    """A part of a file, which tells the descriptor of the whole."""

    def __init__(self, file: Any, begin: int, end: int) -> None:
        self._file, self._begin, self._end = file, begin, end
        self.fileno = file.fileno
        file.seek(begin)

    def tell(self) -> int:
        return self._file.tell() - self._begin

    def seek(self, offset: int, whence: int = 0) -> int:
        base = {io.SEEK_SET: self._begin, io.SEEK_CUR: self._file.tell(), io.SEEK_END: self._end}[whence]
        return self._file.seek(base + offset) - self._begin

    def read(self, size: int) -> bytes:
        return self._file.read(max(min(size, self._end - self._file.tell()), 0))


def window(folder: Path, stack: ExitStack, before: bytes = b"", after: bytes = b"") -> Window:
    path = at(folder, before + DATA + after)
    return Window(opened(path, stack), len(before), len(before + DATA))


TO_READ: dict[str, Callable[[Path, ExitStack], Any]] = {
    "BytesIO": lambda folder, stack: behind(io.BytesIO(BEFORE + DATA)),
    "BytesIO with views": lambda folder, stack: with_view(behind(io.BytesIO(BEFORE + DATA)), stack),
    "file": lambda folder, stack: behind(opened(at(folder, BEFORE + DATA), stack)),
    "file without buffer": lambda folder, stack: behind(opened(at(folder, BEFORE + DATA), stack, buffering=0)),
    "temporary file": lambda folder, stack: written(stack.enter_context(tempfile.TemporaryFile(dir=folder))),
    "named temporary file": lambda folder, stack: written(stack.enter_context(tempfile.NamedTemporaryFile(dir=folder))),
    "spooled file": lambda folder, stack: written(stack.enter_context(tempfile.SpooledTemporaryFile())),
    "spooled file on disk": lambda folder, stack: written(stack.enter_context(tempfile.SpooledTemporaryFile(9))),
    "mmap": mapped,
    "gzip": lambda folder, stack: stack.enter_context(gzip.open(at(folder, gzip.compress(DATA)))),
    "gzip that stores": lambda folder, stack: stack.enter_context(gzip.open(at(folder, gzip.compress(DATA, 0)))),
    "gzip in memory": lambda folder, stack: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(DATA))),
    "buffer over gzip": lambda folder, stack: io.BufferedReader(gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(DATA)))),
    "bz2": lambda folder, stack: stack.enter_context(bz2.open(at(folder, bz2.compress(DATA)))),
    "lzma": lambda folder, stack: stack.enter_context(lzma.open(at(folder, lzma.compress(DATA)))),
    "zip": zipped,
    "zip that stores": lambda folder, stack: zipped(folder, stack, zipfile.ZIP_STORED),
    "tar": tarred,
    "tar of gzip": lambda folder, stack: tarred(folder, stack, "w:gz", "r:gz"),
    "tar from a stream": lambda folder, stack: tarred(folder, stack, "w", "r|"),
    "tar of gzip from a stream": lambda folder, stack: tarred(folder, stack, "w:gz", "r|gz"),
    "raw file of a library": lambda folder, stack: Raw(DATA),
    "buffer over it": lambda folder, stack: io.BufferedReader(Raw(DATA)),
    "raw file that seeks": lambda folder, stack: SeekingRaw(DATA),
    "buffer over a raw file that seeks": lambda folder, stack: io.BufferedReader(SeekingRaw(DATA)),
    "remote file": lambda folder, stack: Remote(DATA),
    "window": lambda folder, stack: window(folder, stack, b"before", b"after"),
    "window at the beginning": lambda folder, stack: window(folder, stack, after=b"after"),
    "whole window": window,
    "recoded": lambda folder, stack: codecs.EncodedFile(io.BytesIO(DATA.decode("latin1").encode()), "latin1", "utf-8"),
    "data URL": lambda folder, stack: stack.enter_context(
        urllib.request.urlopen("data:;base64," + base64.b64encode(DATA).decode())
    ),
    "file URL": lambda folder, stack: stack.enter_context(urllib.request.urlopen(at(folder, DATA).as_uri())),
    "path": lambda folder, stack: at(folder, DATA),
    "link": lambda folder, stack: link(at(folder, DATA)),
}
if os.name == "posix":
    TO_READ.update(
        {
            "pipe": piped,
            "pipe without buffer": lambda folder, stack: piped(folder, stack, buffering=0),
            "socket": lambda folder, stack: stack.enter_context(connected(stack).makefile("rb")),
            "socket without buffer": lambda folder, stack: stack.enter_context(connected(stack).makefile("rb", 0)),
            "response": response,
            "FIFO": fifo,
            "descriptor": descriptor,
            "descriptor of a pipe": descriptor_of_pipe,
        }
    )
if sys.platform.startswith("linux"):
    TO_READ["descriptor of Linux"] = lambda folder, stack: descriptor(folder, stack, "/proc/self/fd")
if hasattr(os, "memfd_create"):
    TO_READ["descriptor of a file in memory"] = descriptor_in_memory
    TO_READ["file in memory"] = lambda folder, stack: written(in_memory(stack))


def with_view(file: io.BytesIO, stack: ExitStack) -> io.BytesIO:
    stack.enter_context(file.getbuffer())
    return file


def link(path: Path) -> Path:
    (path.parent / "link").symlink_to(path)
    return path.parent / "link"


@each(TO_READ, "make")
def test_read(make: Callable[[Path, ExitStack], Any], tmp_path: Path) -> None:
    """An object loads from each kind of file object and path."""
    with ExitStack() as stack:
        assert_same(binpickle.load(make(tmp_path, stack)), OBJECT)


@pytest.mark.anyio
@each(TO_READ, "make")
async def test_read_in_an_event_loop(make: Callable[[Path, ExitStack], Any], tmp_path: Path) -> None:
    """`aload` reads the same kinds."""
    with ExitStack() as stack:
        assert_same(await binpickle.aload(make(tmp_path, stack)), OBJECT)


ONCE = ["gzip", "gzip that stores", "gzip in memory", "buffer over gzip", "bz2", "lzma", "zip", "zip that stores"]
ONCE += ["tar of gzip", "tar from a stream", "tar of gzip from a stream"]


@pytest.mark.parametrize("kind", ONCE)
def test_forward_once(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is decoded, or comes from a stream, is read once from beginning to end, and never sought in."""
    sought: list[Any] = []

    def noting(seek: Callable[..., int]) -> Callable[..., int]:
        def call(file: Any, offset: int, whence: int = 0) -> int:
            if whence == io.SEEK_END or offset < (file.tell() if whence == io.SEEK_SET else 0):
                sought.append((file, offset, whence))
            return seek(file, offset, whence)

        return call

    with ExitStack() as stack:
        folders = [Path(tempfile.mkdtemp(dir=tmp_path)) for _ in range(2)]
        one, other = (TO_READ[kind](folder, stack) for folder in folders)
        for decoder in (gzip.GzipFile, bz2.BZ2File, lzma.LZMAFile, zipfile.ZipExtFile):
            monkeypatch.setattr(decoder, "seek", noting(decoder.seek))
        assert_same(binpickle.load(one), OBJECT)
        with binpickle.BinPickleFile(other) as opened:
            assert_same(opened.array(0), OBJECT["array"])
    assert sought == []


def test_remote_file() -> None:
    """Of a remote file that seeks, only what is asked for is read."""
    file = Remote(binpickle.dumps([np.arange(1 << 20), np.arange(1000)], codecs=[]))
    with binpickle.BinPickleFile(file) as opened:
        assert_same(opened.array(1), np.arange(1000))
    assert file.read_nbytes < 100_000


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="no such devices here")
def test_devices() -> None:
    """A device is read to its end, or to its first bytes if these are no beginning of a file."""
    with pytest.raises(binpickle.FormatError, match="it is empty"):
        binpickle.load("/dev/null")
    with pytest.raises(binpickle.FormatError, match="it begins with zeros"):
        binpickle.load("/dev/zero")


@linux
def test_files_without_a_size() -> None:
    """A file that tells no size, such as those of `/proc`, is read to its end."""
    with pytest.raises(binpickle.FormatError, match="it begins with b'Linu'"):
        binpickle.load("/proc/version")


@posix
@pytest.mark.parametrize("path", ["/dev/stdin", "/dev/fd/0"])
@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_standard_input(path: str, kind: str, tmp_path: Path) -> None:
    """The path of the standard input is read, whether that is a pipe or a file."""
    code = "import binpickle, sys; sys.exit(binpickle.load(sys.argv[1])['text'] != 'some text')"
    command, env = [sys.executable, "-c", code, path], {**os.environ, "PYTHONPATH": str(INSTALLED)}
    if kind == "pipe":
        subprocess.run(command, env=env, input=DATA, check=True)
    else:
        with open(at(tmp_path, DATA), "rb") as file:
            subprocess.run(command, env=env, stdin=file, check=True)


# --------------------------------------------------------------------------------------------------------- to write


def to_memory(folder: Path) -> bytes:
    file = io.BytesIO(BEFORE)
    file.seek(len(BEFORE))
    binpickle.dump(OBJECT, file, codecs=[])
    return file.getvalue()[len(BEFORE) :]


def to_spooled(folder: Path) -> bytes:
    with tempfile.SpooledTemporaryFile(max_size=1000) as file:
        binpickle.dump(OBJECT, file, codecs=[])  # type: ignore[arg-type]
        file.seek(0)
        return file.read()


def to_opened(make: Callable[[Path], Any], read: Callable[[Path], bytes]) -> Callable[[Path], bytes]:
    def write(folder: Path) -> bytes:
        with make(folder / "file") as file:
            binpickle.dump(OBJECT, file, codecs=[])
        return read(folder / "file")

    return write


def decoded(module: Any) -> Callable[[Path], bytes]:
    return to_opened(lambda path: module.open(path, "wb"), lambda path: module.decompress(path.read_bytes()))


def to_zip(folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "file", "w") as archive, archive.open("member", "w") as file:
        binpickle.dump(OBJECT, file, codecs=[])
    with zipfile.ZipFile(folder / "file") as archive:
        return archive.read("member")


def to_mmap(folder: Path) -> bytes:
    with mmap.mmap(-1, len(DATA)) as file:
        binpickle.dump(OBJECT, file, codecs=[])
        return file[:]


def to_recoded(folder: Path) -> bytes:
    file = io.BytesIO()
    binpickle.dump(OBJECT, codecs.EncodedFile(file, "latin1", "utf-8"), codecs=[])
    return file.getvalue().decode().encode("latin1")


def received(give: Callable[[int], Any]) -> bytes:
    """Read from a pipe in another thread what `give` writes to the other end."""
    ours, theirs = os.pipe()
    got: list[bytes] = []

    def work() -> None:
        with open(ours, "rb") as file:
            got.append(file.read())

    thread = threading.Thread(target=work)
    thread.start()
    try:
        give(theirs)
    finally:
        os.close(theirs)
        thread.join()
    return got[0]


def dump_to(file: Any) -> None:
    binpickle.dump(OBJECT, file, codecs=[])


def to_buffered_pipe(folder: Path) -> bytes:
    def give(fd: int) -> None:
        with open(os.dup(fd), "wb") as file:
            dump_to(file)

    return received(give)


def to_raw_pipe(folder: Path) -> bytes:
    def give(fd: int) -> None:
        with open(os.dup(fd), "wb", buffering=0) as file:
            dump_to(file)

    return received(give)


def to_socket(folder: Path) -> bytes:
    ours, theirs = socket.socketpair()
    got: list[bytes] = []
    with ours:
        thread = threading.Thread(target=lambda: got.append(ours.makefile("rb").read()))
        thread.start()
        with theirs, theirs.makefile("wb") as file:
            dump_to(file)
        thread.join()
    return got[0]


WRITTEN: dict[str, Callable[[Path], bytes]] = {
    "BytesIO": to_memory,
    "spooled file": to_spooled,
    "file": to_opened(lambda path: open(path, "wb"), Path.read_bytes),
    "file without buffer": to_opened(lambda path: open(path, "wb", buffering=0), Path.read_bytes),
    "appended file": to_opened(lambda path: open(path, "ab"), Path.read_bytes),
    "gzip": decoded(gzip),
    "bz2": decoded(bz2),
    "lzma": decoded(lzma),
    "zip": to_zip,
    "mmap": to_mmap,
    "recoded": to_recoded,
}
if os.name == "posix":
    WRITTEN.update({"pipe": to_buffered_pipe, "pipe without buffer": to_raw_pipe, "socket": to_socket})
    WRITTEN["descriptor of a pipe"] = lambda folder: received(lambda fd: dump_to(f"/dev/fd/{fd}"))


@each(WRITTEN, "write")
def test_written(write: Callable[[Path], bytes], tmp_path: Path) -> None:
    """Each kind of file object and path gets the bytes that `dumps` returns."""
    assert write(tmp_path) == DATA


class Explosive:
    """Must not be pickled."""

    def __reduce__(self) -> Any:
        raise AssertionError("pickled before the file was refused")


@linux
def test_refused_paths() -> None:
    """A path of a device that is full, of no descriptor, or of one that cannot be written, is refused by its name."""
    binpickle.dump(OBJECT, "/dev/null")
    with open(os.devnull, "rb") as file:
        for path in ("/dev/full", "/dev/fd/9999", "/proc/self/fd/9999", f"/dev/fd/{file.fileno()}"):
            with pytest.raises(OSError, match="No space|No such|Bad file") as caught:
                binpickle.dump(Explosive(), path)
            assert caught.value.filename == path


def test_too_short() -> None:
    """A file object of a fixed size that is too small raises its own error."""
    with mmap.mmap(-1, 1000) as file, pytest.raises(ValueError, match="out of range"):
        binpickle.dump(OBJECT, file, codecs=[])
