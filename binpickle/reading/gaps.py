"""The bytes between the buffers of a chunk, which align them and must be zero.

Rule: whoever decodes a chunk as a whole looks at all of them, so that no byte of a file is left that nobody checks.
"""

from __future__ import annotations

import numpy as np

from ..format.contents import Contents
from ..format.header import VERSION
from ..format.placement import Placement

__all__ = ["gaps_in", "has_bytes"]

# Gaps for alignment are short. Their bytes are compared through arrays of positions, which take 8 bytes for each byte
# of a gap, so only some thousand gaps are compared at a time.
_SHORT_GAP = 256
_GAPS_AT_A_TIME = 4096


def gaps_in(contents: Contents, placement: Placement, i: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return where the gaps of a chunk begin, counted from its first byte, and how long they are.

    Versions 1 and 2 may have any bytes between buffers: there are no gaps to check.

    Args:
        contents: the tables of the file.
        placement: how buffers and chunks lie to each other.
        i: the number of the chunk.

    Returns:
        int64, starts and lengths; `None` if the chunk has no gaps.
    """
    if contents.version < VERSION or not len(placement.gap_starts):
        return None
    begin, end = (int(n) for n in contents.chunk_starts[i : i + 2])
    first = int(np.searchsorted(placement.gap_stops, begin, "right"))
    stop = int(np.searchsorted(placement.gap_starts, end, "left"))
    if first >= stop:
        return None
    starts = np.maximum(placement.gap_starts[first:stop], begin) - begin
    return starts, np.minimum(placement.gap_stops[first:stop], end) - begin - starts


def has_bytes(data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> bool:
    """Return whether any byte in some ranges is not zero."""
    long = lengths > _SHORT_GAP
    if any(data[a : a + n].any() for a, n in zip(starts[long].tolist(), lengths[long].tolist())):
        return True
    starts, lengths = starts[~long], lengths[~long]
    for at in range(0, len(starts), _GAPS_AT_A_TIME):
        begins, counts = starts[at : at + _GAPS_AT_A_TIME], lengths[at : at + _GAPS_AT_A_TIME]
        where = np.repeat(begins - (counts.cumsum() - counts), counts) + np.arange(int(counts.sum()))
        if data[where].any():
            return True
    return False
