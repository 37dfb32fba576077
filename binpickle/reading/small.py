"""Small files, loaded by their layout: no tables are made for a file of a layout that is known.

Rule: a file of a known layout has the same checks as any other, of all that its layout leaves open. If anything is not
as it should be, the answer is `UNKNOWN`, and the usual way of loading tells what is wrong.
"""

from __future__ import annotations

import hashlib
import io
from typing import Any, Iterator, Sequence

import msgpack
import numpy as np

from ..codecs.chain import decode
from ..errors import BinPickleError
from ..files.source import BytesSource, Source
from ..format.columns import unpack_column
from ..format.header import HEADER, LEAST_ALIGNMENT, NO_SEAL, TRAILER, Trailer
from ..limits import Limits
from .filereader import FileReader
from .layouts import Layout, find_layout, learn
from .loading import unpickle
from .memory import SLAB_BYTES

__all__ = ["UNKNOWN", "load_small"]

UNKNOWN = object()
"""In place of an object: the file is not small and simple, or not as it should be."""

_NOT_RIGHT = "not as in a file of this layout"
_LEAST = HEADER.size + TRAILER.size
# An index of more bytes is hardly that of a few buffers.
_SMALL_INDEX = 4 << 10


def load_small(source: Source) -> Any:
    """Return the object of a file, if that is small and simple, or `UNKNOWN`.

    It is the object that the usual way of loading returns, by default options, in the same kind of memory.

    Raises:
        FormatError: the pickle stream is malformed.
        Exception: from the classes of the object.
    """
    if not _LEAST < source.size <= SLAB_BYTES:
        return UNKNOWN
    memory = np.empty(source.size, np.uint8)
    try:
        source.read_into(0, memory)
        index = _index(memory)
        layout = None if index is None else _layout(memory, index)
        if index is None or layout is None:
            return UNKNOWN
        chunks = list(_read_chunks(memory, layout, index))
    except (BinPickleError, ValueError):
        return UNKNOWN
    return unpickle(io.BytesIO(chunks[0].data), _buffers(layout, chunks), layout.libraries)


def _index(memory: np.ndarray) -> bytes | None:
    """Return the index of a file; `None` if it is large or damaged, or has a seal.

    Raises:
        FormatError: the file has no trailer.
    """
    view, end = memory.data, len(memory) - TRAILER.size
    trailer = Trailer.unpack(bytes(view[end:]))
    index = bytes(view[trailer.index_offset : end])
    fits = trailer.file_length == len(memory) and trailer.index_length == len(index) <= _SMALL_INDEX
    if not fits or trailer.seal != NO_SEAL or hashlib.sha256(index).digest() != trailer.index_digest:
        return None
    return index


def _layout(memory: np.ndarray, index: bytes) -> Layout | None:
    """Return the layout of a file; `None` if it is not simple.

    Raises:
        BinPickleError: the tables of the file are wrong.
    """
    header = bytes(memory.data[: HEADER.size])
    layout = find_layout(header, index)
    return learn(header, index, FileReader(BytesSource(memory), Limits())) if layout is None else layout


def _read_chunks(memory: np.ndarray, layout: Layout, index: bytes) -> Iterator[np.ndarray]:
    """Yield the decoded chunks; all of them are right once this generator has ended.

    Raises:
        BinPickleError, ValueError: something is not right.
    """
    size = layout.algorithm.size
    values = layout.values_at(index)
    lengths = _lengths(layout, index[len(layout.head) : values - len(layout.middle)])
    position = HEADER.size
    for chunk, length in zip(layout.chunks, lengths):
        start = position + chunk.padding
        if memory[position:start].tobytes().strip(b"\0"):
            raise ValueError(_NOT_RIGHT)
        data = memory[start : start + length]
        position = start + length
        if layout.algorithm.of(data) != index[values : values + size]:
            raise ValueError(_NOT_RIGHT)
        values += size
        if chunk.chain:
            encoded, data = data, np.empty(chunk.nbytes, np.uint8)
            decode(chunk.chain, encoded.data, chunk.nbytes, data)
        if len(data) != chunk.nbytes or any(data[a:b].any() for a, b in chunk.gaps):
            raise ValueError(_NOT_RIGHT)
        yield data
    if position + len(index) + TRAILER.size != len(memory):
        raise ValueError(_NOT_RIGHT)


def _lengths(layout: Layout, packed: bytes) -> Sequence[int]:
    """Return the stored lengths of the chunks, none of which is negative."""
    if packed == layout.stored:
        return layout.lengths
    lengths: list[int] = unpack_column(msgpack.unpackb(packed), len(layout.chunks), "stored").tolist()
    if min(lengths) < 0:
        raise ValueError(_NOT_RIGHT)
    return lengths


def _buffers(layout: Layout, chunks: Sequence[np.ndarray]) -> Iterator[Any]:
    """Yield the buffers for the unpickler: see `Loading`."""
    for buffer in layout.buffers:
        data = chunks[buffer.chunk][buffer.start : buffer.stop]
        if buffer.apart or data.__array_interface__["data"][0] % LEAST_ALIGNMENT:
            data = data.copy()
        yield data.data if buffer.plain else data
