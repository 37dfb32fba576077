"""All other collections: Delayed, the scalars of bags and frames, and collections of other libraries.

Rule: they are made again by dask's collection protocol, with one task for each part. See `registry` for the three
functions.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

from typing import Any, Callable, Sequence

from dask._task_spec import Task
from dask.bag import Item as BagItem
from dask.base import tokenize
from dask.core import flatten
from dask.delayed import Delayed

from ..folder.manifest import Item, PartRecord
from ..parts.loader import PartLoader

__all__ = ["begin", "finish", "kind_of", "load"]

# How to make collections that have one key. By the protocol, they would keep the graph that they came from.
_SINGLE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "Delayed": Delayed,
    "Item": lambda key, graph, _: BagItem(graph, key),
}


def kind_of(collection: Any) -> str:
    """Return the kind of a collection that is neither array, frame nor bag."""
    return "delayed" if isinstance(collection, (Delayed, BagItem)) else "other"


def begin(collection: Any) -> tuple[tuple[int, ...], dict[str, Any], dict[str, Any]]:
    """Return the number of keys, the name of the class, and how to make the collection again."""
    facts = {"type": f"{type(collection).__module__}.{type(collection).__qualname__}"}
    if kind_of(collection) == "delayed":
        kind = "Item" if isinstance(collection, BagItem) else "Delayed"
        return (1,), facts, {"type": kind, "length": getattr(collection, "_length", None)}
    keys = list(flatten(collection.__dask_keys__()))
    return (len(keys),), facts, {"keys": keys, "rebuild": collection.__dask_postpersist__()}


def finish(item: Item, meta: dict[str, Any], records: Sequence[PartRecord]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return facts and meta unchanged."""
    return item.facts, meta


def load(item: Item, meta: Callable[[], dict[str, Any]], loader: PartLoader) -> Any:
    """Return the collection whose graph loads the parts."""
    known = meta()
    if item.kind == "delayed":
        key = "from-bpk-" + tokenize(loader)
        return _SINGLE[known["type"]](key, {key: Task(key, loader, 0)}, known.get("length"))
    rebuild, args = known["rebuild"]
    graph = {key: Task(key, loader, i) for i, key in enumerate(known["keys"])}
    names = {_name(key): "from-bpk-" + tokenize(loader, _name(key)) for key in graph}
    renamed = {_rename(key, names): Task(_rename(key, names), loader, i) for i, key in enumerate(graph)}
    try:
        return rebuild(renamed, *args, rename=names)
    except TypeError:  # a collection of the older protocol, which knows no `rename`, keeps its keys
        return rebuild(graph, *args)


def _name(key: Any) -> Any:
    return key[0] if isinstance(key, tuple) else key


def _rename(key: Any, names: dict[Any, Any]) -> Any:
    return (names[key[0]], *key[1:]) if isinstance(key, tuple) else names[key]
