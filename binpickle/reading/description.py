"""What an open file says of itself: its facts and sizes, and its buffers one by one.

Rule: totals come from the columns of the index, all buffers at once, so that 100,000 buffers take milliseconds. In the
totals, bytes of the file that several buffers share count once.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import eq
from typing import Any, Hashable, Iterator, Mapping, Sequence, TypeVar, overload

import numpy as np

from ..format.contents import Contents, Spec
from ..format.dtypes import copied, dtype_name
from ..format.placement import Placement
from .filereader import FileReader
from .limiting import buffers_nbytes

__all__ = ["Buffer", "Buffers", "Summary", "Total", "summarize"]

_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True)
class Buffer:
    """One out-of-band buffer of a file.

    Attributes:
        dtype: the element type of the array, or `None` for plain bytes.
        shape: the shape of the array, or `None` for plain bytes.
        order: `"C"`, `"F"`, or the tuple of axes, slowest first, in which the elements lie; `None` for plain bytes.
        nbytes: its decoded length.
        stored_nbytes: the bytes it takes in the file; if several buffers share a chunk, its share of the chunk.
        codecs: the codec specs of its first chunk, in encode order; empty if it is stored raw.
        offset: its position in the file, or `None` if it is stored encoded.
        mapped: whether this open file maps it. If it is mapped read-only, `load` still copies it for a tensor of torch.
    """

    dtype: np.dtype | None
    shape: tuple[int, ...] | None
    order: str | tuple[int, ...] | None
    nbytes: int
    stored_nbytes: int
    codecs: tuple[Spec, ...]
    offset: int | None
    mapped: bool


class Buffers(Sequence[Buffer]):
    """The buffers of a file, in the order in which the pickle stream asks for them, each described on demand.

    They stay when the file is closed: nothing of it is read. Pickled, they become a tuple.
    """

    def __init__(self, contents: Contents, placement: Placement, mapped: bool):
        self._contents = contents
        self._placement = placement
        self._mapped = mapped
        self._stored_before = _stored_before(contents)
        self._dtypes: dict[int, np.dtype | None] = {}

    def __len__(self) -> int:
        return len(self._contents.buffer_starts)

    def __iter__(self) -> Iterator[Buffer]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (Buffers, list, tuple)) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        return tuple, (list(self),)

    def __repr__(self) -> str:
        return f"<{len(self)} buffers, {self.nbytes} bytes>"

    @property
    def nbytes(self) -> int:
        """The sum of the decoded lengths of all buffers, in bytes."""
        return buffers_nbytes(self._contents)

    @overload
    def __getitem__(self, i: int) -> Buffer: ...

    @overload
    def __getitem__(self, i: slice) -> list[Buffer]: ...

    def __getitem__(self, i: int | slice) -> Buffer | list[Buffer]:
        if isinstance(i, slice):
            return [self[n] for n in range(*i.indices(len(self)))]
        n = range(len(self))[i]
        contents, placement = self._contents, self._placement
        number = int(contents.buffer_kinds[n])
        kind, dtype = contents.kinds[number], self._dtype(number)
        order = kind.order if kind.shape is not None else None
        if not kind.nbytes:
            return Buffer(dtype, kind.shape, order, 0, 0, codecs=(), offset=None, mapped=False)
        in_place = bool(placement.mappable[n])
        first, last = int(placement.first[n]), int(placement.last[n])
        return Buffer(
            dtype=dtype,
            shape=kind.shape,
            order=order,
            nbytes=kind.nbytes,
            stored_nbytes=round(self._share(first, last + 1, kind.nbytes)),
            codecs=contents.chains[contents.chunk_chains[first]],
            offset=int(placement.offsets[n]) if in_place else None,
            mapped=self._mapped and in_place,
        )

    def _dtype(self, kind: int) -> np.dtype | None:
        """Return the dtype of a kind. Callers get their own: they may rename its fields, and tables may be kept."""
        if kind not in self._dtypes:
            dtype = self._contents.kinds[kind].dtype
            self._dtypes[kind] = None if dtype is None else copied(dtype)
        return self._dtypes[kind]

    def _share(self, first: int, stop: int, nbytes: int) -> float:
        """Return the bytes in the file of a buffer of `nbytes` bytes that lies in chunks `first` to `stop - 1`."""
        before, starts = self._stored_before, self._contents.chunk_starts
        share: float = _share(int(before[stop] - before[first]), nbytes, int(starts[stop] - starts[first]))
        return share


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
    """Return the bytes that each buffer takes in the file, float64; 0 if it is empty or lies within another buffer."""
    nbytes = reader.contents.buffer_nbytes
    counted = np.flatnonzero((nbytes > 0) & (reader.placement.roots == np.arange(len(nbytes))))
    shares = np.zeros(len(nbytes))
    first, stop = reader.placement.first[counted], reader.placement.last[counted] + 1
    before, starts = _stored_before(reader.contents).astype(float), reader.contents.chunk_starts
    shares[counted] = _share(before[stop] - before[first], nbytes[counted], starts[stop] - starts[first])
    return shares


def _chains(reader: FileReader) -> np.ndarray:
    """Return for each buffer the number of its first chunk's chain; for empty buffers the number of chains."""
    contents = reader.contents
    chains = np.full(len(contents.buffer_starts), len(contents.chains), np.int64)
    filled = contents.buffer_nbytes > 0
    chains[filled] = contents.chunk_chains[reader.placement.first[filled]]
    return chains


def _ids(reader: FileReader) -> list[tuple[str, ...]]:
    """Return the codec ids of each chain, and at the end those of empty buffers: none."""
    return [*(tuple(str(spec.get("id")) for spec in chain) for chain in reader.contents.chains), ()]


def _dtypes(reader: FileReader) -> list[str | None]:
    """Return the name of the dtype of each kind. Each dtype is named once: files of many shapes have few dtypes."""
    dtypes = [kind.dtype for kind in reader.contents.kinds]
    names = {dtype: dtype_name(dtype) for dtype in {dtype for dtype in dtypes if dtype is not None}}
    return [None if dtype is None else names[dtype] for dtype in dtypes]


def _totals(numbers: np.ndarray, keys: Sequence[_Key], nbytes: np.ndarray, shares: np.ndarray) -> dict[_Key, Total]:
    """Add up buffers by key. `numbers` are the positions of the buffers' keys in `keys`."""
    order = {key: n for n, key in enumerate(dict.fromkeys(keys))}
    which = np.array([order[key] for key in keys], np.int64)[numbers]
    sums = np.array([np.bincount(which, values, len(order)) for values in (np.ones(len(which)), nbytes, shares)])
    totals = {key: Total(*(round(value) for value in sums[:, n].tolist())) for key, n in order.items() if sums[0, n]}
    return dict(sorted(totals.items(), key=lambda item: -item[1].stored_nbytes))


def _stored_before(contents: Contents) -> np.ndarray:
    """Return, for each chunk and for the end, the sum of the stored lengths of the chunks before, int64."""
    return np.concatenate(([0], contents.chunk_stored.cumsum()))


def _share(stored: Any, nbytes: int | np.ndarray, logical: int | np.ndarray) -> Any:
    """Return the bytes that a buffer takes in the file, as a fraction, or those of many buffers.

    A buffer that shares its chunk with others takes the same part of its stored bytes as of its decoded bytes. Add up
    shares before you round: 100,000 rounded shares could add up to more than the file.

    Args:
        stored: the stored length of the chunks of the buffer; of many buffers as floats, which do not overflow.
        nbytes: the length of the buffer.
        logical: the decoded length of its chunks.
    """
    return stored * nbytes / logical
