"""Row 25: mixed arrays on more and more threads: the share of the time in which the threads wait.

Rule: the share is counted and not timed (see `benchmarks.busy`), so that it says something where there are few cores.
Times are shown for as many threads as there are cores.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import numcodecs

import binpickle

from ..busy import watching
from ..cases import MIB, Case, Contender, Measured, Scale, amount, ratio
from ..objects import mixed

__all__ = ["cases"]

CORES = len(os.sched_getaffinity(0))
CODECS: dict[str, Any] = {
    "auto": "auto",
    "zstd": [numcodecs.Zstd(level=1)],
    "lz4": [numcodecs.LZ4()],
    "Blosc": [numcodecs.Blosc(cname="lz4", clevel=5)],
}


def cases(scale: Scale) -> list[Case]:
    """Declare a case of row 25 for each chain of codecs."""
    size = scale.pick(512, 256) * MIB
    return [case(name, size, scale.pick(7, 1)) for name in CODECS]


def case(name: str, size: int, rounds: int) -> Case:
    """Declare one case of row 25."""
    most = max(4, CORES)
    counts = [1 << power for power in range(most.bit_length()) if 1 << power <= most]
    return Case(
        row="25",
        name=f"{size // MIB} MiB of mixed arrays, {name}",
        make=mixed,
        size=size,
        contenders=tuple(watched(name, threads) for threads in counts),
        targets=tuple(
            target
            for threads in counts
            for step in ("dump", "load")
            for target in (
                amount(f"{step} waiting", way(threads), 0.2 if threads <= CORES else None),
                *([ratio(step, way(threads), way(1), 1 / (0.8 * threads))] if 1 < threads <= CORES else []),
            )
        ),
        rounds=rounds,
    )


def way(threads: int) -> str:
    """Name a contender."""
    return f"{threads} thread{'s' * (threads > 1)}"


def watched(name: str, threads: int) -> Contender:
    """Make a contender that counts how busy its threads are."""
    return Contender(way(threads), partial(dump, CODECS[name], threads), partial(load, threads))


def dump(codecs: Any, threads: int, obj: Any, path: str) -> Measured:
    """Dump, and count."""
    with watching() as busy:
        binpickle.dump(obj, path, codecs=codecs, threads=threads, durable=False)
    return Measured(metrics={"dump waiting": busy.waiting(threads)})


def load(threads: int, path: str) -> Measured:
    """Load, and count."""
    with watching() as busy:
        loaded = binpickle.load(path, threads=threads)
    return Measured(loaded, {"load waiting": busy.waiting(threads)})
