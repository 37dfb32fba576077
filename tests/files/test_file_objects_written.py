"""File objects to write: they need `write` and nothing else, and get every byte once, or an error comes."""

from __future__ import annotations

import codecs
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import numpy as np
import pytest
from common import assert_same, each

import binpickle

OBJECT = {"array": np.arange(500), "text": "some text", "numbers": list(range(3000))}
DATA = binpickle.dumps(OBJECT, codecs=[])


class Taken:
    """What a file object has taken."""

    def __init__(self) -> None:
        self.pieces: list[Any] = []

    def add(self, data: Any, count: int | None = None) -> int:
        self.pieces.append(bytes(data[:count]))
        return len(self.pieces[-1])


def take(result: Callable[[Any, int], Any], count: int | None = None) -> Callable[[Taken, Any], Any]:
    """A `write` that takes so many bytes of each call, and returns a result of the data and of how many it took."""
    return lambda taken, data: result(data, taken.add(data, count))


def only_bytes(taken: Taken, data: Any) -> int:
    if type(data) is not bytes:
        raise TypeError("I know only bytes")
    return taken.add(data)


def keep(taken: Taken, data: Any) -> None:
    taken.pieces.append(data)


WRITES: dict[str, Callable[[Taken, Any], Any]] = {
    "count": take(lambda data, taken: taken),
    "None": take(lambda data, taken: None),
    "true": take(lambda data, taken: True),
    "false": take(lambda data, taken: False),
    "text": take(lambda data, taken: "done"),
    "bytes": take(lambda data, taken: bytes(data)),
    "more than given": take(lambda data, taken: taken * 2),
    "short count": take(lambda data, taken: taken, 100),
    "short count of NumPy": take(lambda data, taken: np.int64(taken), 100),
    "one byte": take(lambda data, taken: taken, 1),
    "only bytes": only_bytes,
    "kept": keep,
}
# What other methods may return or raise.
OTHERS: dict[str, list[Any]] = {
    "seek": [io.UnsupportedOperation("seek"), None],
    "tell": [OSError("tell"), 0],
    "seekable": [ValueError("seekable"), False],
    "fileno": [io.UnsupportedOperation("fileno"), 0],
    "flush": [OSError("flush"), None],
    "close": [OSError("close"), None],
}


def method(result: Any) -> Callable[..., Any]:
    def function(*_: Any) -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    return function


@each(WRITES, "write")
def test_write_is_enough(write: Callable[[Taken, Any], Any]) -> None:
    """Any object whose `write` takes bytes gets all of them once, whatever it returns and whatever else it has."""
    for others in [{}, *({name: method(kind)} for name, kinds in OTHERS.items() for kind in kinds)]:
        taken = Taken()
        binpickle.dump(OBJECT, SimpleNamespace(write=lambda data, to=taken: write(to, data), **others), codecs=[])
        assert b"".join(taken.pieces) == DATA


@pytest.mark.anyio
@each(WRITES, "write")
async def test_write_is_enough_in_an_event_loop(write: Callable[[Taken, Any], Any]) -> None:
    """`adump` writes to the same objects, and to those whose `write` is a coroutine function."""
    for wrap in (lambda function: function, coroutine):
        taken = Taken()
        file = SimpleNamespace(write=wrap(lambda data, to=taken: write(to, data)))
        await binpickle.adump(OBJECT, file, codecs=[])
        assert b"".join(taken.pieces) == DATA


def coroutine(function: Callable[..., Any]) -> Any:
    async def call(*args: Any) -> Any:
        return function(*args)

    return call


def test_memory_that_changes() -> None:
    """A file object may keep what it was given, although the memory of the array changes afterwards."""
    taken, array = Taken(), np.arange(100_000)
    binpickle.dump(array, SimpleNamespace(write=lambda data: keep(taken, data)), codecs=[])
    array[:] = 0
    assert_same(binpickle.loads(b"".join(taken.pieces)), np.arange(100_000))


# --------------------------------------------------------------------------------------------------------- refused


def no_more(taken: Taken, data: Any) -> int:
    if sum(map(len, taken.pieces)) > 1000:
        raise OSError("full")
    return taken.add(data, 100)


def nothing_later(taken: Taken, data: Any) -> int:
    return 0 if taken.pieces else taken.add(data, 10)


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "takes nothing": (lambda taken, data: 0, BlockingIOError, "takes no more bytes now.*non-blocking"),
    "takes nothing later": (nothing_later, BlockingIOError, "takes no more bytes now.*non-blocking"),
    "takes less than nothing": (lambda taken, data: -1, BlockingIOError, "takes no more bytes now"),
    "wants text": (lambda taken, data: "text" + data, TypeError, "wants str .*: open the file in binary mode"),
    "raises": (method(OSError("broken")), OSError, "broken"),
    "raises later": (no_more, OSError, "full"),
    "raises its own error": (method(LookupError("gone")), LookupError, "gone"),
    "takes no argument": (None, TypeError, "argument"),
}


@each(REFUSED, "write", "error", "message")
def test_refused(write: Any, error: type[Exception], message: str) -> None:
    """A `write` that does not take all bytes makes an error, and what was written is no file that loads."""
    taken = Taken()
    file = SimpleNamespace(write=(lambda: None) if write is None else lambda data: write(taken, data))
    with pytest.raises(error, match=message):
        binpickle.dump(OBJECT, file, codecs=[])
    with pytest.raises(binpickle.FormatError):
        binpickle.loads(b"".join(taken.pieces))


@pytest.mark.anyio
@each({name: row for name, row in REFUSED.items() if "text" not in name}, "write", "error", "message")
async def test_refused_in_an_event_loop(write: Any, error: type[Exception], message: str) -> None:
    """`adump` refuses the same, whether `write` is a coroutine function or not."""
    for wrap in (lambda function: function, coroutine):
        taken = Taken()
        file = SimpleNamespace(write=wrap((lambda: None) if write is None else lambda data, to=taken: write(to, data)))
        with pytest.raises(error, match=message):
            await binpickle.adump(OBJECT, file, codecs=[])


class Explosive:
    """Must not be pickled."""

    def __reduce__(self) -> Any:
        raise AssertionError("pickled before the file was refused")


class Raw(io.RawIOBase):
    """A raw file in non-blocking mode, which takes nothing."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> None:  # type: ignore[override]
        return None


def closed(file: Any) -> Any:
    file.close()
    return file


NO_FILES: dict[str, tuple[Callable[[Path], Any], type[Exception], str]] = {
    "read alone": (lambda path: SimpleNamespace(read=None), TypeError, "file object with write"),
    "a write that is no method": (lambda path: SimpleNamespace(write=b""), TypeError, "file object with write"),
    "text": (lambda path: io.StringIO(), TypeError, "file object with write"),
    "text of codecs": (lambda path: codecs.getwriter("utf-8")(io.BytesIO()), TypeError, "open the file in binary mode"),
    "raw in non-blocking mode": (lambda path: Raw(), BlockingIOError, "takes no more bytes now"),
    "closed memory": (lambda path: closed(io.BytesIO()), ValueError, "closed file"),
    "closed buffer": (lambda path: closed(io.BufferedWriter(io.BytesIO())), ValueError, "closed file"),  # type: ignore[arg-type]
    "a file to read": (lambda path: io.BufferedReader(io.BytesIO()), io.UnsupportedOperation, "write"),
    "a number": (lambda path: 1, TypeError, "not int"),
}


@each(NO_FILES, "make", "error", "message")
def test_no_files(make: Callable[[Path], Any], error: type[Exception], message: str, tmp_path: Path) -> None:
    """What is no open binary file to write is refused before the object is pickled."""
    with pytest.raises(error, match=message):
        binpickle.dump(Explosive(), make(tmp_path))
