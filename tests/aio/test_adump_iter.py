"""`adump_iter`: the bytes of `dumps` in pieces, and nothing left behind, however the iterator ends."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextlib import suppress
from typing import Any, AsyncIterator, Callable, Coroutine

import anyio
import anyio.lowlevel
import numpy as np
import pytest
from common import small_chunks
from stepping import NATIVE_WAYS, WAYS, busy_threads, left_busy

import binpickle
from binpickle import adump_iter

pytestmark = pytest.mark.anyio

MIB = 1 << 20
NOISE = np.random.default_rng(0).bytes(6 * MIB)
# What the iterator stands in when it has given its first piece: the end, chunks of buffers, or pickling.
OBJECTS: dict[str, Any] = {
    "small": {"a": np.arange(3000), "b": "text"},
    "buffers": [np.frombuffer(NOISE, np.uint8), np.arange(3 * MIB)],
    "pickling": [NOISE[:MIB] + bytes([i]) for i in range(24)],
}


async def taken(pieces: AsyncIterator[bytes]) -> list[bytes]:
    """Return all pieces."""
    return [piece async for piece in pieces]


@pytest.mark.parametrize("options", [{}, {"codecs": []}, {"codecs": ["lz4"], "digests": True, "key": bytes(range(32))}])
@pytest.mark.parametrize("name", OBJECTS)
async def test_pieces(name: str, options: dict[str, Any]) -> None:
    """The pieces joined are the bytes of `dumps`; each but the last has 1 MiB, and is of type `bytes`."""
    pieces = await taken(adump_iter(OBJECTS[name], **options))
    assert b"".join(pieces) == binpickle.dumps(OBJECTS[name], **options)
    assert {len(piece) for piece in pieces[:-1]} <= {MIB}
    assert 0 < len(pieces[-1]) <= MIB
    assert {type(piece) for piece in pieces} == {bytes}


async def test_many_at_once() -> None:
    """Many iterators share a limiter, and none stalls another, although none is taken to its end before the others."""
    limiter = anyio.CapacityLimiter(2)
    names = [*OBJECTS, *OBJECTS]
    iterators = [adump_iter(OBJECTS[name], limiter=limiter) for name in names]
    got = [b"" for _ in names]
    going = set(range(len(names)))
    with anyio.fail_after(60):
        while going:
            for i in sorted(going):
                try:
                    got[i] += await iterators[i].__anext__()
                except StopAsyncIteration:
                    going.remove(i)
    assert got == [binpickle.dumps(OBJECTS[name]) for name in names]
    assert limiter.borrowed_tokens == 0


async def test_small_pieces_of_adump() -> None:
    """`adump` gives the `send` of a stream no more than 1 MiB at once, either."""
    sizes = []

    class Stream:
        async def send(self, data: bytes) -> None:
            await anyio.lowlevel.checkpoint()
            sizes.append(len(data))

    for obj in OBJECTS.values():
        await binpickle.adump(obj, Stream(), codecs=[])
    assert max(sizes) == MIB


async def test_nothing_before_the_first() -> None:
    """An iterator that is never awaited pickles nothing, and may be made outside of an event loop."""

    class Fails:
        def __reduce__(self) -> Any:
            raise LookupError

    iterator = adump_iter(Fails())
    await iterator.aclose()
    assert await taken(iterator) == []
    with pytest.raises(LookupError):
        await adump_iter(Fails()).__anext__()


@pytest.mark.parametrize(
    "wrong", [{"limiter": 3}, {"codecs": 7}, {"key": b"short"}, {"metadata": {"a": 1}}, {"pickler": int}]
)
def test_arguments(wrong: dict[str, Any]) -> None:
    """Wrong arguments are refused at once."""
    with pytest.raises((TypeError, ValueError)):
        adump_iter(1, **wrong)


async def test_progress() -> None:
    """`progress` is called on the event loop, and comes to the total."""
    calls: list[tuple[int, int | None]] = []

    def progress(done: int, total: int | None) -> None:
        assert threading.current_thread() is threading.main_thread()
        calls.append((done, total))

    await taken(adump_iter(OBJECTS["buffers"], progress=progress))
    assert calls[-1][0] == calls[-1][1]
    with pytest.raises(TypeError, match="plain function"):
        adump_iter(1, progress=anyio.sleep)  # type: ignore[arg-type]


async def test_back_pressure() -> None:
    """While no piece is awaited, no more than some chunks are worked on, and no thread works for long."""
    pickled = 0

    class Counted:
        def __reduce__(self) -> Any:
            nonlocal pickled
            pickled += 1
            return bytes, (NOISE[:MIB] + bytes([pickled]),)

    limiter = anyio.CapacityLimiter(2)
    iterator = adump_iter([Counted() for _ in range(60)], codecs=[], limiter=limiter)
    await iterator.__anext__()
    await anyio.sleep(0.1)
    assert pickled <= 20
    assert limiter.borrowed_tokens == 0
    assert len(await taken(iterator)) >= 59


async def test_two_tasks() -> None:
    """A second task that awaits the iterator meanwhile is told so, and the first one is not disturbed."""
    iterator = adump_iter(OBJECTS["buffers"])
    errors: list[BaseException] = []

    async def disturb() -> None:
        for call in (iterator.__anext__, iterator.aclose):
            try:
                await call()
            except RuntimeError as error:
                errors.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(disturb)
        pieces = await taken(iterator)
    if errors:  # unless the disturbing task came first or last
        assert "another task" in str(errors[0])
        assert b"".join(pieces) == binpickle.dumps(OBJECTS["buffers"])


# Endings: each leaves the iterator after its first piece.


async def broken_out_of(pieces: Any) -> None:
    async for _ in pieces:
        break


async def closed(pieces: Any) -> None:
    await pieces.__anext__()
    await pieces.aclose()
    assert await taken(pieces) == []
    await pieces.aclose()


async def closed_in_a_cancelled_scope(pieces: Any) -> None:
    await pieces.__anext__()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await pieces.aclose()
    assert await taken(pieces) == []


async def consumer_fails(pieces: Any) -> None:
    with suppress(LookupError):
        async for _ in pieces:
            raise LookupError


async def consumer_cancelled(pieces: Any) -> None:
    with anyio.move_on_after(0.02):
        async for _ in pieces:
            await anyio.sleep(60)


async def cancelled_while_awaited(pieces: Any) -> None:
    await pieces.__anext__()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await taken(pieces)
    assert await taken(pieces) == []


ENDINGS = [
    broken_out_of,
    closed,
    closed_in_a_cancelled_scope,
    consumer_fails,
    consumer_cancelled,
    cancelled_while_awaited,
]


async def check_nothing_left(limiter: anyio.CapacityLimiter) -> None:
    """Check that no thread works, within a moment, and that the tokens are there again."""
    gc.collect()
    with anyio.fail_after(5):
        while busy_threads() or limiter.borrowed_tokens:
            await anyio.sleep(0.001)
    assert limiter.statistics().tasks_waiting == 0


@pytest.mark.parametrize("end", ENDINGS)
@pytest.mark.parametrize("name", OBJECTS)
async def test_endings(name: str, end: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    """An iterator that is left early leaves no thread and no token."""
    limiter = anyio.CapacityLimiter(2)
    with small_chunks(65536):
        await end(adump_iter(OBJECTS[name], codecs=["lz4"], limiter=limiter))
        await check_nothing_left(limiter)
        assert await taken(adump_iter(1, limiter=limiter))


@pytest.mark.parametrize("name", OBJECTS)
async def test_every_suspension(name: str, anyio_backend_name: str) -> None:
    """Cancelled anywhere, once or twice, an iterator leaves nothing."""
    limiter = anyio.CapacityLimiter(2)
    for way in WAYS + NATIVE_WAYS * (anyio_backend_name == "asyncio"):
        n, done = 0, False
        while not done:
            with anyio.fail_after(20):
                outcome = await way.run(taken(adump_iter(OBJECTS[name], limiter=limiter, codecs=[])), n)
            assert outcome.error is None
            assert left_busy() == []
            assert limiter.borrowed_tokens == 0
            n, done = n + 1, outcome.done and outcome.suspensions < n + 1


@pytest.mark.parametrize("name", OBJECTS)
def test_loop_closed(name: str, anyio_backend_name: str) -> None:
    """An iterator that outlives its event loop leaves nothing when it is dropped."""
    kept: list[Any] = []

    async def main() -> None:
        kept.append(adump_iter(OBJECTS[name]))
        await kept[0].__anext__()

    anyio.run(main, backend=anyio_backend_name)
    kept.clear()
    gc.collect()
    assert left_busy() == []


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_task_destroyed() -> None:
    """A task that is destroyed while it awaits a piece leaves nothing."""
    limiter = anyio.CapacityLimiter(2)
    coroutine = taken(adump_iter(OBJECTS["buffers"], limiter=limiter))
    coroutine.send(None)
    coroutine.close()
    await check_nothing_left(limiter)


async def test_object_is_let_go() -> None:
    """An iterator that has ended keeps nothing of the object."""
    gone = threading.Event()

    class Noticed(list):
        def __reduce__(self) -> Any:
            return list, ()

        def __del__(self) -> None:
            gone.set()

    iterator = adump_iter([Noticed()])
    await taken(iterator)
    gc.collect()
    assert gone.is_set()
    assert await taken(iterator) == []


def test_plain_asyncio() -> None:
    """The iterator needs nothing of anyio around it."""
    assert b"".join(asyncio.run(taken(adump_iter([1])))) == binpickle.dumps([1])
