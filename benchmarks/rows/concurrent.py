"""Row 12: many dumps at once on one event loop, against a loop of `dump` and against `dump` in worker threads.

Rule: the concurrent contenders share one limiter with as many tokens as there are CPUs.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

import binpickle

from ..cases import KIB, MIB, Case, Contender, Measured, Scale, amount, ratio, worst
from ..objects import walk
from ..ticker import run_watching_threads

__all__ = ["cases"]

BACKENDS = ("asyncio", "trio")
ONE, THREADS = "loop of dump, 1 thread", "to_thread.run_sync(dump)"
TOKENS = len(os.sched_getaffinity(0))


def cases(scale: Scale) -> list[Case]:
    """Declare the cases of row 12."""
    large, small = scale.pick(64, 32), scale.pick(2000, 1000)
    rounds = scale.pick(11, 3)
    return [
        case(f"{large} dumps of 8 MiB, auto", large, 8 * MIB, {}, {ONE: 1 / 1.75}, rounds),
        case(f"{large} dumps of 8 MiB, raw", large, 8 * MIB, {"codecs": []}, {THREADS: 1.0}, rounds),
        case(f"{small} dumps of 10 KiB", small, 10 * KIB, {}, {THREADS: 1.2}, rounds),
    ]


def case(name: str, count: int, size: int, arguments: dict[str, Any], claims: dict[str, float], rounds: int) -> Case:
    """Declare one case of row 12: `count` objects of `size` bytes, and what is claimed against which peer."""
    ways = {THREADS: ("asyncio", in_thread), "asyncio": ("asyncio", directly), "trio": ("trio", directly)}
    return Case(
        row="12",
        name=name,
        make=partial(copies, size),
        size=count,
        contenders=(
            Contender(ONE, partial(one_by_one, arguments), load_all),
            *(Contender(way, partial(at_once, *ways[way], arguments), load_all) for way in ways),
        ),
        steps=("dump",),
        rounds=rounds,
        targets=tuple(
            target
            for way in BACKENDS
            for target in (
                ratio("dump", way, ONE, claims.get(ONE)),
                ratio("dump", way, THREADS, claims.get(THREADS)),
                worst("threads", way, TOKENS),
                amount("dump memory", way),
            )
        ),
    )


def copies(size: int, count: int) -> list[Any]:
    """Make `count` different arrays of `size` bytes."""
    base = walk(size)
    return [base + start for start in range(count)]


def one_by_one(arguments: dict[str, Any], objects: list[Any], folder: str) -> None:
    """Dump each object in turn, in this thread."""
    os.mkdir(folder)
    for index, obj in enumerate(objects):
        binpickle.dump(obj, f"{folder}/{index}", threads=1, **arguments)


def at_once(backend: str, dump: Any, arguments: dict[str, Any], objects: list[Any], folder: str) -> Measured:
    """Dump all objects concurrently on a fresh loop."""

    async def work() -> None:
        limiter = anyio.CapacityLimiter(TOKENS)
        async with anyio.create_task_group() as group:
            for index, obj in enumerate(objects):
                group.start_soon(partial(dump, obj, f"{folder}/{index}", limiter=limiter, **arguments))

    os.mkdir(folder)
    return run_watching_threads(backend, "dump", work)


async def directly(obj: Any, path: str, **arguments: Any) -> None:
    """Dump with BinPickle's own async function."""
    await binpickle.adump(obj, path, **arguments)


async def in_thread(obj: Any, path: str, limiter: anyio.CapacityLimiter, **arguments: Any) -> None:
    """Dump in a worker thread."""
    await anyio.to_thread.run_sync(partial(binpickle.dump, obj, path, threads=1, **arguments), limiter=limiter)


def load_all(folder: str) -> list[Any]:
    """Load what a contender wrote."""
    return [binpickle.load(f"{folder}/{index}") for index in range(len(os.listdir(folder)))]
