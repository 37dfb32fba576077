"""File objects to read: whatever their methods do, the object loads, or an error says what is wrong with them."""

from __future__ import annotations

import functools
import io
import itertools
from types import SimpleNamespace
from typing import Any, Callable

import numpy as np
import pytest
from common import assert_same, each

import binpickle

OBJECT = {"array": np.arange(200), "text": "some text", "more": np.arange(100.0)}
DATA = binpickle.dumps(OBJECT, codecs=[])
BEFORE = b"before"
BUFFER = bytearray(1 << 20)
ABSENT: Any = None


def file_object(methods: dict[str, Any], data: bytes = DATA) -> Any:
    """An object that has these methods and nothing else: functions of a `BytesIO` and of their arguments."""
    file = io.BytesIO(BEFORE + data)
    file.seek(len(BEFORE))
    return SimpleNamespace(**{name: functools.partial(f, file) for name, f in methods.items() if f is not ABSENT})


def fail(error: Exception) -> Callable[..., Any]:
    def function(*_: Any) -> Any:
        raise error

    return function


def read_into_one_buffer(file: io.BytesIO, size: int) -> memoryview:
    return memoryview(BUFFER)[: file.readinto(memoryview(BUFFER)[:size])]


def read_floats(file: io.BytesIO, size: int) -> Any:
    data = file.read(max(size // 8, 1) * 8)
    return data if len(data) % 8 else np.frombuffer(data, "f8")


READS: dict[str, Callable[[io.BytesIO, int], Any]] = {
    "as asked": lambda file, size: file.read(size),
    "short": lambda file, size: file.read(min(size, 100)),
    "one byte": lambda file, size: file.read(1),
    "more than asked": lambda file, size: file.read(size + 10),
    "everything": lambda file, size: file.read(),
    "bytearray": lambda file, size: bytearray(file.read(size)),
    "memoryview": lambda file, size: memoryview(file.read(size)),
    "array": lambda file, size: np.frombuffer(file.read(size), "u1"),
    "array of floats": read_floats,
    "strided array": lambda file, size: np.repeat(np.frombuffer(file.read(size), "u1"), 2)[::2],
    "one buffer": read_into_one_buffer,
}


def seek_but_not_from_end(file: io.BytesIO, offset: int, whence: int = 0) -> int:
    if whence == io.SEEK_END:
        raise io.UnsupportedOperation("from the end")
    return file.seek(offset, whence)


def seek_only_forwards(file: io.BytesIO, offset: int, whence: int = 0) -> int:
    if whence == io.SEEK_SET and offset < file.tell():
        raise OSError("backwards")
    return file.seek(offset, whence)


def seek_to_nobody_knows(file: io.BytesIO, offset: int, whence: int = 0) -> str:
    return str(file.seek(offset, whence))


def seek_silently(file: io.BytesIO, offset: int, whence: int = 0) -> None:
    file.seek(offset, whence)


SEEKS: dict[str, Any] = {
    "absent": ABSENT,
    "right": io.BytesIO.seek,
    "gives None": seek_silently,
    "gives text": seek_to_nobody_knows,
    "raises": fail(io.UnsupportedOperation("seek")),
    "not implemented": fail(NotImplementedError()),
    "takes no whence": lambda file, offset: file.seek(offset),
    "ignores whence": lambda file, offset, whence=0: file.seek(offset),
    "not from the end": seek_but_not_from_end,
    "only forwards": seek_only_forwards,
}
TELLS: dict[str, Any] = {
    "absent": ABSENT,
    "right": io.BytesIO.tell,
    "raises": fail(OSError("tell")),
    "gives None": lambda file: None,
    "gives text": lambda file: str(file.tell()),
    "always 0": lambda file: 0,
    "negative": lambda file: file.tell() - 100_000,
    "a number of NumPy": lambda file: np.int64(file.tell()),
}
SEEKABLES: dict[str, Any] = {
    "absent": ABSENT,
    "true": lambda file: True,
    "false": lambda file: False,
    "None": lambda file: None,
    "raises": fail(ValueError("seekable")),
}


@pytest.mark.parametrize("seek", SEEKS)
@pytest.mark.parametrize("read", READS)
def test_read_is_enough(read: str, seek: str) -> None:
    """An object loads from any file object whose `read` gives bytes, whatever its other methods do."""
    for tell, seekable in itertools.product(TELLS, SEEKABLES if seek == "right" else ["absent", "true"]):
        methods = {"read": READS[read], "seek": SEEKS[seek], "tell": TELLS[tell], "seekable": SEEKABLES[seekable]}
        file = file_object(methods)
        try:
            assert_same(binpickle.load(file), OBJECT)
        except Exception as error:
            raise AssertionError(f"with tell {tell}, seekable {seekable}") from error


@pytest.mark.anyio
@pytest.mark.parametrize("read", READS)
async def test_read_is_enough_in_an_event_loop(read: str) -> None:
    """`aload` takes the same file objects, and those whose `read` is a coroutine function."""
    for seek, tell in itertools.product(SEEKS, ("absent", "right")):
        methods = {"read": READS[read], "seek": SEEKS[seek], "tell": TELLS[tell]}
        assert_same(await binpickle.aload(file_object(methods)), OBJECT)
        file = file_object(methods)
        file.read = coroutine(file.read)
        assert_same(await binpickle.aload(file), OBJECT)


def coroutine(function: Callable[..., Any]) -> Any:
    async def call(*args: Any) -> Any:
        return function(*args)

    return call


# ------------------------------------------------------------------------------------------------------------- lies


class Counting(io.BytesIO):
    """Counts the bytes that were read, and tells their number for its position."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data

    def tell(self) -> int:
        return self.count


class EndsEarly(io.BytesIO):
    """Takes another place for its end."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return super().seek(500 if whence == io.SEEK_END else offset, 0 if whence == io.SEEK_END else whence)


class Breaking(io.BytesIO):
    """Seeks only for a while."""

    broken = False

    def read(self, size: int | None = -1) -> bytes:
        return super().read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        if self.broken:
            raise OSError("this file no longer seeks")
        return super().seek(offset, whence)


class Generous(io.BytesIO):
    """Gives more than it is asked for, but not when it is asked for little."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(size + 1 if size is not None and size > 100 else size)


def far_end(file: io.BytesIO, offset: int, whence: int = 0) -> int:
    return file.seek(offset, whence) + (1000 if whence == io.SEEK_END else 0)


def beyond_end(file: io.BytesIO, offset: int, whence: int = 0) -> int:
    return file.seek(offset + (1000 if whence == io.SEEK_END else 0), whence)


def relative_tell(file: io.BytesIO) -> int:
    return file.tell() - len(BEFORE)


READ, TELL = io.BytesIO.read, io.BytesIO.tell
LIES: dict[str, Callable[[], Any]] = {
    "seek says where it should be": lambda: file_object({"read": READ, "tell": TELL, "seek": lambda *args: args[1]}),
    "seek goes too far": lambda: file_object({"read": READ, "tell": TELL, "seek": beyond_end}),
    "seek says another end": lambda: file_object({"read": READ, "tell": TELL, "seek": far_end}),
    "tell has another origin": lambda: file_object({"read": READ, "tell": relative_tell, "seek": io.BytesIO.seek}),
    "tell counts what was read": lambda: Counting(DATA),
    "the end is another": lambda: EndsEarly(DATA),
    "read gives more than it is asked for, later": lambda: Generous(DATA),
}
CONTRADICTIONS = {
    "seek goes nowhere in silence": {"read": READ, "tell": TELL, "seek": lambda *args: None},
    "seek has another origin in silence": {"read": READ, "tell": relative_tell, "seek": seek_silently},
}


@each(LIES, "make")
def test_lies(make: Callable[[], Any]) -> None:
    """A file object that says of its position what its bytes contradict is read on from where it was."""
    assert_same(binpickle.load(make()), OBJECT)


@each(CONTRADICTIONS, "methods")
def test_contradictions(methods: dict[str, Any]) -> None:
    """If the place in a file object is lost because `seek` is silent, the error says what to pass instead."""
    with pytest.raises(ValueError, match="contradict its read: pass an object that has nothing but its read"):
        binpickle.load(file_object(methods))


def test_error_after_opening() -> None:
    """An error of `seek` after the file was opened is raised as it is."""
    file = Breaking(DATA)
    with binpickle.BinPickleFile(file) as opened:
        file.broken = True
        with pytest.raises(OSError, match="no longer seeks"):
            opened.load()


# ---------------------------------------------------------------------------------------------------------- no bytes


def later(given: Any) -> Callable[[io.BytesIO, int], Any]:
    """Some bytes, then something else."""
    return lambda file, size: file.read(size) if file.tell() < 1000 else given


class Awaitable:
    """Can be awaited."""

    def __await__(self) -> Any:
        yield

    def close(self) -> None:
        """Do nothing."""


NO_BYTES: dict[str, tuple[Any, type[Exception], str]] = {
    "text": (lambda file, size: file.read(size).decode("latin1"), TypeError, "gave str, not bytes: open the file in b"),
    "text at the end": (later(""), TypeError, "gave str, not bytes: open the file in binary mode"),
    "None": (lambda file, size: None, BlockingIOError, "gave None .* non-blocking mode: make the file blocking"),
    "None later": (later(None), BlockingIOError, "gave None .* non-blocking mode: make the file blocking"),
    "a number": (lambda file, size: size, TypeError, "gave int, not bytes"),
    "a number at the end": (later(0), TypeError, "gave int, not bytes"),
    "a list": (lambda file, size: [66, 80], TypeError, "gave list, not bytes"),
    "objects": (lambda file, size: np.array([None]), TypeError, "gave ndarray, not bytes"),
    "an awaitable": (lambda file, size: Awaitable(), TypeError, "use aload if read is a coroutine function"),
    "an error": (fail(OSError("broken")), OSError, "broken"),
    "an error of its own": (fail(LookupError("gone")), LookupError, "gone"),
}


@pytest.mark.parametrize("seek", ["absent", "right"])
@each(NO_BYTES, "read", "error", "message")
def test_no_bytes(read: Any, error: type[Exception], message: str, seek: str) -> None:
    """What `read` gives besides bytes is refused, with what to do, and never taken for the end of the file."""
    methods = {"read": read, "seek": SEEKS[seek], "tell": TELLS[seek]}
    for function in (binpickle.load, binpickle.BinPickleFile, binpickle.file_info, binpickle.inspect):
        with pytest.raises(error, match=message):
            function(file_object(methods))


@pytest.mark.anyio
@each(NO_BYTES, "read", "error", "message")
async def test_no_bytes_in_an_event_loop(read: Any, error: type[Exception], message: str) -> None:
    """`aload` refuses the same, whether `read` is a coroutine function or not."""
    for wrap in (lambda function: function, coroutine):
        file = file_object({"read": read})
        file.read = wrap(file.read)
        with pytest.raises(error, match=message):
            await binpickle.aload(file)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["text", "text at the end", "a number", "None later"])
async def test_no_bytes_received(name: str) -> None:
    """A stream whose `receive` or items are no bytes is refused in the same way; text, with advice of its own."""
    read, error, message = NO_BYTES[name]
    if error is TypeError and "str" in message:
        message = "gave str, not bytes: .*aiter_bytes.* instead of aiter_text"

    async def items() -> Any:
        file = io.BytesIO(DATA)
        while True:
            yield read(file, 100)

    file, generator = io.BytesIO(DATA), items()
    for stream in (SimpleNamespace(receive=coroutine(lambda: read(file, 100))), generator):
        with pytest.raises(error, match=message):
            await binpickle.aload(stream)
    await generator.aclose()


NO_FILES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "readinto": (lambda: file_object({"readinto": io.BytesIO.readinto}), TypeError, "file object with read"),
    "a read that is no method": (lambda: SimpleNamespace(read=b"data"), TypeError, "file object with read"),
    "text": (lambda: io.StringIO("text"), TypeError, "file object with read"),
    "no size": (lambda: SimpleNamespace(read=lambda: DATA), TypeError, "argument"),
    "closed memory": (lambda: closed(io.BytesIO(DATA)), ValueError, "closed file"),
    "closed buffer": (lambda: closed(io.BufferedReader(io.BytesIO(DATA))), ValueError, "closed file"),
    "a file to write": (lambda: io.BufferedWriter(io.BytesIO(DATA)), io.UnsupportedOperation, "read"),
}


def closed(file: Any) -> Any:
    file.close()
    return file


@each(NO_FILES, "make", "error", "message")
def test_no_files(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    """What is no open file to read is refused."""
    with pytest.raises(error, match=message):
        binpickle.load(make())
