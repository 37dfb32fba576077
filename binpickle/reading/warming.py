"""Reads what is stored of a file, so that it is in the page cache for whoever reads or maps the file next."""

from __future__ import annotations

from functools import partial
from queue import Empty, SimpleQueue
from typing import Iterator

import numpy as np

from ..files.source import Source
from ..threads.crew import Crew, Job, Pipeline
from ..threads.meter import Meter
from .prefetching import WINDOW, Room
from .ranges import Ranges, windows

__all__ = ["warm_steps"]


def warm_steps(source: Source, ranges: Ranges, crew: Crew, meter: Meter) -> Iterator[None]:
    """Read ranges of a file, as far as memory has room for their pages; yields after each window.

    Args:
        source: the bytes of the file.
        ranges: what to read.
        crew: does the jobs.
        meter: counts the bytes that have been read.

    Raises:
        FormatError: the file has been cut.
        OSError: the file cannot be read.
    """
    scratch: SimpleQueue[np.ndarray] = SimpleQueue()
    room = Room()
    source.plan(windows(ranges, WINDOW))
    pipeline: Pipeline[int] = Pipeline(crew, meter.advance)
    for start, stop in windows(ranges, WINDOW):
        if not room.take(stop - start):
            break
        pipeline.push(Job(partial(_read, source, start, stop - start, scratch)))
        yield
    yield from pipeline.drain()


def _read(source: Source, start: int, nbytes: int, scratch: SimpleQueue[np.ndarray]) -> int:
    """Read a range into memory that other threads are done with, and drop it."""
    try:
        memory = scratch.get_nowait()
    except Empty:
        memory = np.empty(WINDOW, np.uint8)
    source.read_into(start, memory[:nbytes])
    scratch.put(memory)
    return nbytes
