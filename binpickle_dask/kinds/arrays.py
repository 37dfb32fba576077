"""dask arrays. Each chunk is one part, whatever the chunks are. See `registry` for the three functions.

Rule: the graph of a loaded array is one blockwise layer, whose size does not depend on the number of chunks. `meta.bpk`
is not read for plain arrays, which the manifest describes fully.
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

__all__ = ["begin", "finish", "load"]

Chunks = Tuple[Tuple[int, ...], ...]


def begin(array: Any) -> tuple[tuple[int, ...], dict[str, Any], dict[str, Any]]:
    """Return the number of blocks along each dimension, the dtype as text, and the empty array with its dtype."""
    meta, dtype = array._meta, array.dtype
    plain = type(meta) is np.ndarray and meta.dtype == dtype and str(dtype) in PLAIN_DTYPES
    return tuple(array.numblocks), {"dtype": str(dtype), "plain": plain}, {"meta": meta, "dtype": dtype}


def finish(item: Item, meta: dict[str, Any], records: Sequence[PartRecord]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return facts and meta, completed by the shape and the chunk sizes, which may have been unknown before.

    Raises:
        ValueError: the shapes of the chunks do not fit together.
    """
    chunks = _chunks_of(item, [record.facts["shape"] for record in records])
    return {**item.facts, "shape": [sum(sizes) for sizes in chunks], "chunks": chunks}, meta


def load(item: Item, meta: Callable[[], dict[str, Any]], loader: PartLoader, chunks: Any = None) -> Any:
    """Return the array whose graph loads the parts.

    Args:
        item: the item of the manifest.
        meta: returns the meta that `finish` returned.
        loader: loads the parts.
        chunks: as in `dask.array.from_array`; by default the chunks that were saved.
    """
    stored = tuple(map(tuple, item.facts["chunks"]))
    empty = np.empty((0,) * len(stored), item.facts["dtype"]) if item.facts.get("plain") else meta()["meta"]
    # In the mode `array.query-planning`, arrays are expressions, which make up their own names.
    made_of_graph = not hasattr(da.Array, "expr")
    if chunks is None and made_of_graph:
        # A graph keeps the annotations in force when it is made, so that it cannot be shared under other annotations.
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


# Who loads a snapshot again gets the same graph, since dask may add 400 bytes for each block to a graph.
_blocks = lru_cache(maxsize=4)(_new_blocks)


@dataclass(frozen=True)
class _Whole:
    """All chunks as one array-like object for `from_array`. A slice that lies in one mapped part is a view of it.

    Attributes:
        loader: loads the parts.
        shape: shape of the whole array.
        dtype: dtype of the whole array.
    """

    loader: PartLoader
    shape: tuple[int, ...]
    dtype: Any

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def chunks(self) -> Chunks:
        """The stored chunks, from which dask computes `"auto"`. Not an attribute: this object is in every task."""
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
        """Read the elements between start and stop along each dimension."""
        pieces = [_pieces(edges, *range_) for edges, range_ in zip(_edges(self.loader), ranges)]
        grid = Item("array", "", tuple(map(len, pieces)))
        parts = []
        for position in range(grid.nparts):
            chosen = [along[i] for along, i in zip(pieces, grid.index(position))]
            parts.append(self.loader([i for i, _ in chosen])[tuple(local for _, local in chosen)])
        return assemble(grid, parts)


def _split(part: Any, n: int) -> tuple[tuple[int, int], Any]:
    """Split an index along one dimension into the range to read, and the index into the elements that were read."""
    if not isinstance(part, slice):
        at = int(part) % n
        return (at, at + 1), 0
    start, stop, step = part.indices(n)
    if step < 0:
        return (0, n), part
    return (start, max(start, stop)), slice(None, None, step)


@lru_cache(maxsize=64)
def _edges(loader: PartLoader) -> list[list[int]]:
    """Return where chunks begin along each dimension, and where the last one ends. Too long for every task."""
    return [[0, *accumulate(sizes)] for sizes in loader.manifest.items[loader.item].facts["chunks"]]


def _pieces(edges: Sequence[int], start: int, stop: int) -> list[tuple[int, slice]]:
    """Return the numbers of the chunks that hold a range, and the slice of each. An empty range has one empty slice."""
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
            raise ValueError(f"chunk {index} has the shape {tuple(shape)}, which has not {len(index)} dimensions")
        for sizes, i, n in zip(chunks, index, shape):
            if sizes[i] not in (-1, n):
                raise ValueError(
                    f"chunk {index} has the shape {tuple(shape)}, beside chunks of size {sizes[i]}, not {n}"
                )
            sizes[i] = n
    return chunks
