"""The cut of the buffers of one object into chunks, made before anything is encoded.

Rule: the cut depends only on sizes, element types and codec chains, so that the same object gives the same bytes
whatever the number of threads. Large buffers get chunks of their own; small buffers of one element type and one codec
chain share chunks.
"""

from __future__ import annotations

from typing import Any, Iterator, NamedTuple, Sequence

import numpy as np

from ..codecs.chain import Chain
from ..format.contents import Kind
from ..format.dtypes import is_registered
from ..format.header import ALIGN_FROM, ALIGNMENT, CHUNK_BYTES, LARGE, LEAST_ALIGNMENT, PAGE, SHARE_BELOW
from ..pickling.out_of_band import OutOfBand
from .chunk import AUTO, BYTES, ChunkPlan

__all__ = ["Plan", "element_type", "is_large", "plan_buffers"]


class Plan(NamedTuple):
    """The cut of all buffers.

    Attributes:
        chunks: the chunks, in the order in which they are written.
        starts: int64, for each buffer its logical position, counted from the first chunk.
    """

    chunks: list[ChunkPlan]
    starts: np.ndarray


def is_large(nbytes: Any) -> Any:
    """Return whether a buffer of that many bytes gets chunks of its own; `nbytes` may be an array."""
    return nbytes >= SHARE_BELOW


def plan_buffers(found: OutOfBand, chains: Sequence[Chain | None], chain_ids: np.ndarray, mappable: bool) -> Plan:
    """Cut the buffers of an object into chunks.

    Args:
        found: the buffers.
        chains: the codec chains in use; `AUTO` may be among them.
        chain_ids: int64, for each buffer an index into `chains`.
        mappable: align every buffer, and each large buffer at a page.
    """
    return _Cut(found, chains, chain_ids, mappable).plan()


class _Cut:
    """The cut of one object's buffers, as it grows."""

    def __init__(self, found: OutOfBand, chains: Sequence[Chain | None], chain_ids: np.ndarray, mappable: bool):
        self._found = found
        self._chains = chains
        self._chain_ids = chain_ids
        self._mappable = mappable
        self._nbytes = found.nbytes
        self._starts = np.zeros(len(found.buffers), np.int64)
        self._chunks: list[ChunkPlan] = []
        self._position = 0

    def plan(self) -> Plan:
        """Cut all buffers: first those that share chunks, then the others."""
        found = self._found
        is_root = found.roots == np.arange(len(self._nbytes))
        sharing = np.array([_may_share(chain) for chain in self._chains], bool)[self._chain_ids]
        small = is_root & sharing & ~is_large(self._nbytes) | (self._nbytes == 0)
        for group in self._groups(np.flatnonzero(small)):
            self._share(group)
        for i in np.flatnonzero(is_root & ~small).tolist():
            self._own(i)
        return Plan(self._chunks, np.where(is_root, self._starts, self._starts[found.roots] + found.shifts))

    def _groups(self, small: np.ndarray) -> Iterator[np.ndarray]:
        """Yield groups of buffers that may share chunks, by number: of one chain, one dtype and one alignment."""
        if not len(small):
            return
        kinds = self._found.kinds
        types = {pair: i for i, pair in enumerate(dict.fromkeys((kind.dtype, kind.items) for kind in kinds))}
        type_ids = np.array([types[kind.dtype, kind.items] for kind in kinds], np.int64)[self._found.kind_ids]
        keys = ((self._chain_ids * len(types) + type_ids) * 2 + (self._nbytes >= ALIGN_FROM))[small]
        _, first, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        members = np.split(small[np.argsort(inverse.reshape(-1), kind="stable")], counts.cumsum()[:-1])
        for group in np.argsort(first, kind="stable"):
            yield members[group]

    def _share(self, group: np.ndarray) -> None:
        """Put the buffers of a group end to end, into as few chunks as they fit in."""
        sizes = self._nbytes[group]
        kind, chain = self._kind_and_chain(int(group[0]))
        step = LEAST_ALIGNMENT if chain else _alignment(int(sizes[0]), self._mappable)
        padded = -(-sizes // step) * step
        begins = padded.cumsum() - padded
        ends = begins + sizes
        at = 0
        while at < len(group):
            stop = int(np.searchsorted(ends, begins[at] + CHUNK_BYTES, "right"))
            self._starts[group[at:stop]] = self._position + begins[at:stop] - begins[at]
            length = int(ends[stop - 1] - begins[at])
            if length:
                gaps = (padded - sizes)[at : stop - 1]
                self._add_shared(group[at:stop], length, kind, chain, gaps)
            self._position += length
            at = stop

    def _add_shared(self, members: np.ndarray, length: int, kind: Kind, chain: Chain | None, gaps: np.ndarray) -> None:
        pieces = [self._found.buffers[i] for i in members.tolist()]
        between = [*gaps.tolist(), 0] if gaps.any() else None
        dtype = element_type(kind)
        self._chunks.append(ChunkPlan(pieces, length, chain, dtype, ALIGNMENT, between, self._found.fetch))

    def _own(self, i: int) -> None:
        """Cut one buffer into chunks of its own. Only the first chunk is aligned, and the others follow it."""
        kind, chain = self._kind_and_chain(i)
        dtype = element_type(kind)
        data = self._found.buffers[i].raw()
        step = CHUNK_BYTES // dtype.itemsize * dtype.itemsize
        for start in range(0, kind.nbytes, step):
            piece = data[start : start + step]
            alignment = 1 if start else _alignment(kind.nbytes, self._mappable)
            self._chunks.append(ChunkPlan([piece], len(piece), chain, dtype, alignment, fetch=self._found.fetch))
        self._starts[i] = self._position
        self._position += kind.nbytes

    def _kind_and_chain(self, i: int) -> tuple[Kind, Chain | None]:
        return self._found.kinds[self._found.kind_ids[i]], self._chains[self._chain_ids[i]]


def _may_share(chain: Chain | None) -> bool:
    return chain is AUTO or all(step.takes_bytes for step in chain)


def _alignment(nbytes: int, mappable: bool) -> int:
    if mappable and nbytes >= LARGE:
        return PAGE
    if mappable or nbytes >= ALIGN_FROM:
        return ALIGNMENT
    return LEAST_ALIGNMENT


def element_type(kind: Kind) -> np.dtype:
    """Return the element type that codecs see: that of numbers, integers for dates, bytes for everything else.

    Numbers of other libraries, such as `bfloat16` of ml_dtypes, are integers of their size.
    """
    dtype = kind.items if kind.dtype is None else kind.dtype
    if dtype is not None and is_registered(dtype):
        return np.dtype(f"u{dtype.itemsize}") if dtype.itemsize in (2, 4, 8) else BYTES
    if dtype is None or dtype.kind not in "biufcmM":
        return BYTES
    if dtype.char in "gG" and not dtype.isnative:  # NumPy exports no buffer of swapped long doubles
        return BYTES
    return np.dtype(dtype.str[0] + "i8") if dtype.kind in "mM" else dtype
