"""Which shapes and item sizes every NumPy can make: the one place that decides it for indices, codecs and streams.

Rule: sizes are computed with Python's integers, which cannot overflow as NumPy's C integers do. The bounds are those of
NumPy 1, since those of NumPy 2 are wider: a file that one NumPy writes loads under every other.
"""

from __future__ import annotations

from typing import Any, Iterable, Sequence

import numpy as np

__all__ = ["MAX_DIMENSIONS", "MAX_ITEMSIZE", "element_count", "fields_fit", "is_array", "is_shape", "is_subarray"]

MAX_DIMENSIONS = 32
"""The most dimensions of an array or a subarray: NumPy 2 has 64, NumPy 1 has 32."""

MAX_ITEMSIZE = (1 << 31) - 1
"""The largest item size in bytes. NumPy keeps it in a C int, and adds up offsets and sizes of fields in C ints too."""

_MAX_NBYTES = (1 << 62) - 1  # half of what NumPy's intp holds


def is_shape(value: Any) -> bool:
    """Return whether a value from MessagePack or JSON is a shape: a list of integers, none of them negative."""
    return type(value) is list and all(type(n) is int and n >= 0 for n in value)


def element_count(shape: Iterable[int]) -> int:
    """Return how many elements an array of this shape has."""
    count = 1
    for n in shape:
        count *= n
    return count


def is_array(dtype: np.dtype, shape: Sequence[int]) -> bool:
    """Return whether every NumPy can make an array of this dtype and this shape."""
    return not dtype.subdtype and len(shape) <= MAX_DIMENSIONS and _padded_nbytes(dtype, shape) <= _MAX_NBYTES


def is_subarray(base: np.dtype, shape: Sequence[int]) -> bool:
    """Return whether every NumPy can make the dtype `(base, shape)`, whose items are arrays themselves."""
    return not base.subdtype and len(shape) <= MAX_DIMENSIONS and _padded_nbytes(base, shape) <= MAX_ITEMSIZE


def fields_fit(formats: Iterable[np.dtype], offsets: Iterable[int], itemsize: int) -> bool:
    """Return whether fields lie within an item of a structured dtype, and the item is not too large."""
    inside = all(offset >= 0 and offset + dtype.itemsize <= itemsize for dtype, offset in zip(formats, offsets))
    return inside and 0 <= itemsize <= MAX_ITEMSIZE


def _padded_nbytes(dtype: np.dtype, shape: Iterable[int]) -> int:
    """Return the size that NumPy compares with its bounds, in bytes: lengths and item sizes of 0 count as 1."""
    nbytes = max(dtype.itemsize, 1)
    for n in shape:
        nbytes *= n or 1
    return nbytes
