"""Programs whose event loop is stopped in each of the ways that occur, for `test_aio_exits.py`: `exits.py WAY FOLDER`.

Each first dumps and loads a small object. The ways after `idle` are then stopped amid a dump that would take long.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from typing import Any, Callable

import anyio
import anyio.from_thread
import numpy as np

import binpickle

WAY, FOLDER = sys.argv[1:3]
LARGE = np.random.default_rng(0).integers(0, 50, 64 << 20, np.uint8)


class CallsTheLoop:
    """Calls the event loop while it is pickled."""

    def __reduce__(self) -> Any:
        assert anyio.from_thread.run_sync(threading.current_thread) is not threading.current_thread()
        anyio.from_thread.run(anyio.sleep, 0)
        return list, ()


class Stuck:
    """Calls the event loop while it is pickled, and never gets an answer."""

    def __reduce__(self) -> Any:
        anyio.from_thread.run(anyio.sleep, 1000)
        return list, ()


class SlowStream:
    """Takes nothing for a long time."""

    async def send(self, data: bytes) -> None:
        await asyncio.sleep(1000)


async def small() -> None:
    """Use threads, and leave them idle."""
    await binpickle.adump([1, CallsTheLoop()], f"{FOLDER}/small")
    assert await binpickle.aload(f"{FOLDER}/small") == [1, []]


async def large() -> None:
    """Dump for long, in the way that the program was asked for."""
    if WAY == "stuck":
        await binpickle.adump(Stuck(), f"{FOLDER}/file")
    elif WAY == "sending":
        await binpickle.adump([bytes(1 << 20) for _ in range(40)], SlowStream(), codecs=[])
    elif WAY == "queue":
        async with anyio.CapacityLimiter(1) as _:
            limiter = anyio.CapacityLimiter(1)
            await limiter.acquire_on_behalf_of("another")
            await binpickle.adump(LARGE, f"{FOLDER}/file", limiter=limiter)
    elif WAY == "iterating":
        pieces = binpickle.adump_iter([os.urandom(1 << 20) for _ in range(40)])
        await pieces.__anext__()
        await asyncio.sleep(1000)
    elif WAY == "progress":
        await binpickle.adump(LARGE, f"{FOLDER}/file", codecs=["lz4"], progress=lambda done, total: loop.stop())
    else:
        await binpickle.adump(LARGE, f"{FOLDER}/file", codecs=["bz2"])


async def small_and_large(stop: Callable[[], object]) -> None:
    """Use threads, and be stopped amid a dump."""
    await small()
    loop.call_later(0.1, stop)
    await large()
    print("not stopped")


loop = asyncio.new_event_loop()
if WAY == "idle":  # run_forever(); stop(); close(), as Tornado does
    task = loop.create_task(small())
    task.add_done_callback(lambda _: loop.stop())
    loop.run_forever()
    task.result()
    loop.close()
elif WAY == "not closed":
    task = loop.create_task(small_and_large(loop.stop))
    loop.run_forever()
elif WAY == "signal":
    loop.add_signal_handler(signal.SIGTERM, loop.stop)
    task = loop.create_task(small_and_large(lambda: os.kill(os.getpid(), signal.SIGTERM)))
    loop.run_forever()
    loop.close()
elif WAY == "nested":  # as nest_asyncio runs coroutines on a loop that is never run to its end
    task = loop.create_task(small_and_large(loop.stop))
    loop.run_forever()
    loop.run_until_complete(small())
elif WAY == "in a thread":  # a loop that a daemon thread runs to the end of the process
    threading.Thread(target=loop.run_forever, daemon=True).start()
    stopped = threading.Event()
    asyncio.run_coroutine_threadsafe(small_and_large(stopped.set), loop)
    stopped.wait()
elif WAY == "system exit":
    task = loop.create_task(small_and_large(sys.exit))
    loop.run_forever()
else:
    task = loop.create_task(small_and_large(loop.stop))
    loop.run_forever()
    loop.close()
print("end", flush=True)
