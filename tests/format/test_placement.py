"""How buffers and chunks lie to each other, compared with a slow way to find it out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from common import each
from hypothesis import given, settings
from hypothesis import strategies as st
from internals import Checksum, Contents, Kind, find_placement

from binpickle.errors import FormatError

STREAM = 10  # bytes of the pickle stream, which is chunk 0


class Chunk(NamedTuple):
    nbytes: int
    encoded: bool = False
    padding: int = 0


RAW = Chunk(8)
ENCODED = Chunk(8, encoded=True)
PADDED = Chunk(8, padding=3)
Range = Any  # start and stop of a buffer, counted from the end of the stream


def contents_of(chunks: list[Chunk], buffers: list[Range]) -> Contents:
    """Return the contents of a file of a stream, these chunks and these buffers."""
    lengths = [STREAM, *(chunk.nbytes for chunk in chunks)]
    stored = [STREAM, *(chunk.nbytes // 2 if chunk.encoded else chunk.nbytes for chunk in chunks)]
    ends = np.cumsum([16, *(n + p for n, p in zip(stored, [0, *(chunk.padding for chunk in chunks)]))])
    return Contents(
        version=3,
        flags=0,
        length=1000,
        chunk_starts=np.cumsum([0, *lengths]),
        chunk_offsets=ends[1:] - stored,
        chunk_stored=np.array(stored),
        chunk_chains=np.array([0, *(int(chunk.encoded) for chunk in chunks)]),
        chains=((), ({"id": "zstd"},)),
        checksum=Checksum("xxh3-128", bytes(16 * len(stored)), 16),
        stream=(0, STREAM),
        buffer_starts=np.array([STREAM + start for start, _ in buffers], np.int64),
        buffer_kinds=np.arange(len(buffers)),
        kinds=tuple(Kind(stop - start) for start, stop in buffers),
        index_digest=bytes(32),
    )


# Chunks and buffers; what is said of the latter: roots, first and last chunks, where in the file, and the gaps.
FOUND = {
    "none": ([], [], [], [], []),
    "no buffers": ([RAW], [], [], [], [(0, 8)]),
    "one a chunk": ([RAW, RAW], [(0, 8), (8, 16)], [0, 1], [26, 34], []),
    "many in one": ([RAW], [(0, 2), (2, 3), (5, 8)], [0, 1, 2], [26, 28, 31], [(3, 5)]),
    "one of many": ([RAW, RAW], [(0, 16)], [0], [26], []),
    "encoded": ([RAW, ENCODED, RAW], [(0, 8), (8, 16), (16, 24)], [0, 1, 2], [26, None, 38], []),
    "partly encoded": ([RAW, ENCODED], [(0, 16)], [0], [None], []),
    "not in one piece": ([RAW, PADDED], [(0, 16)], [0], [None], []),
    "padding before": ([PADDED, RAW], [(0, 16)], [0], [29], []),
    "in each other": ([RAW, RAW], [(2, 4), (0, 16), (1, 9), (0, 16)], [1, 1, 1, 1], [28, 26, 27, 26], []),
    "empty": ([RAW], [(0, 0), (0, 8), (8, 8), (3, 3)], [0, 1, 2, 3], [26, 26, 34, 29], []),
    "overlapping in a third": ([RAW], [(2, 5), (0, 8), (4, 7)], [1, 1, 1], [28, 26, 30], []),
    "out of order": ([RAW, RAW], [(8, 16), (0, 3), (4, 6), (3, 4)], [0, 1, 2, 3], [34, 26, 30, 29], [(6, 8)]),
    "in part of one of many": ([RAW, ENCODED], [(0, 16), (2, 4), (9, 12)], [0, 0, 0], [None, 28, None], []),
}
REFUSED = {
    "overlap": ([RAW], [(0, 5), (4, 8)]),
    "overlap of what is not next": ([Chunk(30)], [(0, 20), (1, 2), (3, 4), (19, 21)]),
    "more than one chunk": ([RAW, RAW], [(0, 9)]),
    "less than two chunks": ([RAW, RAW], [(1, 16)]),
    "parts of three": ([RAW, RAW, RAW], [(7, 17)]),
}


@each(FOUND, "chunks", "buffers", "roots", "places", "gaps")
def test_found(chunks: Any, buffers: Any, roots: Any, places: Any, gaps: Any) -> None:
    """Roots, places and gaps are found."""
    placement = find_placement(contents_of(chunks, buffers))
    offsets = [int(n) if in_place else None for n, in_place in zip(placement.offsets, placement.mappable)]
    assert placement.roots.tolist() == roots
    assert [n for n, (a, b) in zip(offsets, buffers) if b > a] == [n for n, (a, b) in zip(places, buffers) if b > a]
    assert list(zip(placement.gap_starts - STREAM, placement.gap_stops - STREAM)) == gaps
    assert (placement.stops - STREAM).tolist() == [stop for _, stop in buffers]


@each(REFUSED, "chunks", "buffers")
def test_refused(chunks: Any, buffers: Any) -> None:
    """Buffers that overlap in part, or end amid chunks, are refused."""
    with pytest.raises(FormatError, match="buffer"):
        find_placement(contents_of(chunks, buffers))


def test_in_chunk() -> None:
    """The buffers of a chunk are those that have bytes in it."""
    contents = contents_of([RAW, RAW, RAW], [(0, 16), (2, 3), (8, 16), (16, 20), (8, 8)])
    placement = find_placement(contents)
    assert [placement.in_chunk(contents, i).tolist() for i in range(4)] == [[], [0, 1], [0, 2], [3]]


CHUNKS = st.lists(st.builds(Chunk, st.integers(1, 9), st.booleans(), st.sampled_from([0, 0, 0, 2])), max_size=6)


@given(CHUNKS, st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), max_size=8))
@settings(max_examples=400)
def test_like_the_slow_way(chunks: list[Chunk], rows: list[tuple[int, int]]) -> None:
    """What is found is what looking at each byte finds; what it finds wrong is refused."""
    end = sum(chunk.nbytes for chunk in chunks)
    buffers = [(start, start + n) for start, n in rows if start + n <= end]
    contents = contents_of(chunks, buffers)
    try:
        placement = find_placement(contents)
    except FormatError:
        assert slowly_refused(chunks, buffers)
        return
    assert not slowly_refused(chunks, buffers)
    chunk_of, place_of = bytewise(chunks)
    for i, (start, stop) in enumerate(buffers):
        if start == stop:
            assert placement.roots[i] == i
            continue
        holders = [j for j, (a, b) in enumerate(buffers) if a <= start and stop <= b]
        largest = max(holders, key=lambda j: (buffers[j][1] - buffers[j][0], -j))
        assert placement.roots[i] == largest
        assert (placement.first[i] - 1, placement.last[i] - 1) == (chunk_of[start], chunk_of[stop - 1])
        places = [place_of[n] for n in range(start, stop)]
        in_place = None not in places and places == list(range(places[0], places[0] + stop - start))
        assert placement.mappable[i] == in_place
        assert not in_place or placement.offsets[i] == places[0]
    gaps = [n for a, b in zip(placement.gap_starts, placement.gap_stops) for n in range(a - STREAM, b - STREAM)]
    assert gaps == [n for n in range(end) if not any(a <= n < b for a, b in buffers)]


def bytewise(chunks: list[Chunk]) -> tuple[list[int], list[Any]]:
    """Return for each byte its chunk, and where in the file it lies as it is, or `None`."""
    chunk_of: list[int] = []
    place_of: list[Any] = []
    at = 16 + STREAM
    for i, chunk in enumerate(chunks):
        at += chunk.padding
        chunk_of += [i] * chunk.nbytes
        place_of += [None if chunk.encoded else at + n for n in range(chunk.nbytes)]
        at += chunk.nbytes // 2 if chunk.encoded else chunk.nbytes
    return chunk_of, place_of


def slowly_refused(chunks: list[Chunk], buffers: list[Range]) -> bool:
    """Whether buffers that no other holds overlap, or one of them is neither in one chunk nor made of whole ones."""
    chunk_of, _ = bytewise(chunks)
    edges = {0, *np.cumsum([chunk.nbytes for chunk in chunks]).tolist()}
    filled = {(a, b) for a, b in buffers if a < b}
    roots = {(a, b) for a, b in filled if not any(c <= a and b <= d for c, d in filled - {(a, b)})}
    overlapping = any(c < b and a < d for a, b in roots for c, d in roots - {(a, b)})
    return overlapping or any(chunk_of[a] != chunk_of[b - 1] and not {a, b} <= edges for a, b in roots)
