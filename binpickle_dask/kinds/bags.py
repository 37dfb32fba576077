"""dask bags. Each partition is one part, the list of its elements. See `registry` for the three functions."""

# mypy: allow-untyped-calls
from __future__ import annotations

from typing import Any, Callable, Sequence

import dask.bag as db
from dask.base import tokenize
from dask.blockwise import BlockIndex, blockwise
from dask.highlevelgraph import HighLevelGraph

from ..folder.manifest import Item, PartRecord
from ..parts.loader import PartLoader

__all__ = ["begin", "finish", "load"]


def begin(bag: Any) -> tuple[tuple[int, ...], dict[str, Any], dict[str, Any]]:
    """Return the number of partitions; a bag has no facts and no meta."""
    return (bag.npartitions,), {}, {}


def finish(item: Item, meta: dict[str, Any], records: Sequence[PartRecord]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return facts and meta unchanged."""
    return item.facts, meta


def load(item: Item, meta: Callable[[], dict[str, Any]], loader: PartLoader) -> Any:
    """Return the bag whose graph loads the parts."""
    name = "from-bpk-" + tokenize(loader)
    layer = blockwise(loader, name, "i", BlockIndex(item.numblocks), "i", numblocks={})
    return db.Bag(HighLevelGraph.from_collections(name, layer), name, item.nparts)
