"""What a chunk holds, in words, for messages.

Rule: the words for all chunks together take time in proportion to the chunks and buffers, never to their pairs. So
views are counted and not named: a million of them may lie in each of thousands of chunks.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np

from ..format.contents import Contents
from ..format.placement import Placement

__all__ = ["ChunkNames"]

_MOST_RANGES = 8
_LONGEST_NAME = 100


class ChunkNames:
    """Says what the chunks of a file hold; in any thread.

    Args:
        contents: the tables of the file.
        placement: how buffers and chunks lie to each other.
        names: the names of the buffers. Buffers without a name are told by their numbers.
    """

    def __init__(self, contents: Contents, placement: Placement, names: Sequence[str]):
        self._names = names
        starts, stops = contents.buffer_starts, placement.stops
        filled = stops > starts
        self._chunks = contents.chunk_starts
        self._starts, self._stops = np.sort(starts[filled]), np.sort(stops[filled])
        roots = np.flatnonzero(filled & (placement.roots == np.arange(len(starts))))
        self._roots = roots[np.argsort(starts[roots], kind="stable")]
        # Roots do not overlap, so that their stops ascend as their starts do.
        self._root_starts, self._root_stops = starts[self._roots], stops[self._roots]

    def describe(self, i: int) -> str:
        """Return the number of a chunk and what it holds: `chunk 3 (layers/0/bias, layers/1/bias and 20 views)`."""
        begin, end = (int(n) for n in self._chunks[i : i + 2])
        first = int(np.searchsorted(self._root_stops, begin, "right"))
        stop = int(np.searchsorted(self._root_starts, end, "left"))
        roots = np.sort(self._roots[first:stop]).tolist()
        if not roots:
            return f"chunk {i} (pickle stream)"
        inside = int(np.searchsorted(self._starts, end, "left")) - int(np.searchsorted(self._stops, begin, "right"))
        views = inside - len(roots)
        words = f" and {views} view{'' if views == 1 else 's'}" if views else ""
        return f"chunk {i} ({_listed(roots, self._names)}{words})"


def _listed(numbers: list[int], names: Sequence[str]) -> str:
    """Return buffers as text: those with names by these, and the others by their ascending numbers."""
    named = [_shown(names[n]) for n in numbers if names[n]]
    others = [n for n in numbers if not names[n]]
    texts = named[:_MOST_RANGES] + (["..."] if len(named) > _MOST_RANGES else [])
    if others:
        texts.append(f"buffer{'' if len(others) == 1 else 's'} {_ranges(others)}")
    return ", ".join(texts)


def _shown(name: str) -> str:
    """Return a name as a message may show it: a file chose it."""
    if name == ".":
        return "the array"
    short = name if len(name) <= _LONGEST_NAME else f"...{name[-_LONGEST_NAME:]}"
    return short if short.isprintable() else ascii(short)


def _ranges(numbers: list[int]) -> str:
    """Return ascending numbers as text, with runs shortened: `0-3, 7`."""
    texts: list[str] = []
    start = previous = numbers[0]
    for n in [*numbers[1:], -1]:
        if n != previous + 1:
            texts.append(str(start) if start == previous else f"{start}-{previous}")
            start = n
        if len(texts) > _MOST_RANGES:
            break
        previous = n
    return ", ".join(texts[:_MOST_RANGES]) + (", ..." if len(texts) > _MOST_RANGES else "")
