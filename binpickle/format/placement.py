"""Where buffers and chunks lie in relation to each other, in the logical space of one file.

Rule: a buffer either lies within another buffer (a view, stored once), or is a root. A root lies within one chunk, or
consists of whole chunks; roots do not overlap. Bytes that belong to no buffer are zeros that align buffers; whoever
reads a chunk checks them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import FormatError
from .contents import Contents
from .header import LEAST_ALIGNMENT

__all__ = ["Placement", "find_placement"]


class Placement(NamedTuple):
    """The relations of m buffers and the chunks of a file.

    Attributes:
        stops: int64, m logical ends of the buffers.
        roots: int64, m: for each buffer the number of the root that holds it; a root holds itself.
        first: int64, m: for each buffer the first chunk that holds some of it.
        last: int64, m: for each buffer the last chunk that holds some of it.
        mappable: bool, m: whether the buffer's bytes lie in the file as they are, in one piece, and aligned.
        offsets: int64, m: where in the file a mappable buffer begins.
        gap_starts: int64: logical starts of the ranges that no buffer holds, ascending.
        gap_stops: int64: logical ends of these ranges.
    """

    stops: np.ndarray
    roots: np.ndarray
    first: np.ndarray
    last: np.ndarray
    mappable: np.ndarray
    offsets: np.ndarray
    gap_starts: np.ndarray
    gap_stops: np.ndarray

    def in_chunk(self, contents: Contents, chunk: int) -> np.ndarray:
        """Return the numbers of the buffers that have bytes in a chunk."""
        begin, end = contents.chunk_starts[chunk : chunk + 2]
        return np.flatnonzero((contents.buffer_starts < end) & (self.stops > begin))

    def check_chunks_in_use(self, chunk_starts: np.ndarray) -> None:
        """Refuse a chunk that no buffer touches: no reader would ever decode it, and so check it.

        Raises:
            FormatError: there is such a chunk.
        """
        within = np.searchsorted(chunk_starts, self.gap_starts)
        ends = chunk_starts[np.minimum(within + 1, len(chunk_starts) - 1)]
        unused = (ends <= self.gap_stops) & (within + 1 < len(chunk_starts))
        if unused.any():
            raise FormatError(f"index: chunk {int(within[np.argmax(unused)])} holds nothing of any buffer")


def find_placement(contents: Contents) -> Placement:
    """Work out the placement of a file.

    Raises:
        FormatError: buffers overlap in part, or a root ends within a chunk that it does not lie in.
    """
    starts, chunk_starts = contents.buffer_starts, contents.chunk_starts
    stops = starts + contents.buffer_nbytes
    order = np.lexsort((np.arange(len(starts)), -stops, starts))
    roots = _roots(starts, stops, order)
    first = np.searchsorted(chunk_starts, starts, "right") - 1
    last = np.maximum(np.searchsorted(chunk_starts, stops, "left") - 1, first)
    # An empty buffer may lie at the very end, behind the last chunk.
    first, last = (np.minimum(chunk, max(len(chunk_starts) - 2, 0)) for chunk in (first, last))
    _check_whole_chunks(contents, stops, roots, first, last)
    in_place, offsets = _in_place(contents, first, last)
    is_root = (roots == np.arange(len(starts)))[order] & (stops > starts)[order]
    begins, ends = starts[order][is_root], stops[order][is_root]
    data = contents.stream[1] if contents.stream and contents.stream[0] == 0 else 0
    gap_starts = np.concatenate(([data], ends))
    gap_stops = np.concatenate((begins, [contents.stream[0] if contents.stream and data == 0 else chunk_starts[-1]]))
    real = gap_stops > gap_starts
    return Placement(stops, roots, first, last, in_place, offsets, gap_starts[real], gap_stops[real])


def _roots(starts: np.ndarray, stops: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return for each buffer the number of the one that holds it: the first in `order` that reaches as far."""
    roots = np.arange(len(starts))
    if len(order) < 2:
        return roots
    reach = np.maximum.accumulate(stops[order])
    inside = (starts[order][1:] < reach[:-1]) & (stops > starts)[order][1:]
    if not inside.any():
        return roots
    partial = inside & (stops[order][1:] > reach[:-1])
    if partial.any():
        at = int(np.argmax(partial))
        raise FormatError(f"index: buffer {order[at + 1]} overlaps another one in part")
    is_root = np.concatenate(([True], ~inside & (stops > starts)[order][1:]))
    holder = order[np.maximum.accumulate(np.where(is_root, np.arange(len(order)), 0))]
    held = np.concatenate(([False], inside))
    roots[order[held]] = holder[held]
    return roots


def _check_whole_chunks(
    contents: Contents, stops: np.ndarray, roots: np.ndarray, first: np.ndarray, last: np.ndarray
) -> None:
    whole = (contents.chunk_starts[first] == contents.buffer_starts) & (contents.chunk_starts[last + 1] == stops)
    wrong = (roots == np.arange(len(roots))) & (first != last) & ~whole
    if wrong.any():
        raise FormatError(f"index: buffer {int(np.argmax(wrong))} neither lies in one chunk nor is made of whole ones")


def _in_place(contents: Contents, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which runs of chunks lie in the file as they are, and where the buffers begin in them."""
    offsets, stored = contents.chunk_offsets, contents.chunk_stored
    encoded = np.array([bool(chain) for chain in contents.chains], bool)[contents.chunk_chains]
    broken = np.concatenate(([False], offsets[1:] != offsets[:-1] + stored[:-1])) if len(offsets) else encoded
    encoded_before = np.concatenate(([0], encoded.cumsum()))
    broken_before = np.concatenate(([0], broken.cumsum()))
    in_place = encoded_before[last + 1] == encoded_before[first]
    in_place &= broken_before[last + 1] == broken_before[np.minimum(first + 1, len(offsets))]
    begins = offsets[first] + contents.buffer_starts - contents.chunk_starts[first]
    if (begins % LEAST_ALIGNMENT).any():  # else no element type needs more, and their table need not be gone through
        in_place &= begins % _alignments(contents) == 0
    return in_place, begins


def _alignments(contents: Contents) -> np.ndarray:
    """Return where in memory each buffer may begin: at multiples of what its element type needs, if that is known."""
    needed = [1 if kind.dtype is None else max(kind.dtype.alignment, 1) for kind in contents.kinds]
    alignments: np.ndarray = np.array(needed, np.int64)[contents.buffer_kinds]
    return alignments
