"""Where the buffers of one object go: the cut into chunks, before anything is encoded.

Rule: the cut depends on sizes, element types and codec chains alone, so that the same object gives the same bytes
whatever the number of threads. Large buffers get chunks of their own; small ones of one element type and chain share.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, NamedTuple, Sequence

import numpy as np

from .codecs import Chain
from .contents import Kind
from .format import ALIGN_FROM, ALIGNMENT, CHUNK_BYTES, LARGE, PAGE, SHARE_BELOW

__all__ = ["AUTO", "ChunkPlan", "OutOfBand", "Plan", "buffer_array", "is_large", "plan_buffers"]

# In place of a chain: each chunk chooses for itself when it is encoded.
AUTO: Chain | None = None

_BYTES = np.dtype(np.uint8)
# Plain bytes are mostly Arrow buffers; it asks for 8, and 16 is what compilers' vector loads like.
_BYTES_ALIGNMENT = 16


class OutOfBand(NamedTuple):
    """The out-of-band buffers of one object.

    Attributes:
        buffers: C-contiguous `PickleBuffer`s, in the order in which the pickle stream asks for them.
        kinds: what they are.
        kind_ids: int64, for each buffer an index into `kinds`.
        roots: int64, for each buffer the number of the buffer whose memory holds it: mostly its own.
        shifts: int64, for each buffer where in its root it begins, in bytes.
        fetch: `None` where `buffers` are memory; else what makes memory of one, or of a slice of its `raw()`.
    """

    buffers: Sequence[Any]
    kinds: Sequence[Kind]
    kind_ids: np.ndarray
    roots: np.ndarray
    shifts: np.ndarray
    fetch: Callable[[Any], Any] | None = None

    @property
    def nbytes(self) -> np.ndarray:
        """Lengths of the buffers, int64."""
        nbytes: np.ndarray = np.array([kind.nbytes for kind in self.kinds], np.int64)[self.kind_ids]
        return nbytes


class ChunkPlan:
    """One chunk to be encoded.

    Attributes:
        nbytes: its logical length.
        chain: the codecs to apply, or `AUTO`.
        alignment: of its place in the file, should it be stored raw.
        dtype: the type of its elements, as codecs shall see them.
    """

    __slots__ = ("_fetch", "_gaps", "_pieces", "alignment", "chain", "dtype", "nbytes")

    def __init__(
        self,
        pieces: Sequence[Any],
        nbytes: int,
        chain: Chain | None,
        dtype: np.dtype = _BYTES,
        alignment: int = 1,
        gaps: Sequence[int] | None = None,
        fetch: Callable[[Any], Any] | None = None,
    ):
        self.nbytes = nbytes
        self.chain = chain
        self.dtype = dtype
        self.alignment = alignment
        self._pieces = pieces
        self._gaps = gaps
        self._fetch = fetch

    def gather(self) -> np.ndarray:
        """Return the chunk's data, 1-d, of its element type; a view of the caller's memory unless pieces are joined."""
        pieces = self._pieces if self._fetch is None else list(map(self._fetch, self._pieces))
        if len(pieces) == 1:
            data = pieces[0]
        elif self._gaps is None:
            data = b"".join(pieces)
        else:
            data = b"".join(_interleave(pieces, self._gaps))
        return np.frombuffer(data, self.dtype if self.nbytes % self.dtype.itemsize == 0 else _BYTES)


class Plan(NamedTuple):
    """The cut of all buffers.

    Attributes:
        chunks: in the order in which they are written.
        starts: int64, logical position of each buffer, counted from the first chunk's.
    """

    chunks: list[ChunkPlan]
    starts: np.ndarray


def buffer_array(buffer: Any, kind: Kind) -> np.ndarray:
    """Return a C-contiguous buffer as a 1-d array of the type codecs shall see, over the same memory."""
    return np.frombuffer(buffer.raw(), _element_type(kind.dtype))


def is_large(nbytes: Any) -> Any:
    """Return whether a buffer of that many bytes has chunks of its own; works on arrays, too."""
    return nbytes >= SHARE_BELOW


def plan_buffers(found: OutOfBand, chains: Sequence[Chain | None], chain_ids: np.ndarray, mappable: bool) -> Plan:
    """Cut the buffers of an object into chunks.

    Args:
        found: the buffers.
        chains: the chains in use, `AUTO` among them perhaps.
        chain_ids: int64, for each buffer an index into `chains`.
        mappable: align every buffer, large ones at a page.
    """
    nbytes = found.nbytes
    is_root = found.roots == np.arange(len(nbytes))
    sharing = np.array([_may_share(chain) for chain in chains], bool)[chain_ids]
    small = is_root & sharing & ~is_large(nbytes) | (nbytes == 0)
    starts = np.zeros(len(nbytes), np.int64)
    chunks: list[ChunkPlan] = []
    position = 0
    for group in _groups(found, chains, chain_ids, nbytes, np.flatnonzero(small)):
        position = _share(found, group, chains[chain_ids[group[0]]], nbytes, mappable, chunks, starts, position)
    for i in np.flatnonzero(is_root & ~small).tolist():
        starts[i] = position
        chunks.extend(_own_chunks(found, i, chains[chain_ids[i]], mappable))
        position += int(nbytes[i])
    return Plan(chunks, np.where(is_root, starts, starts[found.roots] + found.shifts))


def _may_share(chain: Chain | None) -> bool:
    return chain is None or all(step.takes_bytes for step in chain)


def _groups(
    found: OutOfBand, chains: Sequence[Chain | None], chain_ids: np.ndarray, nbytes: np.ndarray, small: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield the numbers of the buffers that may share chunks: one chain, one element type, aligned alike."""
    if not len(small):
        return
    types = {dtype: i for i, dtype in enumerate(dict.fromkeys(kind.dtype for kind in found.kinds))}
    type_ids = np.array([types[kind.dtype] for kind in found.kinds], np.int64)[found.kind_ids]
    keys = ((chain_ids * len(types) + type_ids) * 2 + (nbytes >= ALIGN_FROM))[small]
    _, first, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    members = np.split(small[np.argsort(inverse.reshape(-1), kind="stable")], counts.cumsum()[:-1])
    for group in np.argsort(first, kind="stable"):
        yield members[group]


def _share(
    found: OutOfBand,
    group: np.ndarray,
    chain: Chain | None,
    nbytes: np.ndarray,
    mappable: bool,
    chunks: list[ChunkPlan],
    starts: np.ndarray,
    position: int,
) -> int:
    """Lay the buffers of a group end to end into chunks from `position` on; return where they end."""
    sizes = nbytes[group]
    kind = found.kinds[found.kind_ids[group[0]]]
    step = 1 if chain else _alignment(kind, int(sizes[0]), mappable)
    padded = -(-sizes // step) * step
    ends = padded.cumsum() - padded + sizes
    begins = ends - sizes
    dtype = _element_type(kind.dtype)
    at = 0
    while at < len(group):
        stop = int(np.searchsorted(ends, begins[at] + CHUNK_BYTES, "right"))
        starts[group[at:stop]] = position + begins[at:stop] - begins[at]
        length = int(ends[stop - 1] - begins[at])
        if length:
            pieces = [found.buffers[i] for i in group[at:stop].tolist()]
            gaps = (padded - sizes)[at:stop]
            gaps[-1] = 0
            between = gaps.tolist() if gaps.any() else None
            chunks.append(ChunkPlan(pieces, length, chain, dtype, ALIGNMENT, between, found.fetch))
        position += length
        at = stop
    return position


def _own_chunks(found: OutOfBand, i: int, chain: Chain | None, mappable: bool) -> Iterator[ChunkPlan]:
    """Cut one buffer into chunks of its own; only the first has to be aligned, the others follow it."""
    kind = found.kinds[found.kind_ids[i]]
    dtype = _element_type(kind.dtype)
    data = found.buffers[i].raw()
    step = max(CHUNK_BYTES // dtype.itemsize * dtype.itemsize, CHUNK_BYTES if dtype.itemsize > CHUNK_BYTES else 0)
    for start in range(0, kind.nbytes, step):
        piece = data[start : start + step]
        alignment = 1 if start else _alignment(kind, kind.nbytes, mappable)
        yield ChunkPlan([piece], len(piece), chain, dtype, alignment, fetch=found.fetch)


def _alignment(kind: Kind, nbytes: int, mappable: bool) -> int:
    if mappable and nbytes >= LARGE:
        return PAGE
    if mappable or nbytes >= ALIGN_FROM:
        return ALIGNMENT
    return kind.dtype.alignment if kind.dtype is not None else _BYTES_ALIGNMENT


def _element_type(dtype: np.dtype | None) -> np.dtype:
    """Return the type that codecs see: numbers as they are, dates as the integers they are, all else as bytes."""
    if dtype is None or dtype.kind not in "biufcmM":
        return _BYTES
    return np.dtype(dtype.str[0] + "i8") if dtype.kind in "mM" else dtype


def _interleave(pieces: Sequence[Any], gaps: Sequence[int]) -> Iterator[Any]:
    zeros = [bytes(n) for n in range(max(gaps) + 1)]
    for piece, gap in zip(pieces, gaps):
        yield piece
        yield zeros[gap]
