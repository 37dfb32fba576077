"""dask arrays: one part for each chunk, whatever the chunks are.

Rule: the graph of a loaded array is one blockwise layer, whose size does not depend on the number of chunks. Of most
arrays the manifest says all that is to be known.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any, Callable, Sequence, Tuple

import dask.array as da
import numpy as np
from dask.base import get_annotations, tokenize
from dask.blockwise import BlockIndex, blockwise
from dask.highlevelgraph import HighLevelGraph

from ..folder.manifest import PLAIN_DTYPES, Item, PartRecord
from ..parts.chunks import assemble
from ..parts.loader import PartLoader

__all__ = ["finish", "load", "plan"]

Chunks = Tuple[Tuple[int, ...], ...]


def plan(array: Any) -> tuple[tuple[int, ...], dict[str, Any], dict[str, Any]]:
    """Return the numbers of blocks, the facts known beforehand, and what JSON cannot say of it."""
    meta, dtype = array._meta, array.dtype
    plain = type(meta) is np.ndarray and meta.dtype == dtype and str(dtype) in PLAIN_DTYPES
    return tuple(array.numblocks), {"dtype": str(dtype), "plain": plain}, {"meta": meta, "dtype": dtype}


def finish(item: Item, meta: dict[str, Any], records: Sequence[PartRecord]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return facts and the rest with what the parts tell: unknown chunk sizes are known now.

    Raises:
        ValueError: the shapes of the chunks do not fit together.
    """
    chunks = _chunks_of(item, [record.facts["shape"] for record in records])
    return {**item.facts, "shape": [sum(sizes) for sizes in chunks], "chunks": chunks}, meta


def load(item: Item, meta: Callable[[], dict[str, Any]], loader: PartLoader, chunks: Any = None) -> Any:
    """Return the array that loads the parts.

    Args:
        item: of the manifest.
        meta: returns what `finish` gave.
        loader: of the parts.
        chunks: as in `dask.array.from_array`; by default those that were saved.
    """
    stored = tuple(map(tuple, item.facts["chunks"]))
    empty = np.empty((0,) * len(stored), item.facts["dtype"]) if item.facts.get("plain") else meta()["meta"]
    # In the mode `array.query-planning` arrays are expressions, which name themselves.
    made_of_graph = not hasattr(da.Array, "expr")
    if chunks is None and made_of_graph:
        # A graph keeps the annotations under which it is made.
        blocks = _new_blocks if get_annotations() else _blocks
        name, graph = blocks(loader, tuple(map(len, stored)))
        return da.Array(graph, name, stored, meta=empty)
    named = {"name": "from-bpk-" + tokenize(loader, chunks)} if made_of_graph else {}
    whole = _Whole(loader, tuple(map(sum, stored)), empty.dtype)
    wanted = stored if chunks is None else chunks
    return da.from_array(whole, chunks=wanted, asarray=False, fancy=False, inline_array=True, meta=empty, **named)


def _new_blocks(loader: PartLoader, numblocks: tuple[int, ...]) -> tuple[str, HighLevelGraph]:
    """Return the graph that loads each block, and its name."""
    name = "from-bpk-" + tokenize(loader)
    axes = tuple(range(len(numblocks)))
    layer = blockwise(loader, name, axes, BlockIndex(numblocks), axes, numblocks={})
    return name, HighLevelGraph.from_collections(name, layer)


# The same for all who open a snapshot. dask may keep 400 bytes for each block in a graph.
_blocks = lru_cache(maxsize=4)(_new_blocks)


@dataclass(frozen=True)
class _Whole:
    """All chunks as one array-like. Slices of it are views of a mapped part where they lie in one.

    Attributes:
        loader: of the parts.
        shape: of the whole.
        dtype: of the whole.
    """

    loader: PartLoader
    shape: tuple[int, ...]
    dtype: Any

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def chunks(self) -> Chunks:
        """The stored chunks: where `"auto"` begins. Looked up, since this object is in every task."""
        return tuple(map(tuple, self.loader.manifest.items[self.loader.item].facts["chunks"]))

    def __getitem__(self, key: Any) -> Any:
        ranges: list[tuple[int, int]] = []
        after: list[Any] = []
        for part in key if isinstance(key, tuple) else (key,):
            if part is not None:
                found, part = _split(part, self.shape[len(ranges)])
                ranges.append(found)
            after.append(part)
        ranges += [(0, n) for n in self.shape[len(ranges) :]]
        return self._read(ranges)[tuple(after)]

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return self.loader.__dask_tokenize__()

    def _read(self, ranges: Sequence[tuple[int, int]]) -> Any:
        """Read what lies between start and stop along each dimension."""
        pieces = [_pieces(edges, *range_) for edges, range_ in zip(_edges(self.loader), ranges)]
        grid = Item("array", "", tuple(map(len, pieces)))
        parts = []
        for position in range(grid.nparts):
            chosen = [along[i] for along, i in zip(pieces, grid.index(position))]
            parts.append(self.loader([i for i, _ in chosen])[tuple(local for _, local in chosen)])
        return assemble(grid, parts)


def _split(part: Any, n: int) -> tuple[tuple[int, int], Any]:
    """Split an index into the range to read, and the index into that."""
    if not isinstance(part, slice):
        at = int(part) % n
        return (at, at + 1), 0
    start, stop, step = part.indices(n)
    if step < 0:
        return (0, n), part
    return (start, max(start, stop)), slice(None, None, step)


@lru_cache(maxsize=64)
def _edges(loader: PartLoader) -> list[list[int]]:
    """Return where chunks begin along each dimension, and where the last one ends. Too long to be in every task."""
    return [[0, *accumulate(sizes)] for sizes in loader.manifest.items[loader.item].facts["chunks"]]


def _pieces(edges: Sequence[int], start: int, stop: int) -> list[tuple[int, slice]]:
    """Which chunks hold a range, and what of each: at least one, which may give nothing."""
    found = []
    for i in range(bisect_right(edges, start) - 1, bisect_left(edges, stop)):
        begin, end = edges[i], edges[i + 1]
        if max(start, begin) < min(stop, end):
            found.append((i, slice(max(start - begin, 0), min(stop, end) - begin)))
    return found or [(0, slice(0, 0))]


def _chunks_of(item: Item, shapes: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the sizes of the chunks along each dimension, from the shapes of all chunks."""
    chunks = [[-1] * n for n in item.numblocks]
    for position, shape in enumerate(shapes):
        index = item.index(position)
        if len(shape) != len(index):
            raise ValueError(f"chunk {index} has the shape {tuple(shape)}, which does not have {len(index)} dimensions")
        for sizes, i, n in zip(chunks, index, shape):
            if sizes[i] not in (-1, n):
                raise ValueError(f"chunk {index} has the shape {tuple(shape)}, next to chunks with {sizes[i]} for {n}")
            sizes[i] = n
    return chunks
