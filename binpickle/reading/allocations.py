"""The memory that buffers are read into.

Rule: a buffer of several chunks has an allocation of its own. The others share allocations, of at most `SLAB_BYTES`
where they are small enough, so that a small array which is kept does not keep a whole chunk.
"""

from __future__ import annotations

from typing import Iterator, List

import numpy as np

from ..errors import LimitError
from ..format.contents import Contents
from ..format.placement import Placement

__all__ = ["Allocations", "Pieces", "allocate"]

SLAB_BYTES = 256 << 10

# Large allocations start at a huge page: filling them takes 0.65 of the time. All others suit SIMD instructions.
_HUGE_PAGE = 2 << 20
_CACHE_LINE = 64

Pieces = List[np.ndarray]
"""The memory of one chunk, piece by piece: uint8, 1-d."""


def allocate(nbytes: int) -> np.ndarray:
    """Return fresh memory: uint8, 1-d, aligned.

    Raises:
        LimitError: there is not so much memory.
    """
    align = _HUGE_PAGE if nbytes >= 2 * _HUGE_PAGE else _CACHE_LINE
    try:
        memory = np.empty(nbytes + align, np.uint8)
    except (MemoryError, ValueError):
        raise LimitError(f"{nbytes} bytes of memory are needed, more than there are", "decoded_bytes") from None
    skip = -memory.__array_interface__["data"][0] % align
    return memory[skip : skip + nbytes]


class Allocations:
    """The allocations for some buffers of a file.

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
        self._pieces: dict[int, Pieces] = {}
        # Ascending. The first allocation is that of all empty buffers.
        self._begins, self._memory = [-1], [np.empty(0, np.uint8)]
        shared = np.unique(first[~several]).tolist()
        for begin, end in sorted([*zip(first[several].tolist(), last[several].tolist()), *zip(shared, shared)]):
            if begin < end:
                self._take_one(begin, end)
            else:
                self._take_slabs(begin)

    def chunks(self) -> Iterator[tuple[int, Pieces]]:
        """Yield the number of each chunk to read, ascending, and the memory to decode it into."""
        return iter(self._pieces.items())

    def find(self, starts: np.ndarray, stops: np.ndarray) -> tuple[list[int], list[np.ndarray]]:
        """Return for each buffer its position in the allocation that holds it, and that allocation.

        Args:
            starts: int64, the logical starts of the buffers.
            stops: int64, their logical ends.
        """
        begins = np.array(self._begins)
        numbers = np.where(stops > starts, np.searchsorted(begins, starts, "right") - 1, 0)
        return (starts - begins[numbers]).tolist(), [self._memory[i] for i in numbers.tolist()]

    def _take_one(self, first: int, last: int) -> None:
        """Allocate the memory of one buffer that consists of several chunks."""
        starts = self._chunk_starts[first : last + 2].tolist()
        memory = self._add(starts[0], starts[-1])
        for chunk, begin, end in zip(range(first, last + 1), starts, starts[1:]):
            self._pieces[chunk] = [memory[begin - starts[0] : end - starts[0]]]

    def _take_slabs(self, chunk: int) -> None:
        """Allocate the memory of a chunk that buffers share, in slabs."""
        begin, end = self._chunk_starts[chunk : chunk + 2].tolist()
        cuts = self._cuts(begin, end)
        self._pieces[chunk] = [self._add(*slab) for slab in zip(cuts, [*cuts[1:], end])]

    def _cuts(self, begin: int, end: int) -> list[int]:
        """Return where the slabs of a chunk begin, by its logical start and end: only where a buffer begins."""
        cuts = [begin]
        while end - cuts[-1] > SLAB_BYTES:
            i = int(np.searchsorted(self._starts, cuts[-1] + SLAB_BYTES, "right")) - 1
            if i < 0 or self._starts[i] <= cuts[-1]:  # the next buffer begins out of reach
                i += 1
            if i == len(self._starts) or self._starts[i] >= end:
                break
            cuts.append(int(self._starts[i]))
        return cuts

    def _add(self, begin: int, end: int) -> np.ndarray:
        memory = allocate(end - begin)
        self._begins.append(begin)
        self._memory.append(memory)
        return memory
