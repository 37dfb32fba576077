"""Which module knows which kind of collection."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from dask.base import is_dask_collection

from . import other

__all__ = ["is_collection", "kind_of", "module_of", "settled"]


def is_collection(obj: Any) -> bool:
    """Return whether something is a dask collection."""
    return bool(is_dask_collection(obj))


def kind_of(collection: Any) -> str:
    """Return the kind of a collection, as manifests name it."""
    # What has not been imported cannot be the collection's class.
    for module, classes, kind in (
        ("dask.array", ("Array",), "array"),
        ("dask.dataframe", ("DataFrame", "Series", "Index"), "frame"),
        ("dask.bag", ("Bag",), "bag"),
    ):
        if isinstance(collection, _classes(module, classes)):
            return kind
    return other.kind_of(collection)


def module_of(kind: str) -> ModuleType:
    """Return the module for a kind: with `plan`, `finish` and `load`."""
    if kind == "array":
        from . import arrays

        return arrays
    if kind == "frame":
        from . import frames

        return frames
    if kind == "bag":
        from . import bags

        return bags
    return other


def settled(collection: Any) -> Any:
    """Return the collection with the number of partitions that it will have when it is computed.

    Optimizing a frame may merge partitions.
    """
    return collection.optimize(fuse=False) if kind_of(collection) == "frame" else collection


def _classes(module: str, names: tuple[str, ...]) -> tuple[type, ...]:
    loaded = sys.modules.get(module)
    return tuple(getattr(loaded, name) for name in names) if loaded is not None else ()
