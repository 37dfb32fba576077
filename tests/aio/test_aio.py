"""`adump` and `aload`: every parameter, every kind of file, the bytes and errors of `dump` and `load`."""

from __future__ import annotations

import contextvars
import functools
import gc
import inspect
import io
import os
import re
import threading
import time
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any, AsyncIterator, Callable

import anyio
import anyio.lowlevel
import numpy as np
import pytest
from common import small_chunks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from internals import Work
from numcodecs.abc import Codec
from same import assert_same

import binpickle
from binpickle import adump, adump_iter, aload

pytestmark = pytest.mark.anyio

CHUNK = 4 << 20
KEY = bytes(range(32))
OBJ = {"array": np.arange(200_000), "words": ["a", "b"], "small": np.arange(3)}
DATA = binpickle.dumps(OBJ)
# Several chunks; too much to stay in memory when received.
LARGE = {"bytes": np.random.default_rng(0).bytes(18 << 20), "array": np.arange(1 << 20)}
LARGE_DATA = binpickle.dumps(LARGE)


def parameters(function: Callable[..., Any]) -> dict[str, Any]:
    """Kind and default of each parameter."""
    found = inspect.signature(function).parameters
    return {name: (parameter.kind, parameter.default) for name, parameter in found.items()}


@pytest.mark.parametrize(
    ("function", "twin"), [(adump, binpickle.dump), (adump_iter, binpickle.dumps), (aload, binpickle.load)]
)
def test_parameters(function: Any, twin: Any) -> None:
    """The parameters are those of the synchronous twin, with the same defaults; `limiter` is in place of `threads`."""
    own, theirs = parameters(function), parameters(twin)
    theirs.pop("codec", None)  # of releases that had no async functions
    del theirs["threads"]
    assert own.pop("limiter")[1] is None
    assert own == theirs


# Sinks: each makes a file object, and gives what it holds in the end.


class Writer:
    """Takes bytes by a coroutine, and some of them only, as raw files do."""

    def __init__(self) -> None:
        self.data = b""

    async def write(self, data: bytes) -> int:
        await anyio.lowlevel.checkpoint()
        taken = data[: max(1, len(data) // 2)]
        self.data += taken
        return len(taken)


class Sender:
    """Takes bytes by a coroutine, all of them."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    async def send(self, data: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        self.pieces.append(data)

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


class DecoratedSender(Sender):
    """Its `send` is wrapped in a function that is no coroutine function itself."""

    send = decorated(Sender.send)


class WriteOnly:
    """A file object that has `write` and nothing else."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: Any) -> None:
        self.data += data


async def to_path(path: Path, dump: Callable[..., Any]) -> bytes:
    await dump(path)
    return path.read_bytes()


async def to_str(path: Path, dump: Callable[..., Any]) -> bytes:
    await dump(str(path))
    return path.read_bytes()


async def to_anyio_path(path: Path, dump: Callable[..., Any]) -> bytes:
    await dump(anyio.Path(path))
    return path.read_bytes()


async def to_file(path: Path, dump: Callable[..., Any]) -> bytes:
    with open(path, "wb") as file:
        await dump(file)
        assert not file.closed
    return path.read_bytes()


async def to_async_file(path: Path, dump: Callable[..., Any]) -> bytes:
    async with await anyio.open_file(path, "wb") as file:
        await dump(file)
    return path.read_bytes()


def to_object(make: Callable[[], Any]) -> Callable[..., Any]:
    async def write(path: Path, dump: Callable[..., Any]) -> bytes:
        target = make()
        await dump(target)
        return target.data

    return write


async def to_memory_file(path: Path, dump: Callable[..., Any]) -> bytes:
    file = io.BytesIO()
    await dump(file)
    return file.getvalue()


async def to_memory_stream(path: Path, dump: Callable[..., Any]) -> bytes:
    got = []

    async def collect() -> None:
        async with receive:
            async for piece in receive:
                got.append(piece)

    send, receive = anyio.create_memory_object_stream(0)
    async with anyio.create_task_group() as group:
        group.start_soon(collect)
        async with send:
            await dump(send)
    return b"".join(got)


async def to_socket(path: Path, dump: Callable[..., Any]) -> bytes:
    got = []

    async def serve(stream: Any) -> None:
        async with stream:
            async for piece in stream:
                got.append(piece)
        done.set()

    done = anyio.Event()
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await dump(stream)
        await done.wait()
        group.cancel_scope.cancel()
    return b"".join(got)


SINKS = {
    "path": to_path,
    "str": to_str,
    "anyio.Path": to_anyio_path,
    "file": to_file,
    "write only": to_object(WriteOnly),
    "memory": to_memory_file,
    "async file": to_async_file,
    "async write": to_object(Writer),
    "async send": to_object(Sender),
    "decorated send": to_object(DecoratedSender),
    "memory stream": to_memory_stream,
    "socket": to_socket,
}


@pytest.mark.parametrize("obj", [OBJ, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("sink", SINKS)
async def test_sinks(sink: str, obj: Any, tmp_path: Path) -> None:
    """Every kind of file or stream gets the bytes that `dumps` returns."""
    got = await SINKS[sink](tmp_path / "file", functools.partial(adump, obj))
    assert got == (DATA if obj is OBJ else LARGE_DATA)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
async def test_fifo(tmp_path: Path) -> None:
    """A FIFO is written and read as it is, not replaced."""
    os.mkfifo(tmp_path / "fifo")
    loaded = []

    async def read() -> None:
        loaded.append(await aload(tmp_path / "fifo", limiter=anyio.CapacityLimiter(1)))

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await adump(OBJ, tmp_path / "fifo", limiter=anyio.CapacityLimiter(1))
    assert_same(loaded, [OBJ])


# Sources: each is made of a path and its bytes.


class Reader:
    """Gives bytes by a coroutine `read`."""

    def __init__(self, data: bytes):
        self._file = io.BytesIO(data)

    async def read(self, size: int = -1) -> bytes:
        await anyio.lowlevel.checkpoint()
        return self._file.read(min(size, 70_000))


class Receiver:
    """Gives bytes by a coroutine `receive`, and ends with `anyio.EndOfStream`, or with empty bytes."""

    def __init__(self, data: bytes, raises: bool, kind: Callable[[bytes], Any] = bytes):
        self._file = io.BytesIO(data)
        self._raises = raises
        self._kind = kind

    async def receive(self) -> Any:
        await anyio.lowlevel.checkpoint()
        piece = self._file.read(70_000)
        if not piece and self._raises:
            raise anyio.EndOfStream
        return self._kind(piece)


class Reusing:
    """Gives one buffer again and again, with other bytes in it each time."""

    def __init__(self, data: bytes):
        self._file = io.BytesIO(data)
        self._buffer = bytearray(50_000)

    async def receive(self) -> Any:
        count = self._file.readinto(self._buffer)
        return memoryview(self._buffer)[:count]


class Unseekable:
    """A file object that can only be read on."""

    def __init__(self, data: bytes):
        self._file = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


async def pieces_of(data: bytes) -> AsyncIterator[bytes]:
    """Give bytes by pieces, with empty ones between, which are no end."""
    for start in range(0, len(data), 70_000):
        yield b""
        yield data[start : start + 70_000]


SOURCES: dict[str, Callable[[Path, bytes], Any]] = {
    "path": lambda path, data: path,
    "str": lambda path, data: str(path),
    "anyio.Path": lambda path, data: anyio.Path(path),
    "memory": lambda path, data: io.BytesIO(data),
    "unseekable": lambda path, data: Unseekable(data),
    "async read": lambda path, data: Reader(data),
    "receive, end of stream": lambda path, data: Receiver(data, True),
    "receive, empty at the end": lambda path, data: Receiver(data, False),
    "receive bytearrays": lambda path, data: Receiver(data, True, bytearray),
    "receive one buffer": lambda path, data: Reusing(data),
    "iterable": lambda path, data: pieces_of(data),
}


@pytest.mark.parametrize("obj", [OBJ, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("source", SOURCES)
async def test_sources(source: str, obj: Any, tmp_path: Path) -> None:
    """An object is loaded from every kind of file or stream."""
    data = DATA if obj is OBJ else LARGE_DATA
    (tmp_path / "file").write_bytes(data)
    assert_same(await aload(SOURCES[source](tmp_path / "file", data)), obj)


async def test_source_files(tmp_path: Path) -> None:
    """Open files are read from their position on, and stay open."""
    (tmp_path / "file").write_bytes(b"before" + DATA)
    with open(tmp_path / "file", "rb") as file:
        file.seek(6)
        assert_same(await aload(file), OBJ)
        assert not file.closed
    async with await anyio.open_file(tmp_path / "file", "rb") as opened:
        await opened.seek(6)
        assert_same(await aload(opened), OBJ)


async def test_socket_source() -> None:
    """A socket is loaded from until the other side closes it."""
    loaded = []

    async def serve(stream: Any) -> None:
        async with stream:
            loaded.append(await aload(stream))
        done.set()

    done = anyio.Event()
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(LARGE_DATA)
        await done.wait()
        group.cancel_scope.cancel()
    assert_same(loaded, [LARGE])


class StreamWriter:
    """Has the methods of `asyncio.StreamWriter`."""

    def write(self, data: bytes) -> None:
        raise AssertionError("called in the wrong thread")

    async def drain(self) -> None:
        """Wait for the buffer to empty."""


class Socket:
    """Has the methods of `socket.socket`."""

    def send(self, data: bytes) -> int:
        raise AssertionError("would block")

    recv = send


@pytest.mark.parametrize("file", [None, 5, object(), Socket(), StreamWriter(), io.StringIO()], ids=type)
async def test_not_files(file: Any) -> None:
    """An object that is no file or stream of any kind is a `TypeError`."""
    with pytest.raises(TypeError):
        await adump(OBJ, file)
    with pytest.raises(TypeError):
        await aload(file)


def asynchronous(function: Callable[..., Any]) -> Any:
    """Make a coroutine function of another one, as many decorators do."""

    @functools.wraps(function)
    async def call(*arguments: Any) -> Any:
        await anyio.sleep(0)
        return function(*arguments)

    return call


async def items() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: adump(items(), "file"), r"dump \[item async for item in generator\]"),
        (lambda: adump(items, "file"), r"dump \[item async for item in items\(\)\]"),
        (lambda: adump_iter(items()), r"dump \[item async for item in generator\]"),
        (lambda: adump(OBJ, items()), "Use adump_iter"),
        (lambda: adump(OBJ, items), "Use adump_iter"),
    ],
    ids=["object", "function as object", "object of adump_iter", "file", "function as file"],
)
async def test_async_generators(call: Callable[[], Any], message: str) -> None:
    """An async generator, as the object or as the file, is refused, and the error says what to do instead."""
    with pytest.raises(TypeError, match=message):
        await call()


class Decorated:
    """A file whose functions are coroutine functions by decoration; it drains, too, as responses of aiohttp do."""

    def __init__(self, data: bytes = b"") -> None:
        self.file = io.BytesIO(data)

    @asynchronous
    def write(self, data: bytes) -> int:
        """Take bytes."""
        return self.file.write(data)

    @asynchronous
    def read(self, nbytes: int) -> bytes:
        """Give bytes."""
        return self.file.read(nbytes)

    async def drain(self) -> None:
        """Do nothing."""


async def test_decorated() -> None:
    """A coroutine function that a decorator wraps counts as one, also beside a `drain`."""
    file = Decorated()
    await adump(OBJ, file)
    assert file.file.getvalue() == DATA
    assert_same(await aload(Decorated(DATA)), OBJ)


async def test_awaitable_from_write() -> None:
    """A `write` that returns an awaitable is refused if nobody would await it: no bytes are lost silently."""
    file = io.BytesIO()
    file.write = asynchronous(file.write)  # type: ignore[method-assign]
    with pytest.raises(TypeError, match="awaitable"):
        binpickle.dump(OBJ, file)
    hidden = SimpleNamespace(write=lambda data: Decorated().write(data))
    with pytest.raises(TypeError, match="awaitable"):
        await adump(OBJ, hidden)


@pytest.mark.parametrize(
    "wrong", [{"limits": 5}, {"mmap_mode": "w"}, {"verify": 7}, {"key": "abc"}, {"key": b"short"}, {"context": b"c"}]
)
async def test_refused_before_receiving(wrong: dict[str, Any]) -> None:
    """Arguments that are wrong are refused before a stream is received, as `load` refuses them."""
    received = []

    async def pieces() -> AsyncIterator[bytes]:
        received.append(1)
        yield DATA

    with pytest.raises((TypeError, ValueError)) as caught:
        await aload(pieces(), **wrong)
    with pytest.raises(type(caught.value), match=re.escape(str(caught.value))):
        binpickle.load(io.BytesIO(DATA), **wrong)
    assert not received


async def test_no_coroutine_for_progress(tmp_path: Path) -> None:
    """A `progress` that would have to be awaited is refused."""

    async def progress(done: int, total: int | None) -> None:
        raise AssertionError("called")

    with pytest.raises(TypeError, match="plain function"):
        await adump(OBJ, tmp_path / "file", progress=progress)


async def test_waiting_for_itself() -> None:
    """A pickled object that waits for a token of its own dump is ended by a cancellation."""
    limiter = anyio.CapacityLimiter(1)

    def reduce(_: Any) -> Any:
        inner = functools.partial(adump, [1], io.BytesIO(), limiter=limiter)
        anyio.from_thread.run(inner)
        return list, ()

    cls = type("Waiting", (), {"__reduce__": reduce})
    with pytest.raises(TimeoutError), anyio.fail_after(0.2):
        await adump(cls(), io.BytesIO(), limiter=limiter)
    assert limiter.borrowed_tokens == 0


async def test_text_file(tmp_path: Path) -> None:
    """Text files are refused, asynchronous ones too, and nothing is written."""
    async with await anyio.open_file(tmp_path / "file", "w") as file:
        with pytest.raises(TypeError):
            await adump(OBJ, file)
    assert (tmp_path / "file").read_bytes() == b""
    async with await anyio.open_file(tmp_path / "file") as file:
        with pytest.raises(TypeError):
            await aload(file)


@pytest.mark.parametrize("arguments", [{"durable": True}, {"exclusive": True}])
@pytest.mark.parametrize("make", [Sender, Writer, io.BytesIO])
async def test_path_needed(make: Any, arguments: dict[str, bool]) -> None:
    """`durable` and `exclusive` need a path."""
    with pytest.raises(TypeError, match="need a path"):
        await adump(OBJ, make(), **arguments)


@pytest.mark.parametrize("limiter", [3, threading.Lock(), "two"])
async def test_no_limiter(limiter: Any, tmp_path: Path) -> None:
    """`limiter` must be one of anyio's."""
    with pytest.raises(TypeError, match="CapacityLimiter"):
        await adump(OBJ, tmp_path / "file", limiter=limiter)
    assert list(tmp_path.iterdir()) == []


# Parity


def by_size(buffer: Any) -> Any:
    """Choose a codec for one buffer."""
    return "lz4" if memoryview(buffer).nbytes > SHORT else None


# Chunks of this length make small objects large ones.
SHORT = 4096
SIZES = [0, 1, 511, 512, SHORT // 4 - 1, SHORT // 4, SHORT - 1, SHORT, SHORT + 1, 9 * SHORT + 3]


def array(size: int, kind: str) -> np.ndarray:
    """An array of about so many bytes."""
    if kind == "noise":
        return np.random.default_rng(size).integers(0, 255, size, np.uint8)
    if kind == "floats":
        return np.linspace(0, 1, size // 8)
    return np.zeros((size // 4, 2), np.int16, order="F")


LEAVES = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=20),
    st.builds(bytes, st.sampled_from(SIZES)),
    st.builds(array, st.sampled_from(SIZES), st.sampled_from(["noise", "floats", "zeros"])),
)
OBJECTS = st.recursive(LEAVES, lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text(max_size=3), each))
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "mappable": st.booleans(),
        "codecs": st.sampled_from(["auto", [], ["lz4"], [{"id": "zstd", "level": 1}], ["zlib"], [by_size]]),
        "metadata": st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
        "digests": st.booleans(),
        "key": st.just(KEY),
    },
)


@pytest.mark.parametrize(("backend", "tokens"), [("asyncio", 1), ("asyncio", 3), ("trio", 2)])
@given(obj=OBJECTS, arguments=ARGUMENTS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
def test_parity(backend: str, tokens: int, obj: Any, arguments: dict[str, Any]) -> None:
    """The bytes are those of `dumps` with the same arguments, and load to the same object."""

    async def both() -> Any:
        limiter = anyio.CapacityLimiter(tokens)
        sender, file = Sender(), io.BytesIO()
        await adump(obj, sender, limiter=limiter, **arguments)
        await adump(obj, file, limiter=limiter, **arguments)
        loaded = await aload(pieces_of(sender.data), key=arguments.get("key"), limiter=limiter)
        return sender.data, file.getvalue(), loaded

    with small_chunks(SHORT):
        sent, written, loaded = anyio.run(both, backend=backend)
        expected = binpickle.dumps(obj, **arguments)
    assert sent == expected
    assert written == expected
    assert_same(loaded, binpickle.loads(expected, key=arguments.get("key")))


# Errors


class FailingCodec(Codec):
    """Fails on chunks that begin with a certain byte; the earlier in the file, the later in time."""

    codec_id = "failing-for-aio"

    def encode(self, buf: Any) -> Any:
        first = bytes(memoryview(buf).cast("B")[:1])[0]
        if 0 < first < 10:
            time.sleep(0.03 / first)
            raise LookupError(f"chunk {first}")
        return bytes(buf)

    def decode(self, buf: Any, out: Any = None) -> Any:
        return self.encode(buf)


binpickle.register_codec(FailingCodec)


class FailsToPickle:
    """Fails when it is pickled."""

    def __reduce__(self) -> Any:
        raise LookupError("not this one")


class FailingFile:
    """Fails at the second write, and at the second read."""

    def __init__(self) -> None:
        self._calls = 0

    def write(self, data: Any) -> None:
        self._calls += 1
        if self._calls > 1:
            raise BlockingIOError("full")

    def read(self, size: int = -1) -> bytes:
        self.write(b"")
        return DATA[:100]


def chunks(*firsts: int) -> np.ndarray:
    """An array of chunks that begin with these bytes."""
    made = np.zeros((len(firsts), CHUNK), np.uint8)
    made[:, 0] = firsts
    return made


def told(error: BaseException) -> Any:
    """Type of an error, and what it says; addresses of objects differ."""
    return type(error), re.sub("0x[0-9a-f]+", "0x", str(error)), getattr(error, "filename", None)


DUMP_ERRORS: dict[str, Callable[[Path], tuple[Any, Any, dict[str, Any]]]] = {
    "no folder": lambda folder: (OBJ, folder / "none" / "file", {}),
    "a folder": lambda folder: (OBJ, folder, {}),
    "exists": lambda folder: (OBJ, folder / "file", {"exclusive": True}),
    "cannot be pickled": lambda folder: (lambda: 0, folder / "new", {}),
    "fails to pickle": lambda folder: ([1, FailsToPickle()], folder / "new", {}),
    "codec fails": lambda folder: (chunks(0, 1, 0, 2), folder / "new", {"codecs": [FailingCodec()]}),
    "codec fails, later first": lambda folder: (chunks(0, 1, 9, 9), folder / "new", {"codecs": [FailingCodec()]}),
    "file fails": lambda folder: (chunks(0, 0, 0), FailingFile(), {"codecs": []}),
    "full": lambda folder: (OBJ, "/dev/full", {}),
    "unknown codec": lambda folder: (OBJ, folder / "new", {"codecs": ["none-such"]}),
    "short key": lambda folder: (OBJ, folder / "new", {"key": b"short"}),
    "metadata": lambda folder: (OBJ, folder / "new", {"metadata": {"a": 1}}),
    "pickler": lambda folder: (OBJ, folder / "new", {"pickler": int}),
    "progress fails": lambda folder: (OBJ, folder / "new", {"progress": lambda *_: [].pop()}),
}


@pytest.mark.parametrize("case", DUMP_ERRORS)
async def test_dump_errors(case: str, tmp_path: Path) -> None:
    """Errors are those of `dump`, of several chunks' the first in the file; the old file stands."""
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(Exception) as expected:  # noqa: PT011 -- compared below
        binpickle.dump(*DUMP_ERRORS[case](tmp_path)[:2], **DUMP_ERRORS[case](tmp_path)[2])
    obj, file, arguments = DUMP_ERRORS[case](tmp_path)
    with pytest.raises(type(expected.value)) as raised:
        await adump(obj, file, **arguments)
    assert told(raised.value) == told(expected.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


class Weak(list):
    """A list that can be referred to weakly."""


def damaged(data: bytes, *offsets: int) -> io.BytesIO:
    changed = bytearray(data)
    for offset in offsets:
        changed[offset] ^= 1
    return io.BytesIO(bytes(changed))


RAW = binpickle.dumps([chunks(0, 0, 0), np.arange(10**6)], codecs=[])

LOAD_ERRORS: dict[str, Callable[[Path], tuple[Any, dict[str, Any]]]] = {
    "missing": lambda folder: (folder / "none", {}),
    "a folder": lambda folder: (folder, {}),
    "nothing": lambda folder: (io.BytesIO(), {}),
    "no bpk": lambda folder: (io.BytesIO(b"something else entirely" * 9), {}),
    "truncated": lambda folder: (io.BytesIO(DATA[:-50]), {}),
    "damaged twice": lambda folder: (damaged(RAW, 2 * CHUNK, CHUNK + 999), {}),
    "not sealed": lambda folder: (io.BytesIO(DATA), {"key": KEY}),
    "not trusted": lambda folder: (io.BytesIO(binpickle.dumps(Weak())), {"trusted": [int]}),
    "mmap_mode": lambda folder: (io.BytesIO(DATA), {"mmap_mode": "w"}),
    "limits": lambda folder: (io.BytesIO(DATA), {"limits": binpickle.Limits(decoded_bytes=10)}),
    "file fails": lambda folder: (FailingFile(), {}),
    "progress fails": lambda folder: (io.BytesIO(DATA), {"progress": lambda *_: [].pop()}),
}


@pytest.mark.parametrize("case", LOAD_ERRORS)
async def test_load_errors(case: str, tmp_path: Path) -> None:
    """Errors are those of `load`; of several damaged chunks the first is named."""
    file, arguments = LOAD_ERRORS[case](tmp_path)
    with pytest.raises(Exception) as expected:  # noqa: PT011 -- compared below
        binpickle.load(file, **arguments)
    file, arguments = LOAD_ERRORS[case](tmp_path)
    with pytest.raises(type(expected.value)) as raised:
        await aload(file, **arguments)
    assert told(raised.value) == told(expected.value)


class Broken:
    """Fails in the middle."""

    def __init__(self) -> None:
        self._calls = 0

    async def send(self, data: bytes) -> bytes:
        self._calls += 1
        if self._calls == 3:
            raise anyio.BrokenResourceError
        await anyio.lowlevel.checkpoint()
        return LARGE_DATA[: 9 << 20]

    async def receive(self) -> bytes:
        return await self.send(b"")


@pytest.mark.parametrize("obj", [LARGE, [bytes(1 << 20) for _ in range(18)]], ids=["between chunks", "while pickling"])
async def test_broken_stream(obj: Any) -> None:
    """An error of `send` or `receive` is raised as it is."""
    with pytest.raises(anyio.BrokenResourceError):
        await adump(obj, Broken(), codecs=[])
    with pytest.raises(anyio.BrokenResourceError):
        await aload(Broken())


async def test_received_limit() -> None:
    """More than `limits.stored_bytes` is not even received."""
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        while True:
            given += 1 << 20
            yield LARGE_DATA[: 1 << 20]

    with pytest.raises(binpickle.LimitError) as raised:
        await aload(endless(), limits=binpickle.Limits(stored_bytes=20 << 20))
    assert raised.value.limit == "stored_bytes"
    assert given == 21 << 20


# Where things happen


def test_progress(tmp_path: Path, anyio_backend_name: str) -> None:
    """`progress` is called in the event loop's thread, counts up, and ends at the total."""
    calls: list[tuple[int, int | None]] = []

    def progress(done: int, total: int | None) -> None:
        assert threading.current_thread() is threading.main_thread()
        calls.append((done, total))

    async def both() -> None:
        await adump(LARGE, tmp_path / "file", progress=progress)
        assert calls[-1][0] == calls[-1][1] > 18 << 20
        assert sorted(calls, key=lambda call: call[0]) == calls
        calls.clear()
        await aload(tmp_path / "file", progress=progress)
        assert calls[-1][0] == calls[-1][1] > 18 << 20

    anyio.run(both, backend=anyio_backend_name)


class Observed:
    """Notes in which thread it is pickled and unpickled, and what of the context is seen there."""

    def __reduce__(self) -> Any:
        OBSERVED.append((threading.current_thread(), VARIABLE.get()))
        return observe, ()


def observe() -> None:
    OBSERVED.append((threading.current_thread(), VARIABLE.get()))


OBSERVED: list[tuple[Any, str]] = []
VARIABLE = contextvars.ContextVar("VARIABLE", default="")


async def test_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pickling and file work are in worker threads, which see the caller's context variables."""
    calls: list[tuple[str, Any]] = []

    def note(name: str) -> None:
        function = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, **more: (calls.append((name, me())), function(*args, **more))[1])

    me = threading.current_thread
    await adump(1, tmp_path / "first")  # anyio opens something for its first thread
    names = ["open", "close", "fsync", "replace", "link", "unlink", "stat", "ftruncate", "fstat", "lstat", "read"]
    for name in names:
        note(name)
    VARIABLE.set("seen")
    await adump([Observed(), np.arange(10**6)], tmp_path / "file", durable=True)
    await adump(1, tmp_path / "first")
    await aload(tmp_path / "file")
    with pytest.raises(LookupError):
        await adump([FailsToPickle()], tmp_path / "file")
    monkeypatch.undo()
    assert {"open", "close", "fsync", "replace", "stat", "fstat"} <= {name for name, _ in calls}
    assert [(name, thread) for name, thread in calls if thread is me()] == []
    assert len(OBSERVED) == 2
    assert [seen for thread, seen in OBSERVED if thread is not me()] == ["seen"] * 2
    OBSERVED.clear()


async def test_one_hop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small object takes one call of a worker thread, from or to a stream, too, and is sent at once."""
    hop, hops = Work.hop, []

    async def counted(work: Any) -> None:
        hops.append(work)
        await hop(work)

    monkeypatch.setattr(Work, "hop", counted)
    sender = Sender()
    for call in [
        lambda: adump(OBJ, tmp_path / "file"),
        lambda: aload(tmp_path / "file"),
        lambda: adump(OBJ, sender),
        lambda: aload(Receiver(DATA, True)),
    ]:
        await call()
        assert len(hops) == 1
        hops.clear()
    assert sender.pieces == [DATA]


@pytest.mark.parametrize("mode", ["r", "c"])
async def test_mapping(mode: str, tmp_path: Path) -> None:
    """`mmap_mode` maps: arrays share the file's memory, read-only or copy-on-write."""
    path = tmp_path / "file"
    await adump(LARGE["array"], path, mappable=True)
    mapped = await aload(path, mmap_mode=mode)
    assert_same(np.array(mapped), LARGE["array"])
    assert mapped.flags.writeable == (mode == "c")
    if os.path.exists("/proc/self/maps"):
        assert str(path) in Path("/proc/self/maps").read_text()
    with binpickle.BinPickleFile(path) as opened:
        offset = opened.buffers[0].offset
    if mode == "r":
        with open(path, "r+b") as file:
            file.seek(offset)
            file.write(b"\x07")
        assert mapped[0] == 7


async def test_mapping_nothing() -> None:
    """Received bytes are in memory and cannot be mapped; a warning says so."""
    with pytest.warns(binpickle.FormatWarning):
        await aload(Receiver(binpickle.dumps(OBJ, mappable=True), True), mmap_mode="r")


async def test_let_go(tmp_path: Path) -> None:
    """When a call has returned, nothing but the caller keeps what was dumped or loaded."""
    obj = Weak([1, 2])
    await adump(obj, tmp_path / "file")
    reference = weakref.ref(obj)
    gc.collect()
    gc.disable()
    try:
        del obj
        assert reference() is None
        loaded = await aload(tmp_path / "file")
        reference = weakref.ref(loaded)
        del loaded
        assert reference() is None
    finally:
        gc.enable()


async def test_plain_asyncio(tmp_path: Path) -> None:
    """The functions need nothing of anyio around them, and may be called from many tasks at once."""
    async with anyio.create_task_group() as group:
        for i in range(20):
            group.start_soon(adump, [i], tmp_path / str(i))
    assert [await aload(tmp_path / str(i)) for i in range(20)] == [[i] for i in range(20)]
