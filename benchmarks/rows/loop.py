"""Row 11: how much `adump` and `aload` delay an event loop, on asyncio and Trio.

Rule: the same work by `dump` and `load` in this thread is the base for time, that of `adump` and `aload` on a loop that
has nothing else to do. Delays are those of a ticker in further calls, whose times are shown, too: on two processors
that are both at work every tick takes its share. `dump` in one worker thread, without BinPickle's async half, shows
what the interpreter and this machine do to a ticker anyway.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import anyio.to_thread

import binpickle

from ..cases import MIB, Case, Contender, Measured, Scale, amount, ratio, worst
from ..contenders import ours
from ..objects import numbers, several
from ..ticker import run_alone, run_ticking

__all__ = ["cases"]

MODES: dict[str, dict[str, Any]] = {"raw": {"codecs": []}, "auto": {}, "mappable": {"mappable": True}}
BACKENDS = ("asyncio", "trio")
BASE, THREAD = "dump / load", "dump in a thread, ticker"
TICKING = {backend: f"{backend}, ticker" for backend in BACKENDS}

# The slow stream takes this many bytes a second.
SLOW = 256 * MIB


def cases(scale: Scale) -> list[Case]:
    """Declare the cases of row 11."""
    size = scale.pick(512, 256) * MIB
    return [
        *(beside_ticker(mode, size, scale.pick(11, 3)) for mode in MODES),
        slow_stream(scale.pick(1024, 256) * MIB, scale.pick(3, 1)),
        plain("2000000 distinct strings", numbers, 2_000_000),
        plain("one string of 100 MB", lambda size: "x" * size, 100_000_000),
    ]


def beside_ticker(mode: str, size: int, rounds: int) -> Case:
    """Declare one way of writing and reading `size` bytes of arrays beside the ticker."""
    arguments = MODES[mode]
    return Case(
        row="11",
        name=f"{size // MIB} MiB of arrays, {mode}",
        make=several,
        size=size,
        contenders=(
            ours(BASE, **arguments),
            *(asynchronous(backend, arguments) for backend in BACKENDS),
            *(asynchronous(backend, arguments, ticking=True) for backend in BACKENDS),
            in_thread(arguments),
        ),
        rounds=rounds,
        targets=tuple(
            target
            for step in ("dump", "load")
            for way in BACKENDS
            for target in (
                ratio(step, way, BASE, 1.1),
                ratio(step, TICKING[way], BASE),
                amount(f"{step} worst delay", TICKING[way], 0.006),
                worst(f"{step} worst delay", TICKING[way], 0.025),
            )
        )
        + tuple(worst(f"{step} worst delay", THREAD) for step in ("dump", "load")),
    )


def asynchronous(backend: str, arguments: dict[str, Any], ticking: bool = False) -> Contender:
    """Make a contender of `adump` and `aload` on one backend, alone or with the ticker running."""
    run = run_ticking if ticking else run_alone

    def dump(obj: Any, path: str) -> Measured:
        return run(backend, "dump", partial(binpickle.adump, obj, path, **arguments))

    def load(path: str) -> Measured:
        return run(backend, "load", partial(binpickle.aload, path))

    return Contender(TICKING[backend] if ticking else backend, dump, load)


def in_thread(arguments: dict[str, Any]) -> Contender:
    """Make a contender of `dump` and `load` in one worker thread of asyncio, with the ticker running."""
    run = anyio.to_thread.run_sync

    def dump(obj: Any, path: str) -> Measured:
        return run_ticking("asyncio", "dump", partial(run, partial(binpickle.dump, obj, path, **arguments)))

    def load(path: str) -> Measured:
        return run_ticking("asyncio", "load", partial(run, binpickle.load, path))

    return Contender(THREAD, dump, load)


class SlowStream:
    """A byte stream that takes `SLOW` bytes a second, into a file so that they can be read back."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 -- closed by aclose

    async def send(self, item: bytes) -> None:
        """Take a piece, and as long for it as a slow line would."""
        self._file.write(item)
        await anyio.sleep(len(item) / SLOW)

    async def aclose(self) -> None:
        """Close the file."""
        self._file.close()


async def _dump_slowly(obj: Any, path: str) -> None:
    stream = SlowStream(path)
    try:
        await binpickle.adump(obj, stream)
    finally:
        await stream.aclose()


def slow_stream(size: int, rounds: int) -> Case:
    """Declare a compressing dump into a slow stream: the memory of chunks in flight must stay bounded."""
    ways = tuple(Contender(backend, partial(_run_slowly, backend), _load, steps=("dump",)) for backend in BACKENDS)
    return Case(
        row="11",
        name=f"{size // MIB} MiB into a slow stream",
        make=several,
        size=size,
        contenders=ways,
        rounds=rounds,
        targets=(
            *(amount("dump memory", way, 32 * MIB) for way in BACKENDS),
            *(worst("dump worst delay", way, 0.025) for way in BACKENDS),
        ),
    )


def _run_slowly(backend: str, obj: Any, path: str) -> Measured:
    return run_ticking(backend, "dump", partial(_dump_slowly, obj, path))


def _load(path: str) -> Any:
    return binpickle.load(path)


def plain(name: str, make: Any, size: int) -> Case:
    """Declare an object that stalls the loop inside the C code of pickle. The row is shown, and has no target."""
    return Case(
        row="11",
        name=name,
        make=make,
        size=size,
        contenders=(asynchronous("asyncio", {}, ticking=True),),
        rounds=1,
        targets=tuple(worst(f"{step} worst delay", TICKING["asyncio"]) for step in ("dump", "load")),
    )
