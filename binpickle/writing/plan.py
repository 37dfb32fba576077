"""The cut of the buffers of one object into chunks, made before anything is encoded.

Rule: the cut depends only on sizes, element types and codec chains, so that the same object gives the same bytes
whatever the number of threads. Large buffers get chunks of their own; small buffers of one element type and one codec
chain share chunks.
"""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple, Sequence

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
        starts: for each buffer its logical position, counted from the first chunk.
    """

    chunks: list[ChunkPlan]
    starts: list[int]


def is_large(nbytes: int) -> bool:
    """Return whether a buffer of that many bytes gets chunks of its own."""
    return nbytes >= SHARE_BELOW


def plan_buffers(found: OutOfBand, chains: Sequence[Chain | None], chain_ids: Sequence[int], mappable: bool) -> Plan:
    """Cut the buffers of an object into chunks.

    Args:
        found: the buffers.
        chains: the codec chains in use; `AUTO` may be among them.
        chain_ids: for each buffer an index into `chains`.
        mappable: align every buffer, and each large buffer at a page.
    """
    return _Cut(found, chains, chain_ids, mappable).plan()


class _Cut:
    """The cut of one object's buffers, as it grows.

    Its loops take a fraction of a microsecond for each buffer, and next to nothing for a few.
    """

    def __init__(self, found: OutOfBand, chains: Sequence[Chain | None], chain_ids: Sequence[int], mappable: bool):
        self._found = found
        self._chains = chains
        self._chain_ids = chain_ids
        self._mappable = mappable
        self._nbytes = found.nbytes
        self._starts = [0] * len(found.buffers)
        self._chunks: list[ChunkPlan] = []
        self._position = 0

    def plan(self) -> Plan:
        """Cut all buffers: first those that share chunks, then the others."""
        groups, others = self._groups()
        for group in groups:
            self._share(group)
        for i in others:
            self._own(i)
        starts = self._starts
        for i, (root, position) in self._found.within.items():
            starts[i] = starts[root] + position
        return Plan(self._chunks, starts)

    def _groups(self) -> tuple[list[list[int]], list[int]]:
        """Return the buffers by number: groups of one chain, dtype and alignment, which share chunks; others."""
        found = self._found
        groups: dict[Any, list[int]] = {}
        others: list[int] = []
        lists: list[dict[int, list[int]]] = [{} for _ in self._chains]  # by chain, then by kind
        if len(found.kinds) == len(self._chains) == 1:  # many arrays of one shape: nothing is to be told apart
            self._list_for(found.kinds[0], self._chains[0], groups, others).extend(range(len(found.buffers)))
            pairs: Iterable[tuple[int, int]] = ()
        else:
            pairs = zip(found.kind_ids, self._chain_ids)
        for i, (kind_id, chain_id) in enumerate(pairs):
            of_chain = lists[chain_id]
            if kind_id not in of_chain:
                of_chain[kind_id] = self._list_for(found.kinds[kind_id], self._chains[chain_id], groups, others)
            of_chain[kind_id].append(i)
        if found.within:
            others = [i for i in others if i not in found.within]
            groups = {key: [i for i in group if i not in found.within] for key, group in groups.items()}
        return sorted(filter(None, groups.values())), others

    def _list_for(self, kind: Kind, chain: Chain | None, groups: dict[Any, list[int]], others: list[int]) -> list[int]:
        """Return the list that takes the buffers of a kind and a chain: a group, or the one of all other buffers."""
        if kind.nbytes and (is_large(kind.nbytes) or not _may_share(chain)):
            return others
        key = id(chain), kind.dtype, kind.items, kind.nbytes >= ALIGN_FROM
        return groups.setdefault(key, [])

    def _share(self, group: list[int]) -> None:
        """Put the buffers of a group end to end, into as few chunks as they fit in."""
        nbytes, starts, position = self._nbytes, self._starts, self._position
        kind, chain = self._kind_and_chain(group[0])
        step = LEAST_ALIGNMENT if chain else _alignment(nbytes[group[0]], self._mappable)
        if len({nbytes[i] for i in group}) == 1:
            self._share_evenly(group, step)
            return
        first = end = 0
        gaps: list[int] = []  # before each buffer of the chunk
        for at, i in enumerate(group):
            size = nbytes[i]
            begin = -(-end // step) * step
            if begin + size > CHUNK_BYTES:
                self._add_shared(group[first:at], end, kind, chain, gaps)
                position, first, begin, end, gaps = self._position, at, 0, 0, []
            gaps.append(begin - end)
            starts[i] = position + begin
            end = begin + size
        self._add_shared(group[first:], end, kind, chain, gaps)

    def _share_evenly(self, group: list[int], step: int) -> None:
        """Do the same with buffers of one length, whose places need no sums."""
        kind, chain = self._kind_and_chain(group[0])
        size, starts = self._nbytes[group[0]], self._starts
        padded = -(-size // step) * step
        most = (CHUNK_BYTES - size) // padded + 1 if size else len(group)
        for first in range(0, len(group), most):
            members = group[first : first + most]
            for n, i in enumerate(members):
                starts[i] = self._position + n * padded
            gaps = [0, *[padded - size] * (len(members) - 1)]
            self._add_shared(members, (len(members) - 1) * padded + size, kind, chain, gaps)

    def _add_shared(self, members: list[int], length: int, kind: Kind, chain: Chain | None, gaps: list[int]) -> None:
        if not length:
            return
        buffers = self._found.buffers
        pieces = [buffers[i] for i in members]
        between = [*gaps[1:], 0] if any(gaps) else None
        self._chunks.append(ChunkPlan(pieces, length, chain, element_type(kind), ALIGNMENT, between, self._found.fetch))
        self._position += length

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
