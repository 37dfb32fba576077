"""Small files, loaded by their layout: no tables are made for a file of a layout that is known.

Rule: a file of a known layout has the same checks as any other, of all that its layout leaves open. If anything is not
as it should be, `load_small` returns `None`, and the usual way of loading tells what is wrong.
"""

from __future__ import annotations

import hashlib
import io
from typing import Any, Iterator, Sequence

import msgpack
import numpy as np

from ..codecs.chain import decode
from ..errors import BinPickleError, FormatError
from ..files.source import BytesSource, Source
from ..format.columns import unpack_column
from ..format.header import HEADER, LEAST_ALIGNMENT, NO_SEAL, TRAILER, Trailer
from ..limits import Limits
from .environment import trusted_here
from .filereader import FileReader
from .layouts import Layout, layout_of
from .loading import unpickle
from .memory import SLAB_BYTES

__all__ = ["load_small"]

_NOT_RIGHT = "not as in a file of this layout"
_LEAST = HEADER.size + TRAILER.size
# An index of more bytes is hardly that of a few buffers.
_SMALL_INDEX = 4 << 10


def load_small(source: Source) -> tuple[Any] | None:
    """Return the object of a file, in a tuple, if the file is small and simple and in order; else `None`.

    It is the object that the usual way of loading returns, by default options.

    Raises:
        FormatError: the pickle stream is malformed.
        Exception: from the source, and from the classes of the object.
    """
    if not _LEAST < source.size <= SLAB_BYTES:
        return None
    memory = np.empty(source.size, np.uint8)
    source.plan([(0, source.size)])
    try:
        source.read_into(0, memory)
    except FormatError:  # it was cut meanwhile
        return None
    try:
        index = _index(memory)
        layout = None if index is None else _layout(memory, index)
        if index is None or layout is None:
            return None
        chunks = list(_read_chunks(memory, layout, index))
    except (BinPickleError, ValueError):
        return None
    if trusted_here(None) is not None:  # a source that runs code, or another thread, has just restricted all loads
        return None
    return (unpickle(io.BytesIO(chunks[0].data), _buffers(layout, chunks), layout.libraries),)


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
    return layout_of(header, index, lambda: FileReader(BytesSource(memory), Limits()))


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
        elif 2 * len(data) < len(memory):  # else an array that is kept would keep all other chunks, too
            data = data.copy()
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
