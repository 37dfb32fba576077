"""Tokens, threads and memory: many calls at once never stall, use no more threads than there are tokens, wait in turn.

What works is counted inside codecs and `__reduce__`, which is where the threads are.
"""

from __future__ import annotations

import io
import math
import threading
import time
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import numpy as np
import pytest
from common import small_chunks
from internals import usable_cpus
from numcodecs.abc import Codec

import binpickle
from binpickle import adump, aload

pytestmark = pytest.mark.anyio

MIB = 1 << 20
CHUNK = 4 * MIB
# No call here takes a tenth of this time: a call that waits so long waits for ever.
LONG = 60


class Work:
    """Counts the threads that work at the same time, and what they have done."""

    def __init__(self, seconds: float = 0.0, meet: int = 0):
        self.now = self.most = self.chunks = 0
        self.changed = threading.Condition()
        self._seconds = seconds
        self._meet = meet

    def __enter__(self) -> Work:
        with self.changed:
            self.now += 1
            self.most = max(self.most, self.now)
            self.changed.notify_all()
            if self._meet:  # stand until so many are here
                self.changed.wait_for(lambda: self.most >= self._meet, LONG)
        time.sleep(self._seconds)
        return self

    def __exit__(self, *_: object) -> None:
        with self.changed:
            self.now -= 1
            self.chunks += 1


WORK = Work()


def start(work: Work) -> None:
    """Count anew."""
    global WORK
    WORK = work


@pytest.fixture(autouse=True)
def from_nothing() -> None:
    """Each test counts its own work."""
    start(Work())


class CountedCodec(Codec):
    """Counts the threads that encode and decode; returns the bytes that it gets."""

    codec_id = "counted-for-limits"

    def encode(self, buf: Any) -> Any:
        with WORK:
            return bytes(buf)

    def decode(self, buf: Any, out: Any = None) -> Any:
        with WORK:
            return bytes(buf)


binpickle.register_codec(CountedCodec)
COUNTED = [CountedCodec()]


class Counted:
    """Counts the threads that pickle and unpickle it; writes that many bytes to the stream."""

    def __init__(self, nbytes: int = 0, pieces: int = 1):
        self._nbytes, self._pieces = nbytes, pieces

    def __reduce__(self) -> Any:
        with WORK:
            if self._pieces > 1:
                return list, ([Counted(self._nbytes) for _ in range(self._pieces)],)
            return rebuild, (bytes(self._nbytes),)


def rebuild(data: bytes) -> bytes:
    with WORK:
        return data


class SlowReceiver:
    """Takes bytes, and its time."""

    def __init__(self, seconds: float = 0.002):
        self.data = b""
        self._seconds = seconds

    async def send(self, data: bytes) -> None:
        await anyio.sleep(self._seconds)
        self.data += data


class SlowSender:
    """Gives bytes, and takes its time."""

    def __init__(self, data: bytes):
        self._file = io.BytesIO(data)

    async def receive(self) -> bytes:
        await anyio.sleep(0.002)
        return self._file.read(MIB)


@pytest.mark.parametrize("tokens", [1, 2])
async def test_many_at_once(tokens: int, tmp_path: Path) -> None:
    """Dumps, streams and loads of all sizes at once, with a few tokens, all end, and no more threads work."""
    limiter = anyio.CapacityLimiter(tokens)
    objects = [[i, np.full(i * 2000, i), Counted(i * 100)] for i in range(10)]
    receivers = [SlowReceiver() for _ in objects]

    async def there_and_back(i: int) -> None:
        await adump(objects[i], tmp_path / str(i), codecs=COUNTED, limiter=limiter)
        assert (tmp_path / str(i)).read_bytes() == expected[i]
        await aload(tmp_path / str(i), limiter=limiter)

    async def through_streams(i: int) -> None:
        await adump(objects[i], receivers[i], codecs=COUNTED, limiter=limiter)
        assert receivers[i].data == expected[i]
        await aload(SlowSender(expected[i]), limiter=limiter)

    with small_chunks(8192), anyio.fail_after(LONG):
        expected = [binpickle.dumps(obj, codecs=COUNTED, threads=1) for obj in objects]
        start(Work(0.001))
        async with anyio.create_task_group() as group:
            for i in range(len(objects)):
                group.start_soon(there_and_back, i)
                group.start_soon(through_streams, i)
    assert 1 <= WORK.most <= tokens
    assert limiter.borrowed_tokens == 0


class Meeting:
    """Takes bytes once all receivers have been called, and not before."""

    waiting_for = 0
    all_here: anyio.Event

    async def send(self, data: bytes) -> None:
        cls = type(self)
        if not cls.all_here.is_set():
            cls.waiting_for -= 1
            if not cls.waiting_for:
                cls.all_here.set()
            await cls.all_here.wait()


@pytest.mark.parametrize("obj", [np.zeros(12 * MIB, np.uint8), Counted(MIB, 20)], ids=["buffers", "while pickling"])
@pytest.mark.parametrize("tokens", [1, 2])
async def test_no_token_while_sending(tokens: int, obj: Any) -> None:
    """Who waits for a receiver has no token: as many dumps as you like get on beside it."""
    limiter = anyio.CapacityLimiter(tokens)
    Meeting.waiting_for, Meeting.all_here = 5, anyio.Event()
    with anyio.fail_after(LONG):
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(partial(adump, obj, Meeting(), codecs=[], limiter=limiter))
    assert WORK.most <= tokens


async def test_no_token_while_receiving(tmp_path: Path) -> None:
    """Who waits for a sender has no token."""
    limiter = anyio.CapacityLimiter(1)

    async def pieces() -> Any:
        for start in range(0, len(data), MIB):
            await aload(tmp_path / "file", limiter=limiter)
            yield data[start : start + MIB]

    data = binpickle.dumps(bytes(20 * MIB), codecs=[])
    binpickle.dump(1, tmp_path / "file")
    with anyio.fail_after(LONG):
        assert await aload(pieces(), limiter=limiter) == bytes(20 * MIB)


async def test_all_tokens_work() -> None:
    """One dump, and one load, use all tokens, as far as there are CPUs."""
    threads = min(3, usable_cpus())
    limiter = anyio.CapacityLimiter(3)
    file = io.BytesIO()
    with small_chunks():
        start(Work(meet=threads))
        await adump(np.zeros(100_000), file, codecs=COUNTED, limiter=limiter)
        assert WORK.most == threads
        start(Work(meet=threads))
        await aload(io.BytesIO(file.getvalue()), limiter=limiter)
    assert WORK.most == threads


async def test_one_limiter_for_all(tmp_path: Path) -> None:
    """By default all calls of an event loop share as many tokens as there are CPUs."""
    start(Work(0.001))
    async with anyio.create_task_group() as group:
        for i in range(100):
            group.start_soon(partial(adump, Counted(10), tmp_path / str(i)))
    assert WORK.most == usable_cpus()


@pytest.mark.parametrize("tokens", [1, 2])
async def test_small_beside_large(tokens: int, tmp_path: Path) -> None:
    """A small dump, or load, waits for some chunks of a large dump, not for its end."""
    limiter = anyio.CapacityLimiter(tokens)
    large = np.zeros(60 * 4096, np.uint8)
    binpickle.dump([1, 2], tmp_path / "small")
    start(Work(0.01))
    done = 0

    async def dump_large() -> None:
        await adump(large, tmp_path / "large", codecs=COUNTED, limiter=limiter)

    with small_chunks():
        async with anyio.create_task_group() as group:
            group.start_soon(dump_large)
            while not WORK.chunks:
                await anyio.sleep(0.001)
            before = WORK.chunks
            await adump([1, 2], tmp_path / "new", limiter=limiter)
            await aload(tmp_path / "small", limiter=limiter)
            done = WORK.chunks - before
    assert WORK.chunks == 61
    assert done < 20


async def test_small_beside_pickling(tmp_path: Path) -> None:
    """As long as one token is not held by a pickler, dumps get on."""
    limiter = anyio.CapacityLimiter(2)
    start(Work(meet=2))
    with anyio.fail_after(LONG):
        async with anyio.create_task_group() as group:
            group.start_soon(partial(adump, Counted(), tmp_path / "slow", limiter=limiter))
            while not WORK.now:
                await anyio.sleep(0.001)
            for i in range(5):
                await adump([i], tmp_path / str(i), limiter=limiter)
            await adump(Counted(), tmp_path / "meets", limiter=limiter)


async def test_tokens_of_others(tmp_path: Path) -> None:
    """A limiter may be shared with other work; what holds all its tokens is waited for."""
    limiter = anyio.CapacityLimiter(1)
    done: list[int] = []

    async def dump(i: int) -> None:
        await adump([i], tmp_path / str(i), limiter=limiter)
        done.append(i)

    async with anyio.create_task_group() as group:
        async with limiter:
            for i in range(3):
                group.start_soon(dump, i)
            await anyio.sleep(0.02)
            assert not done
        with anyio.fail_after(LONG):
            while len(done) < 3:
                await anyio.sleep(0.001)


async def test_changing_tokens(tmp_path: Path) -> None:
    """Tokens that are added or taken away while dumps run count for them."""
    limiter = anyio.CapacityLimiter(4)
    start(Work(0.001))
    with small_chunks():
        async with anyio.create_task_group() as group:
            for i in range(6):
                group.start_soon(partial(adump, np.zeros(10_000), tmp_path / str(i), codecs=COUNTED, limiter=limiter))
            await anyio.sleep(0.01)
            limiter.total_tokens = 1
            while limiter.borrowed_tokens > 1:
                await anyio.sleep(0.001)
            WORK.most = WORK.now
            await anyio.sleep(0.02)
            assert WORK.most <= 1
            limiter.total_tokens = 2
    assert limiter.borrowed_tokens == 0


async def test_unlimited_tokens(tmp_path: Path) -> None:
    """A limiter without a limit is one, too: a call uses as many threads as there are CPUs."""
    start(Work(0.001))
    with small_chunks():
        await adump(np.zeros(50_000), tmp_path / "file", codecs=COUNTED, limiter=anyio.CapacityLimiter(math.inf))
    assert WORK.most <= usable_cpus()


async def test_no_threads_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no helper can be started, the work is done without."""
    begin = threading.Thread.start

    def refuse_helpers(thread: threading.Thread) -> None:
        if thread.name == "binpickle-helper":
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_helpers)
    with small_chunks():
        await adump(np.zeros(50_000), tmp_path / "file", codecs=COUNTED)
        assert (await aload(tmp_path / "file")).nbytes == 400_000
    assert WORK.most == 1


class Measuring:
    """Takes bytes slowly, and notes how much more than it has taken was worked on meanwhile."""

    def __init__(self, chunk: int):
        self.ahead = self.taken = 0
        self._chunk = chunk

    async def send(self, data: bytes) -> None:
        await anyio.sleep(0.02)
        self.ahead = max(self.ahead, WORK.chunks * self._chunk - self.taken)
        self.taken += len(data)


@pytest.mark.parametrize(
    ("obj", "unit"),
    [(np.zeros(80 * MIB, np.uint8), CHUNK), (Counted(MIB, 80), MIB)],
    ids=["buffers", "while pickling"],
)
async def test_send_ahead(obj: Any, unit: int) -> None:
    """No more than a few chunks are worked on ahead of a slow receiver."""
    receiver = Measuring(unit)
    counted = COUNTED if unit == CHUNK else []
    await adump(obj, receiver, codecs=counted, limiter=anyio.CapacityLimiter(2))
    assert receiver.taken > 80 * MIB
    assert receiver.ahead <= 32 * MIB


async def test_memory() -> None:
    """A dump into a slow stream needs memory for a few chunks, whatever the size."""
    obj = np.zeros(100 * MIB, np.uint8)
    receiver = Measuring(0)
    tracemalloc.start()
    try:
        await adump(obj, receiver, codecs=COUNTED, limiter=anyio.CapacityLimiter(2))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert receiver.taken > obj.nbytes
    assert peak < 48 * MIB
