"""dask bags: one part for each partition, a list of its elements."""

# mypy: allow-untyped-calls
from __future__ import annotations

from typing import Any, Callable, Sequence

import dask.bag as db
from dask.base import tokenize
from dask.blockwise import BlockIndex, blockwise
from dask.highlevelgraph import HighLevelGraph

from ..folder.manifest import Item, PartRecord
from ..parts.loader import PartLoader

__all__ = ["finish", "load", "plan"]


def plan(bag: Any) -> tuple[tuple[int, ...], dict[str, Any], dict[str, Any]]:
    """Return the number of partitions; nothing else is known of a bag."""
    return (bag.npartitions,), {}, {}


def finish(item: Item, meta: dict[str, Any], records: Sequence[PartRecord]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return facts and the rest as they are."""
    return item.facts, meta


def load(item: Item, meta: Callable[[], dict[str, Any]], loader: PartLoader) -> Any:
    """Return the bag that loads the parts."""
    name = "from-bpk-" + tokenize(loader)
    layer = blockwise(loader, name, "i", BlockIndex(item.numblocks), "i", numblocks={})
    return db.Bag(HighLevelGraph.from_collections(name, layer), name, item.nparts)
