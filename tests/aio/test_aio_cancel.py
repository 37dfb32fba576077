"""Cancelling `adump` and `aload` at every suspension point: old or new file, and nothing left behind.

Each scenario is run once for each of its suspension points, and cancelled there, on each event loop, in each way.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Callable, Coroutine

import anyio
import anyio.from_thread
import anyio.lowlevel
import numpy as np
import pytest
from numcodecs.abc import Codec
from stepping import NATIVE_WAYS, WAYS, Stepped, Way, descriptors, left_busy

import binpickle
from binpickle import adump, aload, astage

pytestmark = pytest.mark.anyio

OLD = binpickle.dumps("the old object")
SMALL = {"numbers": np.arange(1000), "words": ["a", "b"]}
# Three chunks, which helpers encode; quick ones.
LARGE = np.zeros(9 << 20, np.uint8)
# Staged by several threads.
SEVERAL = [LARGE] * 2 + [LARGE[n:].copy() for n in range(3)]
STAGED = binpickle.stage(LARGE)
# More than may wait for a slow receiver, or for room in memory, all of it in the pickle stream.
STREAM = [bytes(1 << 20) for _ in range(19)]
NEW_SMALL, NEW_LARGE = binpickle.dumps(SMALL), binpickle.dumps(LARGE, codecs=["lz4"])
NEW_STREAM = binpickle.dumps(STREAM, codecs=[])

Run = Callable[[Path, anyio.CapacityLimiter], Coroutine[Any, Any, Any]]


class Receiver:
    """Takes bytes, and lets other tasks run at each call."""

    def __init__(self) -> None:
        self.got = b""

    async def send(self, data: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        self.got += data


class Sender:
    """Gives bytes in pieces, and lets other tasks run at each call."""

    def __init__(self, data: bytes, piece: int):
        self._pieces = iter([data[start : start + piece] for start in range(0, len(data), piece)])

    async def receive(self) -> bytes:
        await anyio.lowlevel.checkpoint()
        for piece in self._pieces:
            return piece
        raise anyio.EndOfStream


async def beside_another(run: Run, folder: Path, limiter: anyio.CapacityLimiter) -> None:
    """Run while another call waits for the same tokens all the time."""
    again = True

    async def others() -> None:
        while again:
            await adump(SMALL, Receiver(), limiter=limiter)

    async with anyio.create_task_group() as group:
        group.start_soon(others)
        await anyio.lowlevel.checkpoint()
        try:
            await run(folder, limiter)
        finally:
            again = False


def dumping(obj: Any, **arguments: Any) -> Run:
    return lambda folder, limiter: adump(obj, folder / "file", limiter=limiter, **arguments)


def sending(obj: Any) -> Run:
    return lambda folder, limiter: adump(obj, Receiver(), limiter=limiter, codecs=[])


def receiving(data: bytes, piece: int) -> Run:
    return lambda folder, limiter: aload(Sender(data, piece), limiter=limiter)


# What to run, and what `file` then holds; `None`: what it held before.
SCENARIOS: dict[str, tuple[Run, bytes | None]] = {
    "dump": (dumping(SMALL), NEW_SMALL),
    "dump durably": (dumping(SMALL, durable=True), NEW_SMALL),
    "dump several chunks": (dumping(LARGE, codecs=["lz4"]), NEW_LARGE),
    "dump with progress": (dumping(LARGE, codecs=["lz4"], progress=lambda *_: None), NEW_LARGE),
    "dump while others wait": (lambda *args: beside_another(dumping(LARGE, codecs=["lz4"]), *args), NEW_LARGE),
    "send": (sending(SMALL), None),
    "send several chunks": (sending(LARGE), None),
    "send while others wait": (lambda *args: beside_another(sending(LARGE), *args), None),
    "send while pickling": (sending(STREAM), None),
    "stage": (lambda folder, limiter: astage(SEVERAL, limiter=limiter), None),
    "stage while others wait": (
        lambda *args: beside_another(lambda folder, limiter: astage(SEVERAL, limiter=limiter), *args),
        None,
    ),
    "dump a staged object": (dumping(STAGED, codecs=["lz4"]), NEW_LARGE),
    "load": (lambda folder, limiter: aload(folder / "file", limiter=limiter), None),
    "map": (lambda folder, limiter: aload(folder / "mappable", mmap_mode="r", limiter=limiter), None),
    "load several chunks": (lambda folder, limiter: aload(folder / "large", limiter=limiter), None),
    "load while others wait": (
        lambda *args: beside_another(lambda folder, limiter: aload(folder / "large", limiter=limiter), *args),
        None,
    ),
    "receive": (receiving(NEW_SMALL, 64), None),
    "receive to a file": (receiving(NEW_STREAM, 3 << 20), None),
    "receive while others wait": (lambda *args: beside_another(receiving(NEW_STREAM, 9 << 20), *args), None),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an old file to be replaced, and two files of several chunks."""
    (tmp_path / "file").write_bytes(OLD)
    (tmp_path / "large").write_bytes(NEW_LARGE)
    (tmp_path / "mappable").write_bytes(binpickle.dumps(LARGE, mappable=True))
    return tmp_path


async def check_nothing_left(folder: Path, limiter: anyio.CapacityLimiter, opened: int, allowed: set[bytes]) -> None:
    """Check what must hold after every end of a call, and that another call works."""
    assert sorted(path.name for path in folder.iterdir()) == ["file", "large", "mappable"]
    assert (folder / "file").read_bytes() in allowed
    assert limiter.borrowed_tokens == 0
    assert limiter.statistics().tasks_waiting == 0
    assert left_busy() == []
    assert descriptors() == opened
    with anyio.fail_after(5):
        assert await aload(folder / "file", limiter=limiter) is not None


async def cancel_everywhere(way: Way, scenario: str, folder: Path) -> None:
    run, new = SCENARIOS[scenario]
    limiter = anyio.CapacityLimiter(1 if "others" in scenario else 2)
    await aload(folder / "file", limiter=limiter)  # what the event loop opens for its first thread is open now
    opened = descriptors()
    n = ends = 0
    while ends < 2:  # the suspensions vary by one or two, as helpers come in time or not
        (folder / "file").write_bytes(OLD)
        with anyio.fail_after(20):
            outcome = await way.run(run(folder, limiter), n)
        assert outcome.error is None, (way.name, n)
        await check_nothing_left(folder, limiter, opened, {new or OLD} if outcome.done else {OLD, new or OLD})
        n += 1
        ends += outcome.done and outcome.suspensions < n
    assert n > 1


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_every_suspension(scenario: str, folder: Path, anyio_backend_name: str) -> None:
    """Cancelled anywhere, once or twice, a call leaves the old file or the new one, and nothing else."""
    for way in WAYS + NATIVE_WAYS * (anyio_backend_name == "asyncio"):
        await cancel_everywhere(way, scenario, folder)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("scenario", ["dump several chunks", "send several chunks", "receive to a file"])
async def test_closed(scenario: str, folder: Path) -> None:
    """A coroutine that is closed, as when its event loop goes away, stops its threads, and they clean up."""
    run, new = SCENARIOS[scenario]
    limiter = anyio.CapacityLimiter(2)
    await aload(folder / "file", limiter=limiter)
    opened, n, done = descriptors(), 0, False
    while not done:
        coroutine = run(folder, limiter)
        stepped = Stepped(coroutine, {n: lambda _, coroutine=coroutine: coroutine.close()})
        with suppress(RuntimeError):  # who sends to a closed coroutine is told so
            await stepped
            done = True
        with anyio.fail_after(5):
            while left_busy(0) or limiter.borrowed_tokens:
                await anyio.sleep(0.001)
        await check_nothing_left(folder, limiter, opened, {OLD, new or OLD})
        n += 1
    assert n > 1


class Gate:
    """A place in worker threads where they stand until the test opens it."""

    def __init__(self) -> None:
        self.visits = self.standing = 0
        self._arrived, self._opened = threading.Event(), threading.Event()

    def open(self) -> None:
        self._opened.set()

    def pass_through(self) -> None:
        self.visits += 1
        self.standing += 1
        self._arrived.set()
        assert self._opened.wait(10)
        self.standing -= 1

    async def cancel_there(self, run: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine, cancel it when a thread is at the gate, and see that it waits for the thread."""
        ended = False

        async def cancel() -> None:
            while not self._arrived.is_set():
                await anyio.sleep(0.001)
            scope.cancel()
            for _ in range(20):
                await anyio.sleep(0.001)
                assert not ended
            self.open()

        async with anyio.create_task_group() as group:
            group.start_soon(cancel)
            with anyio.CancelScope() as scope:
                await run
            ended = True
        assert self.standing == 0


GATE = Gate()


class GatedCodec(Codec):
    """Passes through the gate before it encodes or decodes; what it gives is what it gets."""

    codec_id = "gated-for-cancel"

    def encode(self, buf: Any) -> Any:
        GATE.pass_through()
        return bytes(buf)

    def decode(self, buf: Any, out: Any = None) -> Any:
        GATE.pass_through()
        return bytes(buf)


binpickle.register_codec(GatedCodec)


class Gated:
    """Passes through the gate when it is pickled or unpickled."""

    def __reduce__(self) -> Any:
        GATE.pass_through()
        return pass_through, ()


def pass_through() -> str:
    GATE.pass_through()
    return "the old object"


def closed_gate() -> Gate:
    """Make a new gate, at which threads will stand."""
    global GATE
    GATE = Gate()
    return GATE


@pytest.fixture
async def limiter() -> anyio.CapacityLimiter:
    """Two tokens."""
    return anyio.CapacityLimiter(2)


MANY_CHUNKS = np.zeros(40 << 20, np.uint8)
PICKLED = [Gated(), *STREAM]


@pytest.mark.parametrize(
    ("run", "most"),
    [
        pytest.param(dumping(PICKLED), 1, id="pickling"),
        pytest.param(dumping(MANY_CHUNKS, codecs=[GatedCodec()]), 2, id="encoding"),
        pytest.param(lambda *_: adump(PICKLED, Receiver()), 1, id="pickling to a stream"),
        pytest.param(lambda *_: adump(MANY_CHUNKS, Receiver(), codecs=[GatedCodec()]), 2, id="encoding to a stream"),
        pytest.param(lambda folder, _: aload(folder / "gated"), 2, id="decoding"),
        pytest.param(lambda folder, _: aload(folder / "pickled"), 1, id="unpickling"),
    ],
)
async def test_within_one_chunk(run: Run, most: int, tmp_path: Path, limiter: anyio.CapacityLimiter) -> None:
    """A cancelled call waits for the chunks that threads have in hand, and no thread begins another."""
    closed_gate().open()
    binpickle.dump(MANY_CHUNKS, tmp_path / "gated", codecs=[GatedCodec()])
    binpickle.dump(Gated(), tmp_path / "pickled")
    gate = closed_gate()
    await gate.cancel_there(run(tmp_path, limiter))
    assert 1 <= gate.visits <= most
    assert left_busy() == []
    assert {path.name for path in tmp_path.iterdir()} == {"gated", "pickled"}


@pytest.mark.parametrize("call", ["fsync", "replace", "link", "writev"])
async def test_in_system_call(
    call: str, folder: Path, limiter: anyio.CapacityLimiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the file is being put in place, that is finished: name, and sync of the folder."""
    gate, calls = closed_gate(), []
    for name in ("fsync", "replace", "link", "writev"):
        monkeypatch.setattr(os, name, recorded(name, getattr(os, name), calls, gate if name == call else None))
    target = folder / ("new" if call == "link" else "file")
    await gate.cancel_there(adump(SMALL, target, durable=True, exclusive=call == "link", limiter=limiter))
    monkeypatch.undo()
    if call != "writev":
        assert target.read_bytes() == NEW_SMALL
        assert calls[-1] == "fsync"
    assert {path.name for path in folder.iterdir()} == {"file", "large", "mappable", target.name}
    assert (folder / "file").read_bytes() in (OLD, NEW_SMALL)


def recorded(name: str, function: Callable[..., Any], calls: list[str], gate: Gate | None) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if gate is not None:
            gate.pass_through()
        calls.append(name)
        return function(*args, **kwargs)

    return wrapper


class Refuser:
    """Waits for ever, and fails when it is interrupted."""

    async def send(self, data: bytes) -> None:
        try:
            await anyio.sleep(60)
        except BaseException:
            raise ConnectionResetError from None

    receive = send


@pytest.mark.parametrize("obj", [SMALL, LARGE, STREAM], ids=["small", "several chunks", "while pickling"])
async def test_error_while_sending(obj: Any, folder: Path, limiter: anyio.CapacityLimiter) -> None:
    """The error that a cancelled `send` raises comes out, or the cancellation does, and nothing is left."""
    opened = descriptors()
    with anyio.move_on_after(0.05) as scope, suppress(ConnectionResetError):
        await adump(obj, Refuser(), codecs=[], limiter=limiter)
    assert scope.cancel_called
    await check_nothing_left(folder, limiter, opened, {OLD})


class FailsWhenPickled:
    """Cancels a call while it is pickled by it, and fails, too."""

    def __init__(self, cancel: Callable[[], object]):
        self._cancel = cancel

    def __reduce__(self) -> Any:
        anyio.from_thread.run_sync(self._cancel)
        raise LookupError


async def test_error_while_pickling(folder: Path, limiter: anyio.CapacityLimiter) -> None:
    """An error of the object's own does not undo a cancellation that came before it."""
    opened = descriptors()
    with anyio.CancelScope() as scope:
        await adump(FailsWhenPickled(scope.cancel), folder / "file", limiter=limiter)
    assert scope.cancel_called
    await check_nothing_left(folder, limiter, opened, {OLD})


@pytest.mark.parametrize("fails", [False, True])
async def test_cancelled_by_progress(fails: bool, folder: Path, limiter: anyio.CapacityLimiter) -> None:
    """`progress` may cancel the call that calls it, and fail, too."""
    opened = descriptors()

    def progress(done: int, total: int | None) -> None:
        scope.cancel()
        if fails:
            raise LookupError

    with anyio.CancelScope() as scope:
        await adump(LARGE, folder / "file", codecs=["lz4"], progress=progress, limiter=limiter)
        pytest.fail("not cancelled")
    # The thread may come to the end before the event loop tells it of the cancellation.
    await check_nothing_left(folder, limiter, opened, {OLD} if fails else {OLD, NEW_LARGE})


async def test_timeout(folder: Path, limiter: anyio.CapacityLimiter) -> None:
    """A timeout is a `TimeoutError`, as for anything else."""
    opened = descriptors()
    with pytest.raises(TimeoutError), anyio.fail_after(0.05):
        await adump(STREAM, Patient(), limiter=limiter, codecs=[])
    await check_nothing_left(folder, limiter, opened, {OLD})


class Patient:
    """Takes nothing for a long time."""

    async def send(self, data: bytes) -> None:
        await anyio.sleep(60)


async def test_failure_beside(folder: Path, limiter: anyio.CapacityLimiter) -> None:
    """When another task of the group fails, calls end, and add no error of their own."""
    opened = descriptors()

    async def fail() -> None:
        await anyio.sleep(0.02)
        raise LookupError("beside")

    errors: list[BaseException] = []
    try:
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(partial(adump, STREAM, Patient(), limiter=limiter, codecs=[]))
            group.start_soon(fail)
    except BaseException as error:  # anyio 4 makes a group of it
        errors.extend(getattr(error, "exceptions", [error]))
    assert [type(error) for error in errors] == [LookupError]
    await check_nothing_left(folder, limiter, opened, {OLD})


INTERRUPTED = """
import os, signal, sys, anyio, binpickle

class Interrupts:
    def __reduce__(self):
        os.kill(os.getpid(), signal.SIGINT)
        return list, ()

async def main():
    try:
        await binpickle.adump([Interrupts(), *(bytes(1 << 20) for _ in range(400))], sys.argv[1], codecs=["bz2"])
    finally:
        print(sorted(os.listdir(os.path.dirname(sys.argv[1]))))

anyio.run(main, backend=sys.argv[2])
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c(folder: Path, anyio_backend_name: str) -> None:
    """Ctrl-C leaves the old file and nothing else, soon, and ends the program as it always does."""
    command = [sys.executable, "-W", "ignore", "-c", INTERRUPTED, str(folder / "file"), anyio_backend_name]
    ended = subprocess.run(command, capture_output=True, timeout=60)
    assert ended.stdout.split() == [b"['file',", b"'large',", b"'mappable']"]
    assert ended.stderr.strip().endswith(b"KeyboardInterrupt")
    assert (folder / "file").read_bytes() == OLD
