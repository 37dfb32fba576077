"""Which bytes of a file belong to some of its buffers, as ranges, and ranges cut into windows.

Rule: ranges are ascending, do not overlap, and count from the header.
"""

from __future__ import annotations

from typing import Iterator, Tuple

import numpy as np

from ..format.header import PAGE
from .filereader import FileReader

__all__ = ["Ranges", "joined", "mapped_ranges", "ranges_nbytes", "stored_ranges", "windows"]

Ranges = Tuple[np.ndarray, np.ndarray]
"""The starts and the stops of ranges, int64."""


def mapped_ranges(reader: FileReader, which: np.ndarray | None = None) -> Ranges:
    """Return where in the file those buffers lie that are mapped.

    Args:
        reader: the open file, which is mapped.
        which: int64, the numbers of the buffers; by default all of them. Those that are not mapped count for nothing.
    """
    mapped, nbytes = reader.placement.mappable, reader.contents.buffer_nbytes
    which = np.flatnonzero(mapped) if which is None else which[mapped[which]]
    starts = reader.placement.offsets[which]
    return joined(starts, starts + nbytes[which])


def stored_ranges(reader: FileReader, which: np.ndarray | None = None) -> Ranges:
    """Return where in the file buffers are stored, raw or encoded. An encoded buffer needs whole chunks.

    Args:
        reader: the open file.
        which: int64, the numbers of the buffers; by default this is the whole file.
    """
    if which is None:
        return np.zeros(1, np.int64), np.array([reader.contents.length], np.int64)
    mapped = reader.placement.mappable[which]
    starts, stops = mapped_ranges(reader, which)
    offsets, stored = reader.contents.chunk_offsets, reader.contents.chunk_stored
    encoded = which[~mapped & (reader.contents.buffer_nbytes[which] > 0)]
    pairs = zip(reader.placement.first[encoded].tolist(), reader.placement.last[encoded].tolist())
    chunks = np.unique(np.concatenate([np.arange(first, last + 1) for first, last in pairs] or [np.zeros(0, np.int64)]))
    return joined(
        np.concatenate((starts, offsets[chunks])),
        np.concatenate((stops, offsets[chunks] + stored[chunks])),
    )


def joined(starts: np.ndarray, stops: np.ndarray) -> Ranges:
    """Return ranges in ascending order, without empty ones; those that share a page, or overlap, are one."""
    real = stops > starts
    starts, stops = starts[real], stops[real]
    if not len(starts):
        return starts, stops
    order = np.argsort(starts, kind="stable")
    starts, reach = starts[order], np.maximum.accumulate(stops[order])
    apart = np.flatnonzero(starts[1:] // PAGE > (reach[:-1] - 1) // PAGE)
    return starts[np.append(0, apart + 1)], reach[np.append(apart, len(reach) - 1)]


def ranges_nbytes(ranges: Ranges) -> int:
    """Return the sum of the lengths of ranges."""
    return int((ranges[1] - ranges[0]).sum())


def windows(ranges: Ranges, nbytes: int) -> Iterator[tuple[int, int]]:
    """Yield ranges in pieces that do not cross multiples of `nbytes`."""
    for at in range(len(ranges[0])):
        start, end = int(ranges[0][at]), int(ranges[1][at])
        while start < end:
            stop = min(end, (start // nbytes + 1) * nbytes)
            yield start, stop
            start = stop
