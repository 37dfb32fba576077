"""Saves and loads the results of dask graphs as `.bpk` files, loaded back with memory-mapped arrays on the workers.

`to_bpk` and `from_bpk` write and read any collection, `checkpoint` is a `dask.persist` that ends on disk, and
`open_bpk` looks into a folder without dask. Importing this imports nothing of dask until one of the others is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .store import Store, StoreInfo, open_bpk

for _public in (Store, StoreInfo, open_bpk):
    _public.__module__ = __name__  # pickles of them survive a change of the layout inside

__all__ = ["Store", "StoreInfo", "checkpoint", "disable", "enable", "from_bpk", "open_bpk", "to_bpk"]

_LAZY = {"checkpoint": "save", "disable": "cluster", "enable": "cluster", "from_bpk": "load", "to_bpk": "save"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
