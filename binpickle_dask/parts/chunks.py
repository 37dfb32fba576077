"""What chunks of each kind of collection are, as far as no dask is needed to know.

Rule: no library of arrays or frames but NumPy is imported: their objects are asked by their own methods.
"""

from __future__ import annotations

import sys
from itertools import chain
from typing import Any, Callable, Sequence

import numpy as np

from ..folder.manifest import Item

__all__ = ["assemble", "describe", "realize"]


def realize(kind: str, chunk: Any) -> Any:
    """Return a chunk as it is stored: partitions of bags may be iterators."""
    return chunk if kind != "bag" or isinstance(chunk, (list, tuple)) else list(chunk)


def describe(kind: str, chunk: Any) -> dict[str, Any]:
    """Return what is to be known of a chunk: the shape, or rows and the ends of an index that is in order."""
    if kind == "array":
        return {"shape": tuple(map(int, np.shape(chunk)))}
    if kind == "frame":
        return {"rows": len(chunk), "ends": _ends(getattr(chunk, "index", chunk))}
    return {}


def assemble(item: Item, parts: Sequence[Any]) -> Any:
    """Return the whole that parts make up: what computing the collection gives.

    Args:
        item: what they are parts of.
        parts: all of them, in the order of the manifest.

    Raises:
        TypeError: only the library that the collection comes from can join them.
    """
    if item.kind == "bag":
        return list(chain.from_iterable(parts))
    if len(parts) == 1:
        return parts[0]
    if item.kind == "array":
        return _join(list(parts), item.numblocks)
    if item.kind == "frame":
        return _concatenate(list(parts))
    raise TypeError(f"the {len(parts)} parts are of a collection that dask must join: use from_bpk(...).compute()")


def _ends(index: Any) -> Any:
    """First and last value of an index; `None` if it is empty, not in order, or of several levels."""
    if not len(index) or getattr(index, "nlevels", 1) > 1 or not getattr(index, "is_monotonic_increasing", False):
        return None
    return index[0], index[-1]


def _join(parts: list[Any], numblocks: Sequence[int]) -> Any:
    """Join blocks along the last axis, then along the one before, and so on."""
    masked = any(isinstance(part, np.ma.MaskedArray) for part in parts)
    join: Callable[..., Any] = np.ma.concatenate if masked else np.concatenate
    for axis in reversed(range(len(numblocks))):
        n = numblocks[axis]
        parts = [join(parts[i : i + n], axis=axis) for i in range(0, len(parts), n)]
    return parts[0]


def _concatenate(parts: list[Any]) -> Any:
    """Join pandas objects, or those of a library that looks like it."""
    first = parts[0]
    if not hasattr(first, "index"):  # an Index
        return first.append(parts[1:])
    return sys.modules[type(first).__module__.split(".")[0]].concat(parts)
