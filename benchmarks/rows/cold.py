"""Row 26: a file that is not in the page cache is mapped, and all of it is touched, against reading the same bytes.

Rule: each call begins by evicting its file, which is not timed, and proves that no page was left. To touch is to read a
number of each page. The peer reads all bytes into new memory, by as many threads as the fetching has, 4 MiB at a time;
the figures say whether touching the mapped pages afterwards costs more than copying them.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Callable

import numpy as np

import binpickle

from ..cases import MIB, Case, Contender, Measured, Scale, Target, amount, ratio
from ..contenders import NUMPY
from ..objects import uniform

__all__ = ["cases"]

PREAD, PREFETCH, MAP, WARM, READ = "parallel pread", "map, prefetch", "map", "warm, then map", "load into memory"
THREADS, PIECE, PAGE = 4, 4 * MIB, 4096
FAULTS = ("major faults", "minor faults")


def cases(scale: Scale) -> list[Case]:
    """Declare the case of row 26."""
    size = scale.pick(512, 256) * MIB
    dump = partial(binpickle.dump, mappable=True)
    mapped = partial(binpickle.load, mmap_mode="r")
    ways: dict[str, Callable[[str], Any]] = {
        PREAD: pread,
        PREFETCH: partial(mapped, prefetch=True),
        MAP: partial(mapped, prefetch=False),
        WARM: warm_and_map,
        READ: binpickle.load,
    }
    return [
        Case(
            row="26",
            name=f"map {size // MIB} MiB and touch all of it, page cache cold",
            make=uniform,
            size=size,
            contenders=(
                *(Contender(name, dump, partial(touching, load)) for name, load in ways.items()),
                replace(NUMPY, load=partial(touching, NUMPY.load)),
            ),
            steps=("load",),
            rounds=scale.pick(11, 5),
            targets=(
                ratio("load", PREFETCH, PREAD, 1.1),
                *(ratio("load", way, PREAD) for way in (MAP, WARM, READ)),
                ratio("load processor time", PREFETCH, PREAD),
                ratio("load", READ, NUMPY.name),
                *faults(),
            ),
            check=lambda build, array: array is None or bool((build() == array).all()),
        )
    ]


def faults() -> list[Target]:
    """Show the page faults of each way to map."""
    return [amount(metric, way) for way in (PREFETCH, MAP, WARM, PREAD) for metric in FAULTS]


def pread(path: str) -> None:
    """Read a file into new memory, by several threads."""
    memory, fd = np.empty(os.path.getsize(path), np.uint8), os.open(path, os.O_RDONLY)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            starts = range(0, len(memory), PIECE)
            list(pool.map(lambda start: os.preadv(fd, [memory[start : start + PIECE]], start), starts))
    finally:
        os.close(fd)
    touch(memory)


def warm_and_map(path: str) -> Any:
    """Read a file into the page cache, then map it."""
    with binpickle.BinPickleFile(path, mmap_mode="r") as opened:
        opened.warm()
        return opened.load()


def touching(load: Callable[[str], Any], path: str) -> Measured:
    """Evict a file, load it and touch each page; give the time, and the page faults of all threads."""
    evict(path)
    before, worked, start = resource.getrusage(resource.RUSAGE_SELF), time.process_time(), time.perf_counter()
    array = load(path)
    if array is not None:
        touch(array)
    seconds, busy = time.perf_counter() - start, time.process_time() - worked
    after = resource.getrusage(resource.RUSAGE_SELF)
    major, minor = after.ru_majflt - before.ru_majflt, after.ru_minflt - before.ru_minflt
    return Measured(array, {"load": seconds, "load processor time": busy, FAULTS[0]: major, FAULTS[1]: minor})


def touch(array: np.ndarray[Any, Any]) -> None:
    """Read a number of each page."""
    array[:: PAGE // array.itemsize].sum()


def evict(path: str) -> None:
    """Drop a file from the page cache; fail if it is still there, as it is in a file system in memory."""
    fd = os.open(path, os.O_RDWR)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        if resident(fd):
            raise OSError(f"{path} stays in the page cache: give a --folder on a disk")
    finally:
        os.close(fd)


def resident(fd: int) -> int:
    """Return how many pages of a file are in the page cache."""
    nbytes = os.fstat(fd).st_size
    pages = -(-nbytes // PAGE)
    states = (ctypes.c_ubyte * pages)()
    with mmap.mmap(fd, nbytes, access=mmap.ACCESS_READ) as mapping:
        data = np.frombuffer(mapping, np.uint8)
        mincore = ctypes.CDLL(None, use_errno=True).mincore
        failed = mincore(ctypes.c_void_p(data.ctypes.data), ctypes.c_size_t(nbytes), states)
        del data
    if failed:
        raise OSError(ctypes.get_errno(), "mincore")
    return int((np.frombuffer(states, np.uint8) & 1).sum())
