"""Simulates power cuts: shuts down a file system on a loop device at random moments of a dump, and mounts it again.

Rule: this runs only on request, as root, on Linux. The file system is a file in a temporary folder and is mounted in
another temporary folder; both folders are removed afterwards.
"""

from __future__ import annotations

import fcntl
import os
import random
import signal
import struct
import subprocess
import tempfile
import time
from contextlib import contextmanager
from typing import Any, Callable, Iterator, NamedTuple

import numpy as np

import binpickle

__all__ = ["Cuts", "cut_power", "is_possible"]

_FS_IOC_SHUTDOWN = 0x8004587D
_AT_ONCE = struct.pack("I", 2)  # shuts down without flushing anything, not even the journal
_IMAGE_BYTES = 64 << 20
_ITEMS = 20_000
_LONGEST_WAIT = 0.6


class Cuts(NamedTuple):
    """The result of cutting the power.

    Attributes:
        cuts: how often the power was cut.
        replaced: how often the file was a newer version than before the cut.
        torn: how often the file was not one whole version.
        seconds: how long the run took.
    """

    cuts: int
    replaced: int
    torn: int
    seconds: float


def is_possible() -> bool:
    """Return whether this process may mount file systems."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and os.path.exists("/dev/loop-control")


def cut_power(cuts: int, seed: int, write: Callable[[Any, str], None] | None = None) -> Cuts:
    """Cut the power while a file is replaced again and again, and read it after each cut.

    Args:
        cuts: how often to cut the power.
        seed: the seed of the moments.
        write: a function that writes an object to a path; by default `dump`.
    """
    dice = random.Random(seed)
    replaced = torn = last = 0
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        image, place = os.path.join(folder, "image"), os.path.join(folder, "place")
        os.mkdir(place)
        with open(image, "wb") as file:
            file.truncate(_IMAGE_BYTES)
        _run("mkfs.ext4", "-q", image)
        with _mounted(image, place):
            binpickle.dump(_version(0), os.path.join(place, "file.bpk"), durable=True)
        for _ in range(cuts):
            with _mounted(image, place):
                _cut_amid(place, dice.uniform(0, _LONGEST_WAIT), last, write or binpickle.dump)
            with _mounted(image, place):
                found = _read(os.path.join(place, "file.bpk"))
            torn += found is None
            replaced += found not in (None, last)
            last = last if found is None else found
    return Cuts(cuts, replaced, torn, time.monotonic() - start)


def _version(number: int) -> dict[str, Any]:
    return {"number": number, "items": np.full(_ITEMS, number), "noise": np.random.default_rng(number).random(_ITEMS)}


def _cut_amid(place: str, wait: float, number: int, write: Callable[[Any, str], None]) -> None:
    """Let a child replace the file, and shut its file system down after a while."""
    root = os.open(place, os.O_RDONLY)
    pid = os.fork()
    if not pid:
        try:
            while True:
                number += 1
                write(_version(number), os.path.join(place, "file.bpk"))
        finally:
            os._exit(0)
    time.sleep(wait)
    fcntl.ioctl(root, _FS_IOC_SHUTDOWN, _AT_ONCE)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(root)


def _read(path: str) -> int | None:
    """Return the number of the version that a file holds, or `None` if it is not one whole version."""
    try:
        found = binpickle.load(path, trusted=(), verify=True, threads=1)
    except (binpickle.BinPickleError, OSError):
        return None
    number = int(found["number"])
    whole = (found["items"] == number).all() and (found["noise"] == _version(number)["noise"]).all()
    return number if whole else None


@contextmanager
def _mounted(image: str, place: str) -> Iterator[None]:
    _run("mount", "-o", "loop", image, place)
    try:
        yield
    finally:
        _run("umount", place)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
