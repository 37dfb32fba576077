"""What the buffers are, in the index: a length, or element type, shape and order.

Rule: what comes out can be made an array of, by every NumPy, without a further check.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from .contents import Kind
from .dtypes import dtype_from_spec, dtype_spec
from .errors import FormatError

__all__ = ["kind_from_packed", "pack_kinds"]


def pack_kinds(kinds: Sequence[Kind]) -> list[Any]:
    """Return what the index holds for kinds: each `[type, shape, order]`, or its length, if no type fits."""
    specs: dict[int, Any] = {}  # arrays of one structured type mostly share the object, and its form takes time to make
    return [_pack(kind, specs) for kind in kinds]


def _pack(kind: Kind, specs: dict[int, Any]) -> Any:
    dtype, shape = kind.dtype, list(kind.shape or ())
    if dtype is None or not _is_possible(dtype, shape):
        return kind.nbytes
    if id(dtype) not in specs:
        spec = dtype_spec(dtype)
        specs[id(dtype)] = spec if isinstance(spec, str) or _reads_back(spec) else None
    spec = specs[id(dtype)]
    if spec is None:
        return kind.nbytes
    return [spec, shape, kind.order if isinstance(kind.order, str) else list(kind.order)]


def _reads_back(spec: Any) -> bool:
    """Return whether readers take an element type: the index allows less nesting than NumPy does."""
    try:
        dtype_from_spec(spec)
    except FormatError:
        return False
    return True


def kind_from_packed(kind: Any) -> Kind:
    """Return the kind that the index describes.

    Raises:
        FormatError: it is not a kind, or one that NumPy can not make.
        TypeError, ValueError: it is not even a list of three.
    """
    if type(kind) is int and 0 <= kind < 1 << 62:
        return Kind(kind)
    spec, shape, order = kind
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise FormatError(f"index: {shape!r:.80} is not a shape")
    if order not in ("C", "F"):
        order = tuple(order) if isinstance(order, list) else (None,)
        if not all(type(axis) is int for axis in order) or sorted(order) != list(range(len(shape))):
            raise FormatError(f"index: {order!r:.80} is not an order of {len(shape)} axes")
    dtype = dtype_from_spec(spec)
    if not _is_possible(dtype, shape):
        raise FormatError(f"index: no array has shape {shape!r:.80} and type {str(dtype):.80}")
    nbytes = dtype.itemsize
    for n in shape:
        nbytes *= n
    return Kind(nbytes, dtype, tuple(shape), order)


def _is_possible(dtype: np.dtype, shape: Sequence[int]) -> bool:
    """Return whether every NumPy makes such an array: 1 has 32 dimensions, and refuses a size even if there is a 0."""
    size = max(dtype.itemsize, 1)
    for n in shape:
        size *= max(n, 1)
    return len(shape) <= 32 and size < 1 << 62 and not dtype.subdtype
