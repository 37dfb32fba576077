"""The layouts of small files that this process has loaded: what all files of a layout have in common.

Strategy: services and caches keep many small files that differ in their values alone. In the indexes of such files only
the checksums differ, and the stored lengths of encoded chunks. An index that was parsed is taken apart there; if the
rest of another index is equal to the rest of this one, byte for byte, it need not be parsed.

Rule: a layout is known only by an index whose MessagePack is written in the one canonical form, so that equal values
mean equal bytes and every byte is known to belong to the rest, to the lengths or to the checksums.
"""

from __future__ import annotations

import os
from typing import Callable, Iterator, Mapping, NamedTuple, Sequence, Tuple

import msgpack

from ..codecs.chain import Chain
from ..format.checksums import ALGORITHMS, Algorithm
from ..format.header import HEADER, VERSION
from ..limits import Limits
from .filereader import FileReader
from .memory import SLAB_BYTES
from .recent import Recent

__all__ = ["BufferLayout", "ChunkLayout", "Layout", "layout_of"]

# Few buffers and chunks, all of which fit in one slab.
_FEW = 32
# Layouts that agree up to the stored lengths of their chunks.
_MOST_ALIKE = 4

_STORED: bytes = msgpack.packb("stored")
_Key = Tuple[bytes, bytes]


class ChunkLayout(NamedTuple):
    """A chunk of a layout.

    Attributes:
        nbytes: its decoded length.
        padding: how many zeros come before it.
        chain: its codecs.
        gaps: its ranges that no buffer holds.
    """

    nbytes: int
    padding: int
    chain: Chain
    gaps: Sequence[tuple[int, int]]


class BufferLayout(NamedTuple):
    """A buffer of a layout.

    Attributes:
        chunk: the number of the chunk that holds it.
        start: where it begins in that chunk.
        stop: where it ends there.
        plain: whether it holds plain bytes, not an array.
        apart: whether another buffer holds its memory, so that it needs a copy.
    """

    chunk: int
    start: int
    stop: int
    plain: bool
    apart: bool


class Layout(NamedTuple):
    """What files of one layout have in common.

    Attributes:
        head: the bytes of the index before the stored lengths of the chunks.
        middle: the bytes of the index between the stored lengths and the checksums.
        tail: the bytes of the index behind the checksums.
        stored: the bytes of the index that hold the stored lengths, in the file from which the layout was learned.
        lengths: these lengths.
        algorithm: of the checksums.
        chunks: the chunks; the first is the pickle stream.
        buffers: the buffers, in the order in which the stream asks for them.
        libraries: the writer's versions.
    """

    head: bytes
    middle: bytes
    tail: bytes
    stored: bytes
    lengths: Sequence[int]
    algorithm: Algorithm
    chunks: Sequence[ChunkLayout]
    buffers: Sequence[BufferLayout]
    libraries: Mapping[str, str]

    def values_at(self, index: bytes) -> int:
        """Return where the checksums begin in an index of this layout."""
        return len(index) - len(self.tail) - self.algorithm.size * len(self.chunks)

    def continues(self, index: bytes) -> bool:
        """Return whether an index that begins with `head` is of this layout."""
        middle = self.values_at(index) - len(self.middle)
        return middle > len(self.head) and index.startswith(self.middle, middle) and index.endswith(self.tail)


_layouts: Recent[_Key, list[Layout]] = Recent(256)


def layout_of(header: bytes, index: bytes, make_reader: Callable[[], FileReader]) -> Layout | None:
    """Return the layout of a file; `None` if it is not simple.

    Args:
        header: the header of the file.
        index: its index.
        make_reader: makes the tables of the file, which takes time; called if the layout is not known.
    """
    key = header, index[: index.find(_STORED) + len(_STORED)]
    known = _layouts.get(key)
    if known == []:
        return None
    for layout in known or ():
        if layout.continues(index):
            return layout
    learned = _learned(index, make_reader())
    if learned is not None:
        _layouts.put(key, [learned, *(known or ())][:_MOST_ALIKE])
    elif known is None:
        _layouts.put(key, [])  # such files are not simple
    return learned


def _learned(index: bytes, reader: FileReader) -> Layout | None:
    contents = reader.contents
    parts = _taken_apart(index) if _is_simple(reader) else None
    if parts is None:
        return None
    head, stored, middle, tail = parts
    return Layout(
        head=head,
        middle=middle,
        tail=tail,
        stored=stored,
        lengths=contents.chunk_stored.tolist(),
        algorithm=ALGORITHMS[contents.checksum.name],
        chunks=list(_chunks(reader)),
        buffers=list(_buffers(reader)),
        libraries=contents.libraries,
    )


def _is_simple(reader: FileReader) -> bool:
    contents = reader.contents
    chunks, buffers = len(contents.chunk_stored), len(contents.buffer_starts)
    return (
        contents.version == VERSION
        and not contents.sealed
        and max(contents.length, int(contents.chunk_starts[-1])) <= SLAB_BYTES
        and max(chunks, buffers) <= _FEW
        and reader.stream_chunks == range(1)
        and not any(reader.needs_helper(i) for i in range(chunks))
        and bool((reader.placement.first == reader.placement.last).all())
        and buffers <= Limits().buffers_in(0)
    )


def _taken_apart(index: bytes) -> tuple[bytes, bytes, bytes, bytes] | None:
    """Return an index up to its stored lengths, these lengths, what follows them, and what follows the checksums."""
    values = msgpack.unpackb(index, strict_map_key=False)
    if msgpack.packb(values, use_bin_type=True) != index:
        return None
    stored, checksums = values["chunks"]["stored"], values["chunks"]["values"]
    marks = os.urandom(16), os.urandom(len(checksums))  # of the same length, so that the length before them stays
    values["chunks"].update(stored=marks[0], values=marks[1])
    head, _, rest = msgpack.packb(values, use_bin_type=True).partition(msgpack.packb(marks[0], use_bin_type=True))
    middle, _, tail = rest.partition(marks[1])
    packed = msgpack.packb(stored, use_bin_type=True)
    if head + packed + middle + checksums + tail != index or index.find(_STORED) + len(_STORED) != len(head):
        return None
    return head, packed, middle, tail


def _chunks(reader: FileReader) -> Iterator[ChunkLayout]:
    contents, placement = reader.contents, reader.placement
    starts, ends = contents.chunk_starts.tolist(), (contents.chunk_offsets + contents.chunk_stored).tolist()
    gaps = list(zip(placement.gap_starts.tolist(), placement.gap_stops.tolist()))
    for i, (begin, end, offset, before) in enumerate(
        zip(starts, starts[1:], contents.chunk_offsets.tolist(), [HEADER.size, *ends])
    ):
        inside = [(max(a, begin) - begin, min(b, end) - begin) for a, b in gaps if a < end and b > begin]
        yield ChunkLayout(end - begin, offset - before, reader.chain(i), inside)


def _buffers(reader: FileReader) -> Iterator[BufferLayout]:
    contents, placement = reader.contents, reader.placement
    starts = contents.chunk_starts.tolist()
    for i, (start, stop) in enumerate(zip(contents.buffer_starts.tolist(), placement.stops.tolist())):
        chunk = int(placement.first[i])
        plain = contents.kinds[int(contents.buffer_kinds[i])].dtype is None
        apart = int(placement.roots[i]) != i
        yield BufferLayout(chunk, start - starts[chunk], stop - starts[chunk], plain, apart)
