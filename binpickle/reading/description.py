"""What an open file says of itself: its facts and sizes, and its buffers one by one.

Rule: totals come from the columns of the index, all buffers at once, so that 100,000 buffers take milliseconds. In the
totals, bytes of the file that several buffers share count once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Hashable, Iterator, Mapping, Sequence, TypeVar, overload

import numpy as np

from ..format.contents import Spec
from .filereader import FileReader

__all__ = ["Buffer", "Buffers", "Summary", "Total", "summarize"]

_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True)
class Total:
    """Some parts of a file, added up.

    Attributes:
        count: number of parts.
        nbytes: the sum of their decoded lengths.
        stored_nbytes: the bytes they take in the file; a part that lies within another part counts 0.
    """

    count: int
    nbytes: int
    stored_nbytes: int


@dataclass(frozen=True, eq=False)
class Summary:
    """The facts of one file, and its sizes added up.

    Attributes:
        name: name of the file, or `None` if the file has no name.
        version: format version, 1 to 3.
        size: bytes of the whole file.
        checksum: the algorithm that checks the stored bytes: `"xxh3-128"`, `"sha256"` or `"adler32"`.
        metadata: the writer's `metadata`.
        libraries: the writer's versions of Python, BinPickle and the libraries whose classes the object needs.
        is_mappable: whether every buffer is stored raw, so that all can be mapped.
        is_sealed: whether the file has a seal; only opening it with a key tells whether the seal is good.
        root_digest: 32 bytes that identify everything in the file; `None` if it was written without digests.
        stream: the pickle stream.
        buffers: all buffers.
        by_codecs: totals of the buffers by the ids of their codecs, in encode order; the largest in the file first.
        by_dtype: totals of the buffers by the name of their dtype, `None` for plain bytes; the largest first.
        stored: int64, for each buffer the bytes it takes in the file; 0 if it lies within another buffer.
    """

    name: str | None
    version: int
    size: int
    checksum: str
    metadata: Mapping[str, str]
    libraries: Mapping[str, str]
    is_mappable: bool
    is_sealed: bool
    root_digest: bytes | None
    stream: Total
    buffers: Total
    by_codecs: Mapping[tuple[str, ...], Total]
    by_dtype: Mapping[str | None, Total]
    stored: np.ndarray

    @property
    def nbytes(self) -> int:
        """The decoded length of stream and buffers together, in bytes."""
        return self.stream.nbytes + self.buffers.nbytes

    @property
    def overhead(self) -> int:
        """The bytes of the file that are neither stream nor buffers: header, index, padding."""
        return self.size - self.stream.stored_nbytes - self.buffers.stored_nbytes

    def largest(self, count: int) -> list[int]:
        """Return the numbers of the `count` buffers that take most of the file, the largest first."""
        numbers: list[int] = np.argsort(-self.stored, kind="stable")[:count].tolist()
        return numbers


def summarize(reader: FileReader) -> Summary:
    """Add up the sizes of an open file."""
    contents = reader.contents
    chunks = np.array(reader.stream_chunks, np.int64)
    stored_stream = int(contents.chunk_stored[chunks].sum())
    shares, nbytes = _shares(reader), contents.buffer_nbytes
    return Summary(
        name=reader.source.name,
        version=contents.version,
        size=contents.length,
        checksum=contents.checksum.name,
        metadata=dict(contents.metadata),
        libraries=dict(contents.libraries),
        is_mappable=reader.is_mappable,
        is_sealed=contents.sealed,
        root_digest=contents.root_digest,
        stream=Total(int(contents.stream is not None), reader.stream_nbytes, stored_stream),
        buffers=Total(len(nbytes), int(nbytes.sum()), round(shares.sum())),
        by_codecs=_totals(_chains(reader), _ids(reader), nbytes, shares),
        by_dtype=_totals(contents.buffer_kinds, _dtypes(reader), nbytes, shares),
        stored=np.rint(shares).astype(np.int64),
    )


def _shares(reader: FileReader) -> np.ndarray:
    """Return what each buffer takes: of a chunk that several share, as much as it has of the decoded bytes.

    These are fractions. A hundred thousand of them, each rounded, could add up to more than the file.
    """
    contents, placement = reader.contents, reader.placement
    nbytes = contents.buffer_nbytes
    stored_before = np.concatenate(([0], contents.chunk_stored.cumsum()))
    counted = np.flatnonzero((nbytes > 0) & (placement.roots == np.arange(len(nbytes))))
    first, stop = placement.first[counted], placement.last[counted] + 1
    logical = contents.chunk_starts[stop] - contents.chunk_starts[first]
    shares = np.zeros(len(nbytes))
    shares[counted] = (stored_before[stop] - stored_before[first]) * (nbytes[counted] / logical)
    return shares


def _chains(reader: FileReader) -> np.ndarray:
    """Return for each buffer the chain of its first chunk; one more than there are for those of no bytes."""
    contents = reader.contents
    chains = np.full(len(contents.buffer_starts), len(contents.chains), np.int64)
    filled = contents.buffer_nbytes > 0
    chains[filled] = contents.chunk_chains[reader.placement.first[filled]]
    return chains


def _ids(reader: FileReader) -> list[tuple[str, ...]]:
    """Return the codec ids of each chain, and none for buffers of no bytes."""
    return [*(tuple(str(spec.get("id")) for spec in chain) for chain in reader.contents.chains), ()]


def _dtypes(reader: FileReader) -> list[str | None]:
    """Return the dtype of each kind in words; worked out once, since files of many shapes have few dtypes."""
    dtypes = [kind.dtype for kind in reader.contents.kinds]
    words = {dtype: str(dtype) for dtype in {dtype for dtype in dtypes if dtype is not None}}
    return [None if dtype is None else words[dtype] for dtype in dtypes]


def _totals(numbers: np.ndarray, keys: Sequence[_Key], nbytes: np.ndarray, shares: np.ndarray) -> dict[_Key, Total]:
    """Add up buffers by key; `numbers` says for each buffer which of the keys is its own."""
    order = {key: n for n, key in enumerate(dict.fromkeys(keys))}
    which = np.array([order[key] for key in keys], np.int64)[numbers]
    sums = np.zeros((3, len(order)))
    for column, values in zip(sums, [np.ones_like(nbytes), nbytes, shares]):
        np.add.at(column, which, values)
    totals = {key: Total(*(round(value) for value in sums[:, n].tolist())) for key, n in order.items() if sums[0, n]}
    return dict(sorted(totals.items(), key=lambda item: -item[1].stored_nbytes))


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

    def __init__(self, reader: FileReader, mapped: bool):
        self._reader = reader
        self._mapped = mapped
        stored = reader.contents.chunk_stored
        self._stored_before = np.concatenate(([0], stored.cumsum()))

    def __len__(self) -> int:
        return len(self._reader.contents.buffer_starts)

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
        contents, placement = self._reader.contents, self._reader.placement
        kind = contents.kinds[contents.buffer_kinds[n]]
        in_place = bool(placement.mappable[n]) or not kind.nbytes
        codecs = contents.chains[contents.chunk_chains[placement.first[n]]] if kind.nbytes else ()
        return Buffer(
            dtype=kind.dtype,
            shape=kind.shape,
            order=kind.order if kind.shape is not None else None,
            nbytes=kind.nbytes,
            stored_nbytes=self._stored_nbytes(n, kind.nbytes),
            codecs=codecs,
            offset=int(placement.offsets[n]) if in_place and kind.nbytes else None,
            mapped=self._mapped and in_place and kind.nbytes > 0,
        )

    def _stored_nbytes(self, n: int, nbytes: int) -> int:
        contents, placement = self._reader.contents, self._reader.placement
        first, last = int(placement.first[n]), int(placement.last[n])
        if not nbytes:
            return 0
        stored = int(self._stored_before[last + 1] - self._stored_before[first])
        logical = int(contents.chunk_starts[last + 1] - contents.chunk_starts[first])
        return round(stored * nbytes / logical)
