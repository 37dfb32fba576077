"""The entries of a file: its stored pieces as releases before 1.0 listed them.

Rule: in versions 1 and 2 each chunk is an entry. In version 3 each buffer is one, and so is the pickle stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..format.contents import Spec
from ..format.dtypes import dtype_name
from .description import Buffer
from .filereader import FileReader
from .listing import Buffers

__all__ = ["Entry", "list_entries"]


@dataclass(frozen=True)
class Entry:
    """A stored piece, as releases before 1.0 listed it.

    Attributes:
        offset: its position in the file, or `None` if it shares a chunk with other pieces.
        enc_length: its stored bytes; if it shares a chunk, its share of the chunk's stored bytes.
        dec_length: its decoded length in bytes.
        codecs: its codec specs, in encode order.
        info: `("ndarray", dtype, shape)` for an array, else `None`; in versions 1 and 2 what the file has there.
    """

    offset: int | None
    enc_length: int
    dec_length: int
    codecs: tuple[Spec, ...]
    info: Any


def list_entries(reader: FileReader, buffers: Buffers) -> list[Entry]:
    """Return the entries of a file: the buffers in the order of the file, then the pickle stream."""
    contents = reader.contents
    if contents.entry_info is not None:  # versions 1 and 2
        columns = contents.chunk_offsets, contents.chunk_stored, np.diff(contents.chunk_starts), contents.chunk_chains
        rows = zip(*(column.tolist() for column in columns), contents.entry_info)
        return [Entry(at, stored, nbytes, contents.chains[chain], info) for at, stored, nbytes, chain, info in rows]
    order = np.argsort(contents.buffer_starts, kind="stable").tolist()
    entries = [_buffer_entry(reader, buffers[i], i) for i in order]
    if contents.stream is not None:
        chunks = reader.stream_chunks
        first = chunks[0]
        stored = int(contents.chunk_stored[first : chunks[-1] + 1].sum())
        codecs = contents.chains[contents.chunk_chains[first]]
        entries.append(Entry(int(contents.chunk_offsets[first]), stored, reader.stream_nbytes, codecs, None))
    return entries


def _buffer_entry(reader: FileReader, buffer: Buffer, i: int) -> Entry:
    contents, placement = reader.contents, reader.placement
    first, last = int(placement.first[i]), int(placement.last[i])
    chunks = contents.chunk_starts
    alone = chunks[first] == contents.buffer_starts[i] and chunks[last + 1] == placement.stops[i]
    info = None if buffer.dtype is None else ("ndarray", dtype_name(buffer.dtype), buffer.shape)
    offset = int(contents.chunk_offsets[first]) if alone else None
    return Entry(offset, buffer.stored_nbytes, buffer.nbytes, buffer.codecs, info)
