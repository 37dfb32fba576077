"""Which kind a dask collection has, and which module handles that kind.

A module of a kind has three functions. `begin` is called before a save, `finish` when all parts are written:

* `begin(collection)` returns the number of blocks along each dimension, the facts for the manifest (which JSON can
  express), and the meta for `meta.bpk` (which only pickle can express).
* `finish(item, meta, records)` returns facts and meta, completed by what the parts' records tell.
* `load(item, meta, loader, **options)` returns the collection whose graph loads the parts; `meta()` reads `meta.bpk`.

Rule: this module imports no part of dask that the caller has not imported already.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from dask.base import is_dask_collection

from . import other

__all__ = ["is_collection", "kind_of", "module_of", "settled"]

# The kind, the module here that handles it, and the collections of that kind.
_KINDS = (
    ("array", "arrays", "dask.array", ("Array",)),
    ("frame", "frames", "dask.dataframe", ("DataFrame", "Series", "Index")),
    ("bag", "bags", "dask.bag", ("Bag",)),
)
_MODULES = {kind: module for kind, module, _, _ in _KINDS}


def is_collection(obj: object) -> bool:
    """Return whether an object is a dask collection."""
    return bool(is_dask_collection(obj))


def kind_of(collection: Any) -> str:
    """Return the kind of a collection, one of `KINDS`."""
    for kind, _, module, classes in _KINDS:
        imported = sys.modules.get(module)  # a class of a module that was never imported has no objects
        if imported is not None and isinstance(collection, tuple(getattr(imported, name) for name in classes)):
            return kind
    return other.kind_of(collection)


def module_of(kind: str) -> ModuleType:
    """Return the module that handles a kind."""
    return import_module(f".{_MODULES[kind]}", __package__) if kind in _MODULES else other


def settled(collection: Any) -> Any:
    """Return the collection with the number of partitions that it will have when it is computed.

    Optimizing a frame may merge partitions.
    """
    return collection.optimize(fuse=False) if kind_of(collection) == "frame" else collection
