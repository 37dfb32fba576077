"""What can be done with chunks of each kind of collection without dask: describe one, and join several.

Rule: NumPy is the only library of arrays or frames that this module imports. It calls methods of the objects of others.
"""

from __future__ import annotations

import sys
from itertools import chain
from typing import Any, Callable, Sequence

import numpy as np

from ..folder.manifest import Item

__all__ = ["assemble", "describe", "realize"]


def realize(kind: str, chunk: Any) -> Any:
    """Return a chunk in the form that is stored: a partition of a bag may be an iterator, which becomes a list."""
    return chunk if kind != "bag" or isinstance(chunk, (list, tuple)) else list(chunk)


def describe(kind: str, chunk: Any) -> dict[str, Any]:
    """Return the facts of a chunk: the shape of an array; the number of rows of a frame, and the ends of its index."""
    if kind == "array":
        return {"shape": tuple(map(int, np.shape(chunk)))}
    if kind == "frame":
        return {"rows": len(chunk), "ends": _ends(getattr(chunk, "index", chunk))}
    return {}


def assemble(item: Item, parts: Sequence[Any]) -> Any:
    """Join all parts of a collection, as computing it would.

    Args:
        item: the item that the parts belong to.
        parts: all parts, in the order of the manifest.

    Raises:
        TypeError: only the library that the collection comes from can join the parts.
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
    """Return the first and the last value of an index; `None` if it is empty, not in order, or of several levels."""
    if not len(index) or getattr(index, "nlevels", 1) > 1 or not getattr(index, "is_monotonic_increasing", False):
        return None
    return index[0], index[-1]


def _join(parts: list[Any], numblocks: Sequence[int]) -> Any:
    """Join blocks along the last axis, then along the axis before it, and so on."""
    masked = any(isinstance(part, np.ma.MaskedArray) for part in parts)
    join: Callable[..., Any] = np.ma.concatenate if masked else np.concatenate
    for axis in reversed(range(len(numblocks))):
        n = numblocks[axis]
        parts = [join(parts[i : i + n], axis=axis) for i in range(0, len(parts), n)]
    return parts[0]


def _concatenate(parts: list[Any]) -> Any:
    """Join objects of pandas, or of a library with the same interface."""
    first = parts[0]
    if not hasattr(first, "index"):  # an Index
        return first.append(parts[1:])
    return sys.modules[type(first).__module__.split(".")[0]].concat(parts)
