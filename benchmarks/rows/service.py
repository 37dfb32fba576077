"""Row "service": how long requests wait at a service that writes checkpoints while it answers.

Rule: 200 requests a second are due at fixed moments, and each takes a short turn of the event loop. Its delay counts
from the moment at which it was due, so that a loop that stands still counts for every request that came meanwhile. The
checkpoints are written one after the other, over the last one.
"""

from __future__ import annotations

import os
import pickle
import time
from functools import partial
from importlib.util import find_spec
from typing import Any, Callable, Coroutine

import anyio
import anyio.to_thread
import numpy as np

import binpickle

from ..cases import MIB, Case, Contender, Measured, Scale, amount, worst
from ..objects import several

__all__ = ["cases"]

PERIOD = 1 / 200
WORK = 0.0002  # seconds that an answer takes
SECONDS = 10.0
CORES = len(os.sched_getaffinity(0))

Write = Callable[[Any, str], Coroutine[Any, Any, None]]


def cases(scale: Scale) -> list[Case]:
    """Declare the case of the row."""
    ways: dict[str, Write] = {
        "no checkpoints": rest,
        "adump": partial(dump, CORES),
        "adump, cores - 1 tokens": partial(dump, max(1, CORES - 1)),
        "adump, codecs=[]": partial(dump, CORES, codecs=[]),
        "pickle in a thread": in_thread,
        "pickle and aiofiles": through_aiofiles,
    }
    if find_spec("aiofiles") is None:
        del ways["pickle and aiofiles"]
    return [
        Case(
            row="service",
            name="200 requests a second beside checkpoints of 200 MB",
            make=several,
            size=scale.pick(200, 50) * MIB,
            contenders=tuple(Contender(name, partial(serve, way), load) for name, way in ways.items()),
            steps=("dump",),
            rounds=scale.pick(5, 2),
            targets=tuple(
                target
                for name in ways
                for target in (
                    amount("dump p50 delay", name),
                    amount("dump p99 delay", name),
                    worst("dump worst delay", name),
                )
            ),
        )
    ]


def serve(write: Write, obj: Any, path: str) -> Measured:
    """Answer requests for some seconds beside checkpoints; give their delays, and the time that a checkpoint takes."""
    return anyio.run(_serve, write, obj, path)


async def _serve(write: Write, obj: Any, path: str) -> Measured:
    delays: list[float] = []
    written = 0
    await write(obj, path)
    begin = time.perf_counter()

    async def checkpoints() -> None:
        nonlocal written
        while True:
            await write(obj, path)
            written += 1

    async with anyio.create_task_group() as group:
        group.start_soon(checkpoints)
        for number in range(int(SECONDS / PERIOD)):
            due = begin + number * PERIOD
            await anyio.sleep(max(0.0, due - time.perf_counter()))
            _answer()
            delays.append(time.perf_counter() - due - WORK)
        seconds = time.perf_counter() - begin
        group.cancel_scope.cancel()
    p50, p99 = np.percentile(delays, [50, 99])
    metrics = {"dump p50 delay": float(p50), "dump p99 delay": float(p99), "dump worst delay": max(delays)}
    return Measured(None, {"dump": seconds / max(written, 1), **metrics})


def _answer() -> None:
    end = time.perf_counter() + WORK
    while time.perf_counter() < end:
        pass


async def rest(obj: Any, path: str) -> None:
    """Write a file at first, and then nothing."""
    if not os.path.exists(path):
        await binpickle.adump(obj, path)
    await anyio.sleep(1)


async def dump(tokens: int, obj: Any, path: str, **options: Any) -> None:
    """Write a checkpoint with `adump`."""
    await binpickle.adump(obj, path, limiter=anyio.CapacityLimiter(tokens), **options)


async def in_thread(obj: Any, path: str) -> None:
    """Write a checkpoint with pickle in a worker thread, and put it in place of the last one as safely as `adump`."""
    await anyio.to_thread.run_sync(_pickle, obj, path)


def _pickle(obj: Any, path: str) -> None:
    with open(f"{path}.new", "wb") as file:
        pickle.dump(obj, file, protocol=5)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)


async def through_aiofiles(obj: Any, path: str) -> None:
    """Write a checkpoint with aiofiles, as its documentation does."""
    import aiofiles

    data = pickle.dumps(obj, protocol=5)
    async with aiofiles.open(f"{path}.new", "wb") as file:
        await file.write(data)
        await file.flush()
        await anyio.to_thread.run_sync(os.fsync, file.fileno())
    os.replace(f"{path}.new", path)


def load(path: str) -> Any:
    """Load a checkpoint of any contender."""
    with open(path, "rb") as file:
        if file.read(4) == b"BPCK":
            return binpickle.load(path)
        file.seek(0)
        return pickle.load(file)
