"""Kills writers at random moments, and reads files while other processes replace them.

Rule: whoever reads the path finds one whole version, whatever happens to the writers. Each version is an object whose
arrays all hold its number, so that a mixture of two versions shows.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, NamedTuple

import numpy as np

import binpickle

__all__ = ["Kills", "Reads", "kill_writers", "race_readers"]

_WRITERS = 4
_ITEMS = 20_000
_LONGEST_WAIT = 0.06
_LEFTOVER = ".*.bpk-tmp"


_WAYS: list[dict[str, Any]] = [
    {"durable": False},
    {"mappable": True, "durable": False},
    {"codecs": ["zlib"]},
    {"digests": True, "codecs": [], "durable": True},
]


class Kills(NamedTuple):
    """The result of killing writers.

    Attributes:
        kills: how many writers were killed.
        amid: how many of them left a temporary file.
        unreadable: how often the file was not one whole version afterwards.
        seconds: how long the run took.
    """

    kills: int
    amid: int
    unreadable: int
    seconds: float


class Reads(NamedTuple):
    """The result of reading while others write.

    Attributes:
        reads: how many versions were read.
        versions: how many versions were written.
        failures: how many reads did not find one whole version, plus how many readers died.
        seconds: how long the run took.
    """

    reads: int
    versions: int
    failures: int
    seconds: float


def kill_writers(kills: int, seed: int, write: Callable[[Any, str], None] | None = None) -> Kills:
    """Let four processes write one path, kill all at a random moment, read the path, and begin again.

    Args:
        kills: how many writers to kill.
        seed: the seed of the moments.
        write: a function that writes an object to a path; by default `dump`, with different options by turns.
    """
    dice = random.Random(seed)
    amid = unreadable = 0
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file.bpk")
        binpickle.dump(_version(0), path)
        for _ in range(0, kills, _WRITERS):
            writers = [_fork(lambda n=n: _write_for_ever(path, n, write)) for n in range(_WRITERS)]
            time.sleep(dice.uniform(0, _LONGEST_WAIT))
            for pid in writers:
                os.kill(pid, signal.SIGKILL)
            for pid in writers:
                os.waitpid(pid, 0)
            amid += _clean_up(folder)
            unreadable += not _is_whole(path)
    return Kills(-(-kills // _WRITERS) * _WRITERS, amid, unreadable, time.monotonic() - start)


def race_readers(seconds: float, readers: int = 3, writers: int = 2) -> Reads:
    """Read one path in several processes, copied and mapped, while others replace it."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file.bpk")
        binpickle.dump(_version(0), path, mappable=True)
        end = start + seconds
        counted = [_counting(lambda: _read_until(path, end)) for _ in range(readers)]
        written = [_counting(lambda n=n: _replace_until(path, n, end)) for n in range(writers)]
        reads, failed = _sum(counted)
        versions, broken = _sum(written)
    return Reads(reads, versions, failed + broken, time.monotonic() - start)


def _version(number: int) -> dict[str, Any]:
    return {"number": number, "first": np.full(_ITEMS, number), "second": np.full(_ITEMS, float(number))}


def _is_whole(path: str, mmap_mode: str | None = None) -> bool:
    try:
        found = binpickle.load(path, mmap_mode=mmap_mode, trusted=(), verify=True, threads=1)
    except (binpickle.BinPickleError, OSError):
        return False
    return _is_one(found)


def _is_one(found: dict[str, Any]) -> bool:
    number = found["number"]
    return bool((found["first"] == number).all() and (found["second"] == number).all())


def _write_for_ever(path: str, writer: int, write: Callable[[Any, str], None] | None) -> None:
    ways = itertools.cycle([*_WAYS[writer:], *_WAYS[:writer]])
    for number in itertools.count(writer, _WRITERS):
        if write is None:
            binpickle.dump(_version(number), path, threads=1, **next(ways))
        else:
            write(_version(number), path)


def _read_until(path: str, end: float) -> int:
    reads = 0
    while time.monotonic() < end:
        if not _is_whole(path):
            raise SystemExit(1)
        with binpickle.BinPickleFile(path, mmap_mode="r") as opened:
            mapped = opened.load(trusted=())
        for _ in range(3):  # the mapping stays the same while others replace the file
            time.sleep(0.002)
            if not _is_one(mapped):
                raise SystemExit(1)
        reads += 2
    return reads


def _replace_until(path: str, writer: int, end: float) -> int:
    versions = 0
    while time.monotonic() < end:
        versions += 1
        binpickle.dump(_version(versions * 2 + writer), path, mappable=True, durable=False, threads=1)
    return versions


def _clean_up(folder: str) -> int:
    """Remove the temporary files that killed writers left, and return their number."""
    left = list(Path(folder).glob(_LEFTOVER))
    for path in left:
        path.unlink()
    return len(left)


def _fork(run: Callable[[], Any]) -> int:
    pid = os.fork()
    if not pid:
        status = 1
        try:
            run()
            status = 0
        finally:
            os._exit(status)
    return pid


def _counting(run: Callable[[], int]) -> tuple[int, int]:
    """Start a process that counts; return the process and the descriptor from which its count can be read."""
    reading, writing = os.pipe()
    pid = _fork(lambda: os.write(writing, str(run()).encode()))
    os.close(writing)
    return pid, reading


def _sum(children: list[tuple[int, int]]) -> tuple[int, int]:
    """Wait for children; return the sum of their counts, and how many of them failed."""
    total = failed = 0
    for pid, reading in children:
        with os.fdopen(reading, "rb") as pipe:
            total += int(pipe.read() or 0)
        failed += os.waitpid(pid, 0)[1] != 0
    return total, failed
