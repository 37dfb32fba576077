"""The memory that the buffers of a file are read into.

Rule: a buffer of several chunks has memory of its own. The others share parts of the memory of their chunk, of at most
`SLAB_BYTES` where they are small enough, so that a small array which is kept does not keep a whole chunk.
"""

from __future__ import annotations

from typing import Iterator

import numpy as np

from ..format.contents import Contents
from ..format.header import LEAST_ALIGNMENT
from ..format.placement import Placement
from .pages import Memory

__all__ = ["SLAB_BYTES", "BufferMemory"]

SLAB_BYTES = 256 << 10


class BufferMemory:
    """The memory for some buffers of a file.

    Args:
        contents: what the file holds.
        placement: where its buffers lie.
        roots: int64, the numbers of the buffers, all of them roots (see `Placement`).
    """

    def __init__(self, contents: Contents, placement: Placement, roots: np.ndarray):
        filled = roots[placement.stops[roots] > contents.buffer_starts[roots]]
        first, last = placement.first[filled], placement.last[filled]
        several = first != last
        self._chunk_starts = contents.chunk_starts
        self._starts = np.sort(contents.buffer_starts[filled[~several]])
        self._chunks: dict[int, np.ndarray] = {}
        self._parts: list[tuple[list[int], Memory]] = []
        # The first memory is that of all empty buffers.
        self._begins, self._memory = [-1], [np.empty(0, np.uint8)]
        self._addresses = np.empty(0, np.int64)
        shared = np.unique(first[~several]).tolist()
        for begin, end in sorted([*zip(first[several].tolist(), last[several].tolist()), *zip(shared, shared)]):
            self._allocate(begin, end)

    def chunks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the number of each chunk to read, ascending, and the memory to decode it into."""
        return iter(self._chunks.items())

    def divide(self) -> None:
        """Divide the memory among the buffers, when all chunks have been read."""
        self._chunks.clear()
        for starts, memory in self._parts:
            self._begins += starts
            self._memory += memory.parts()
        self._parts.clear()
        self._addresses = np.array([memory.__array_interface__["data"][0] for memory in self._memory], np.int64)

    def find(self, starts: np.ndarray, stops: np.ndarray) -> tuple[list[int], list[np.ndarray], np.ndarray]:
        """Return for each buffer its position in the memory that holds it, that memory, and whether it is aligned.

        Args:
            starts: int64, the logical starts of the buffers.
            stops: int64, their logical ends.
        """
        begins = np.array(self._begins)
        numbers = np.where(stops > starts, np.searchsorted(begins, starts, "right") - 1, 0)
        at = starts - begins[numbers]
        aligned = (self._addresses[numbers] + at) % LEAST_ALIGNMENT == 0
        return at.tolist(), [self._memory[i] for i in numbers.tolist()], aligned

    def _allocate(self, first: int, last: int) -> None:
        """Allocate memory for the chunks of one buffer, or for one chunk that buffers share."""
        starts = self._chunk_starts[first : last + 2].tolist()
        begin, end = starts[0], starts[-1]
        cuts = [*self._cuts(begin, end), end] if first == last else [begin, end]
        memory = Memory([cut - begin for cut in cuts])
        self._parts.append((cuts[:-1], memory))
        for chunk, a, b in zip(range(first, last + 1), starts, starts[1:]):
            self._chunks[chunk] = memory.whole[a - begin : b - begin]

    def _cuts(self, begin: int, end: int) -> list[int]:
        """Return where the parts of a chunk begin: the first at its start, each other one where a buffer begins.

        Args:
            begin: the logical start of the chunk.
            end: its logical end.
        """
        cuts = [begin]
        while end - cuts[-1] > SLAB_BYTES:
            i = int(np.searchsorted(self._starts, cuts[-1] + SLAB_BYTES, "right")) - 1
            if i < 0 or self._starts[i] <= cuts[-1]:  # the next buffer begins out of reach
                i += 1
            if i == len(self._starts) or self._starts[i] >= end:
                break
            cuts.append(int(self._starts[i]))
        return cuts
