"""Runs async work beside tasks that watch it: they measure how late a 1 ms ticker is, and how many threads work.

Rule: the ticker is an ordinary task of the loop; its delay is the delay that any other task of a server would have.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any, Callable, Coroutine

import anyio
import numpy as np

from .cases import Measured

__all__ = ["run_alone", "run_ticking", "run_watching_threads"]

TICK = 0.001
LOOK = 0.002
WAITING = {"queue.py", "threading.py", "_thread_cache.py"}

Work = Callable[[], Coroutine[Any, Any, Any]]


def run_alone(backend: str, step: str, work: Work) -> Measured:
    """Run work on a fresh loop that has nothing else to do; give its value and its time."""
    value, seconds = anyio.run(_timed, work, backend=backend)
    return Measured(value, {step: seconds})


def run_ticking(backend: str, step: str, work: Work) -> Measured:
    """Run work on a fresh loop beside the ticker; give its value, its time, and the ticker's worst and median delay."""
    delays: list[float] = []

    async def tick() -> None:
        while True:
            due = time.perf_counter() + TICK
            await anyio.sleep(TICK)
            delays.append(time.perf_counter() - due)

    value, seconds = anyio.run(_beside, work, tick, backend=backend)
    metrics: dict[str, float] = {
        step: seconds,
        f"{step} worst delay": max(delays, default=0.0),
        f"{step} median delay": float(np.median(delays or [0.0])),
    }
    return Measured(value, metrics)


def run_watching_threads(backend: str, step: str, work: Work) -> Measured:
    """Run work on a fresh loop; give its value, its time, and the most threads that worked beside the loop's own."""
    seen: list[int] = []

    async def look() -> None:
        while True:
            seen.append(_working())
            await anyio.sleep(LOOK)

    value, seconds = anyio.run(_beside, work, look, backend=backend)
    return Measured(value, {step: seconds, "threads": float(max(seen))})


def _working() -> int:
    """Count the other threads that are at work: in a pool, those with nothing to do wait in one of these modules."""
    frames = sys._current_frames()
    del frames[threading.get_ident()]
    return sum(os.path.basename(frame.f_code.co_filename) not in WAITING for frame in frames.values())


async def _beside(work: Work, watcher: Callable[[], Coroutine[Any, Any, None]]) -> tuple[Any, float]:
    async with anyio.create_task_group() as group:
        group.start_soon(watcher)
        # The watcher must be under way, and past the loop's own start-up, when the clock starts.
        await anyio.sleep(20 * TICK)
        value, seconds = await _timed(work)
        group.cancel_scope.cancel()
    return value, seconds


async def _timed(work: Work) -> tuple[Any, float]:
    start = time.perf_counter()
    value = await work()
    return value, time.perf_counter() - start
