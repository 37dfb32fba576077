"""From an open file to what the unpickler asks for: the buffers in memory or mapped, and the stream as it flows.

Rule: every chunk that is needed is decoded once, straight into its final memory. A large buffer has an allocation of
its own, small ones share their chunk's.
"""

from __future__ import annotations

from typing import Any, Generator, Iterator

import numpy as np

from ..threads.crew import Crew, Pipeline
from .filereader import Advance, FileReader, allocate, read_job

__all__ = ["load_buffers", "map_buffers", "read_buffer"]


def load_buffers(
    reader: FileReader, which: np.ndarray, crew: Crew, check: bool, advance: Advance, hostile: bool = False
) -> Generator[None, None, dict[int, np.ndarray]]:
    """Read buffers into memory, each byte into memory of its own; yields after each chunk.

    Args:
        reader: the file.
        which: int64, numbers of the buffers, ascending.
        crew: does the jobs.
        check: compare checksums.
        advance: called as bytes are done.
        hostile: allow only codecs that are memory-safe on any input.

    Returns:
        Writable uint8 arrays, by number.
    """
    if not len(which):  # all is mapped: the quickest way to load, and what many processes do
        return {}
    roots = np.unique(reader.placement.roots[which])
    memory = _Memory(reader, roots)
    pipeline: Pipeline[np.ndarray] = Pipeline(crew, lambda data: advance(len(data)))
    for i, out in memory.targets():
        pipeline.push(read_job(reader, i, out, check, hostile))
        yield
    yield from pipeline.drain()
    return memory.slices(which)


class _Memory:
    """The allocations that a set of root buffers is read into."""

    def __init__(self, reader: FileReader, roots: np.ndarray):
        self._reader = reader
        placement = reader.placement
        several = placement.first[roots] != placement.last[roots]
        self._own = {int(i): allocate(int(self._nbytes(i))) for i in roots[several]}
        chunks = np.unique(placement.first[roots[~several & (self._nbytes(roots) > 0)]])
        self._shared = {i: allocate(reader.chunk_nbytes(i)) for i in chunks.tolist()}

    def _nbytes(self, i: Any) -> Any:
        return self._reader.placement.stops[i] - self._reader.contents.buffer_starts[i]

    def targets(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each chunk to read, and the memory to read it into, in the order of the file."""
        targets = dict(self._shared)
        starts, placement = self._reader.contents.chunk_starts, self._reader.placement
        for i, memory in self._own.items():
            first, last = int(placement.first[i]), int(placement.last[i])
            for chunk in range(first, last + 1):
                begin = int(starts[chunk] - starts[first])
                targets[chunk] = memory[begin : begin + self._reader.chunk_nbytes(chunk)]
        for chunk in sorted(targets):
            yield chunk, targets[chunk]

    def slices(self, which: np.ndarray) -> dict[int, np.ndarray]:
        """Return the memory of each buffer; a copy where another buffer holds it."""
        reader, placement = self._reader, self._reader.placement
        roots = placement.roots[which]
        in_chunk = reader.contents.chunk_starts[placement.first[roots]]
        begins = (reader.contents.buffer_starts[which] - in_chunk).tolist()
        ends = (placement.stops[which] - in_chunk).tolist()
        empty = np.empty(0, np.uint8)
        slices = {}
        rows = zip(which.tolist(), roots.tolist(), placement.first[roots].tolist(), begins, ends)
        for i, root, chunk, begin, end in rows:
            memory = self._own.get(root)
            if memory is None:
                memory = self._shared.get(chunk, empty)
            slices[i] = memory[begin:end] if i == root else memory[begin:end].copy()
        return slices


def map_buffers(reader: FileReader, mapped: np.ndarray, which: np.ndarray) -> dict[int, np.ndarray]:
    """Return slices of a mapped file.

    Args:
        reader: the file.
        mapped: uint8, the whole file.
        which: int64, numbers of buffers that are stored raw.
    """
    placement = reader.placement
    begins = placement.offsets[which]
    ends = begins + placement.stops[which] - reader.contents.buffer_starts[which]
    return {i: mapped[a:b] for i, a, b in zip(which.tolist(), begins.tolist(), ends.tolist())}


def read_buffer(reader: FileReader, i: int, check: bool) -> np.ndarray:
    """Read one buffer, decoding only the chunks that it touches, with codecs that are safe on any input."""
    contents, placement = reader.contents, reader.placement
    start, stop = int(contents.buffer_starts[i]), int(placement.stops[i])
    out = allocate(stop - start)
    for chunk in range(int(placement.first[i]), int(placement.last[i]) + 1):
        begin, end = (int(n) for n in contents.chunk_starts[chunk : chunk + 2])
        if begin >= start and end <= stop:
            reader.read_chunk(chunk, out[begin - start : end - start], check, hostile=True)
        elif start < stop:
            data = reader.read_chunk(chunk, None, check, hostile=True)
            a, b = max(start, begin), min(stop, end)
            out[a - start : b - start] = data[a - begin : b - begin]
    return out
