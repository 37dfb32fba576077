"""Saves the results of dask graphs as `.bpk` files, and loads them with arrays that are mapped on the workers.

`to_bpk` and `from_bpk` write and read any collection, `checkpoint` is a `dask.persist` that ends on disk, and
`open_bpk` opens a folder without dask. Importing this package imports no dask; using any other function does.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .folder.folder import Folder
from .folder.manifest import Item, Manifest
from .folder.sealing import Sealing
from .store import Store, StoreInfo, open_bpk

__all__ = ["Store", "StoreInfo", "checkpoint", "disable", "enable", "from_bpk", "open_bpk", "to_bpk"]

_LAZY = {"checkpoint": "save", "disable": "cluster", "enable": "cluster", "from_bpk": "load", "to_bpk": "save"}


def _adopt(*objects: Any) -> None:
    """Name this package as the module of objects, so that pickles of them survive any change of the inner layout."""
    for obj in objects:
        obj.__module__ = __name__


_adopt(Store, StoreInfo, open_bpk)
_adopt(Folder, Item, Manifest, Sealing)  # a store holds them; nobody has to name them


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    _adopt(value)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
