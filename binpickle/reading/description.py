"""What an open file says of itself: its facts and sizes, and what there is to say of one buffer.

Rule: totals come from the columns of the index, all buffers at once, so that 100,000 buffers take milliseconds. In the
totals, bytes of the file that several buffers share count once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Hashable, Mapping, Sequence, TypeVar

import numpy as np

from ..format.contents import Contents, Spec
from ..format.dtypes import dtype_name
from ..types import Rows
from .filereader import FileReader

__all__ = ["Buffer", "Summary", "Total", "share_of", "stored_before", "summarize"]

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

    `buffer[5]` and `buffer[10:20]` are these rows of the array, as `BinPickleFile.array` reads them, if the buffer was
    taken from the `buffers` of an open file. Pickled or copied, it is a description alone.
    """

    dtype: np.dtype | None
    shape: tuple[int, ...] | None
    order: str | tuple[int, ...] | None
    nbytes: int
    stored_nbytes: int
    codecs: tuple[Spec, ...]
    offset: int | None
    mapped: bool

    __iter__ = None  # else Python would read row by row

    def __getitem__(self, rows: Rows) -> np.ndarray:
        take: Callable[[Rows], np.ndarray] | None = vars(self).get("_take")  # `Buffers` sets it
        if take is None:
            raise TypeError("this Buffer belongs to no open file: take it from the buffers of a BinPickleFile")
        return take(rows)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_take"}

    @property
    def slowest_axis(self) -> int | None:
        """The axis along which rows lie together, so that a few rows take few chunks; `None` for arrays without axes.

        It is 0 in C order and for plain bytes, and the last axis in Fortran order.
        """
        if self.shape is None or self.order is None or self.order == "C":
            return 0 if self.shape != () else None
        if self.order == "F":
            return len(self.shape) - 1 if self.shape else None
        return int(self.order[0]) if self.shape else None


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
    before, starts = stored_before(reader.contents).astype(float), reader.contents.chunk_starts
    shares[counted] = share_of(before[stop] - before[first], nbytes[counted], starts[stop] - starts[first])
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


def stored_before(contents: Contents) -> np.ndarray:
    """Return, for each chunk and for the end, the sum of the stored lengths of the chunks before, int64."""
    return np.concatenate(([0], contents.chunk_stored.cumsum()))


def share_of(stored: Any, nbytes: int | np.ndarray, logical: int | np.ndarray) -> Any:
    """Return the bytes that a buffer takes in the file, as a fraction, or those of many buffers.

    A buffer that shares its chunk with others takes the same part of its stored bytes as of its decoded bytes. Add up
    shares before you round: 100,000 rounded shares could add up to more than the file.

    Args:
        stored: the stored length of the chunks of the buffer; of many buffers as floats, which do not overflow.
        nbytes: the length of the buffer.
        logical: the decoded length of its chunks.
    """
    return stored * nbytes / logical
