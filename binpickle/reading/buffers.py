"""The buffers of an open file, read into memory or mapped.

Rule: each chunk that is needed is decoded once, straight into its final memory.
"""

from __future__ import annotations

from itertools import chain
from typing import Any, Generator, Iterable, Iterator

import numpy as np

from ..threads.crew import Crew, Pipeline
from .filereader import Advance, FileReader
from .jobs import read_job
from .memory import BufferMemory

__all__ = ["each", "in_order", "load_buffers", "map_buffers"]

_AT_A_TIME = 1 << 12


def load_buffers(
    reader: FileReader,
    which: np.ndarray,
    crew: Crew,
    check: bool,
    advance: Advance,
    hostile: bool = False,
    then: Iterable[int] = (),
) -> Generator[None, None, Iterator[np.ndarray]]:
    """Read buffers into memory, which no two of them share; yields after each chunk.

    Args:
        reader: the open file.
        which: int64, the numbers of the buffers, ascending.
        crew: does the jobs.
        check: compare the checksums of the chunks.
        advance: called with the decoded length of each chunk.
        hostile: allow only codecs that are memory-safe on any input.
        then: the numbers of the chunks that the caller will read afterwards.

    Returns:
        The buffers in their order: writable arrays, uint8, 1-d. Each is made when it is asked for: a small file may
        list a million views of an array, of which each needs a copy, and take none of them.
    """
    if not len(which):  # all buffers are mapped: a common way to load, which should cost nothing
        reader.plan(then)
        return iter(())
    roots = np.unique(reader.placement.roots[which])
    memory = BufferMemory(reader.contents, reader.placement, roots)
    pipeline: Pipeline[np.ndarray] = Pipeline(crew, lambda data: advance(len(data)))
    reader.plan(chain((i for i, _ in memory.chunks()), then))
    for i, out in memory.chunks():
        pipeline.push(read_job(reader, i, out, check, hostile))
        yield
    yield from pipeline.drain()
    memory.divide()
    return _slices(reader, memory, which)


def _slices(reader: FileReader, memory: BufferMemory, which: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the memory of each buffer; a copy if it lies within another one, or is not aligned where it lies."""
    contents, placement = reader.contents, reader.placement
    for some in _parts(which):
        starts, stops = contents.buffer_starts[some], placement.stops[some]
        begins, parts, aligned = memory.find(starts, stops)
        stays = (aligned & (placement.roots[some] == some)).tolist()
        for begin, nbytes, part, in_place in zip(begins, (stops - starts).tolist(), parts, stays):
            data = part[begin : begin + nbytes]
            yield data if in_place else data.copy()


def map_buffers(reader: FileReader, mapped: np.ndarray, which: np.ndarray) -> Iterator[np.ndarray]:
    """Yield buffers as slices of a mapped file.

    Args:
        reader: the open file.
        mapped: uint8, the whole file as mapped memory.
        which: int64, the numbers of the buffers, all of them mappable.
    """
    placement, starts = reader.placement, reader.contents.buffer_starts
    for part in _parts(which):
        begins = placement.offsets[part]
        ends = begins + placement.stops[part] - starts[part]
        for begin, end in zip(begins.tolist(), ends.tolist()):
            yield mapped[begin:end]


def in_order(in_place: np.ndarray, mapped: Iterator[np.ndarray], loaded: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield all buffers, mapped and loaded ones.

    Args:
        in_place: bool, for each buffer whether it is a mapped one.
        mapped: the mapped buffers.
        loaded: the others.
    """
    for is_mapped in each(in_place):
        yield next(mapped if is_mapped else loaded)


def each(column: np.ndarray) -> Iterator[Any]:
    """Yield the values of a column as Python's, a few at a time."""
    for part in _parts(column):
        yield from part.tolist()


def _parts(column: np.ndarray) -> Iterator[np.ndarray]:
    """Yield a column in parts: a Python number for each of a million buffers would take memory."""
    for start in range(0, len(column), _AT_A_TIME):
        yield column[start : start + _AT_A_TIME]
