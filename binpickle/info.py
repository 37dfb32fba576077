"""What a file says of itself, as values: its buffers, its entries as earlier releases listed them, its status."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from typing import Any, Iterator, Sequence, overload

import numpy as np

from .container import Container
from .contents import Limits, Spec
from .errors import BinPickleError
from .source import open_source

__all__ = ["BPKInfo", "Buffer", "Buffers", "Entry", "FileStatus", "file_info", "list_entries"]


@dataclass(frozen=True)
class Buffer:
    """One out-of-band buffer of a file.

    Attributes:
        dtype: element type of the array, or `None` for plain bytes.
        shape: of the array, or `None`.
        order: `"C"`, `"F"`, or the tuple of axes, slowest first, in which the elements lie; `None` for plain bytes.
        nbytes: its length.
        stored_nbytes: what it takes in the file; its share where buffers share a chunk.
        codecs: the codec specs of its first chunk, in encode order; empty where it is stored raw.
        offset: where it lies in the file, or `None` where it does not lie there as it is.
        mapped: whether this open file maps it.
    """

    dtype: np.dtype | None
    shape: tuple[int, ...] | None
    order: Any
    nbytes: int
    stored_nbytes: int
    codecs: tuple[Spec, ...]
    offset: int | None
    mapped: bool


class Buffers(Sequence[Buffer]):
    """The buffers of a file, in the order in which the pickle stream asks for them; made as they are asked for."""

    def __init__(self, container: Container, mapped: bool):
        self._container = container
        self._mapped = mapped
        stored = container.contents.chunk_stored
        self._stored_before = np.concatenate(([0], stored.cumsum()))

    def __len__(self) -> int:
        return len(self._container.contents.buffer_starts)

    def __iter__(self) -> Iterator[Buffer]:
        return (self[i] for i in range(len(self)))

    @overload
    def __getitem__(self, i: int) -> Buffer: ...

    @overload
    def __getitem__(self, i: slice) -> list[Buffer]: ...

    def __getitem__(self, i: int | slice) -> Buffer | list[Buffer]:
        if isinstance(i, slice):
            return [self[n] for n in range(*i.indices(len(self)))]
        n = range(len(self))[i]
        contents, regions = self._container.contents, self._container.regions
        kind = contents.kinds[contents.buffer_kinds[n]]
        in_place = bool(regions.mappable[n]) or not kind.nbytes
        codecs = contents.chains[contents.chunk_chains[regions.first[n]]] if kind.nbytes else ()
        return Buffer(
            dtype=kind.dtype,
            shape=kind.shape,
            order=kind.order if kind.shape is not None else None,
            nbytes=kind.nbytes,
            stored_nbytes=self._stored_nbytes(n, kind.nbytes),
            codecs=codecs,
            offset=int(regions.offsets[n]) if in_place and kind.nbytes else None,
            mapped=self._mapped and in_place and kind.nbytes > 0,
        )

    def _stored_nbytes(self, n: int, nbytes: int) -> int:
        contents, regions = self._container.contents, self._container.regions
        first, last = int(regions.first[n]), int(regions.last[n])
        if not nbytes:
            return 0
        stored = int(self._stored_before[last + 1] - self._stored_before[first])
        logical = int(contents.chunk_starts[last + 1] - contents.chunk_starts[first])
        return round(stored * nbytes / logical)


@dataclass(frozen=True)
class Entry:
    """A stored piece, as releases before 1.0 listed them.

    Attributes:
        offset: where it lies in the file, or `None` where it shares a chunk with others.
        enc_length: stored bytes; a pro-rata share where it shares a chunk.
        dec_length: bytes when decoded.
        codecs: codec specs in encode order.
        info: `("ndarray", dtype, shape)` or `None`.
    """

    offset: int | None
    enc_length: int
    dec_length: int
    codecs: tuple[Spec, ...]
    info: Any


def list_entries(container: Container, buffers: Buffers) -> list[Entry]:
    """Return the entries of a file: buffers in the order of the file, then the pickle stream."""
    contents = container.contents
    if contents.entry_info is not None:  # versions 1 and 2: a chunk is an entry
        columns = contents.chunk_offsets, contents.chunk_stored, np.diff(contents.chunk_starts), contents.chunk_chains
        rows = zip(*(column.tolist() for column in columns), contents.entry_info)
        return [Entry(at, stored, nbytes, contents.chains[chain], info) for at, stored, nbytes, chain, info in rows]
    order = np.argsort(contents.buffer_starts, kind="stable").tolist()
    entries = [_buffer_entry(container, buffers[i], i) for i in order]
    if contents.stream is not None:
        chunks = container.stream_chunks
        first = chunks[0]
        stored = int(contents.chunk_stored[first : chunks[-1] + 1].sum())
        length = contents.stream[1] - contents.stream[0]
        codecs = contents.chains[contents.chunk_chains[first]]
        entries.append(Entry(int(contents.chunk_offsets[first]), stored, length, codecs, None))
    return entries


def _buffer_entry(container: Container, buffer: Buffer, i: int) -> Entry:
    contents, regions = container.contents, container.regions
    first, last = int(regions.first[i]), int(regions.last[i])
    chunks = contents.chunk_starts
    alone = chunks[first] == contents.buffer_starts[i] and chunks[last + 1] == regions.stops[i]
    info = None if buffer.dtype is None else ("ndarray", str(buffer.dtype), buffer.shape)
    offset = int(contents.chunk_offsets[first]) if alone else None
    return Entry(offset, buffer.stored_nbytes, buffer.nbytes, buffer.codecs, info)


class FileStatus(enum.Enum):
    """What `file_info` found."""

    MISSING = "missing"
    INVALID = "invalid"
    BINPICKLE = "binpickle"


@dataclass(frozen=True)
class BPKInfo:
    """What is known of a file without loading it.

    Attributes:
        status: whether it is there, and a BinPickle file.
        size: in bytes; 0 for a missing one.
        version: its format version, or `None` where it is not a BinPickle file.
    """

    status: FileStatus
    size: int
    version: int | None = None

    @property
    def is_valid(self) -> bool:
        """Whether it is a BinPickle file with a sound structure and index."""
        return self.status is FileStatus.BINPICKLE


def file_info(file: Any) -> BPKInfo:
    """Say what a file is, from its structure and index; nothing is loaded.

    Args:
        file: path, or seekable binary file object; its position is left at the end.

    Raises:
        OSError: the file is there, but can not be read.
    """
    if isinstance(file, (str, os.PathLike)) and not os.path.exists(file):
        return BPKInfo(FileStatus.MISSING, 0)
    source = open_source(file, Limits().stored_bytes)
    try:
        container = Container(source, Limits())
    except BinPickleError:
        return BPKInfo(FileStatus.INVALID, source.size)
    finally:
        source.close()
    return BPKInfo(FileStatus.BINPICKLE, source.size, container.contents.version)
