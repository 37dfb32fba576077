"""Arrays whose memory has gaps, in place of out-of-band buffers.

Rule: nothing is copied until a chunk is written, and then only what goes into that chunk. So a dump of strided arrays
takes no more memory than one of contiguous arrays, and all threads copy. NumPy copies structures field by field, and
leaves whatever lay in the new memory between the fields: structures are copied as plain bytes (`opaque`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..format.shapes import element_count
from .protocol import PickleBuffer

__all__ = ["Strided", "fetch", "opaque", "pickle_buffer"]


def pickle_buffer(flat: np.ndarray) -> Any:
    """Return a `PickleBuffer` over a C-contiguous array of any dtype."""
    if flat.dtype.kind in "mM":
        return PickleBuffer(flat.view(np.int64))
    try:
        return PickleBuffer(flat)
    except (ValueError, TypeError):  # a structure holds dates, or the dtype is of another library
        return PickleBuffer(flat.reshape(-1).view(np.uint8))


def opaque(array: np.ndarray) -> np.ndarray:
    """Return a view of an array whose items NumPy copies with all their bytes."""
    return array.view(f"V{array.itemsize}") if array.dtype.names and array.itemsize else array


def fetch(piece: Any) -> Any:
    """Return a buffer, or a slice of its `raw()`, as memory in one piece: see `OutOfBand.fetch`."""
    return piece.copy() if isinstance(piece, (Strided, _Bytes)) else piece


class Strided:
    """An array of any strides, in place of a `PickleBuffer` over a C-contiguous copy of it.

    Args:
        array: its axes in the order in which a copy has them, slowest first.

    Attributes:
        items: the array, as `opaque` has it.
        dtype: its dtype.
    """

    __slots__ = ("dtype", "items")

    def __init__(self, array: np.ndarray):
        self.items = opaque(array)
        self.dtype = array.dtype

    def raw(self) -> _Bytes:
        """Return the bytes that a copy would have, as `PickleBuffer.raw` does."""
        return _Bytes(self.items, 0, self.items.nbytes)

    def copy(self) -> Any:
        """Return a `PickleBuffer` over a C-contiguous copy."""
        return pickle_buffer(self.items.copy(order="C").view(self.dtype))


class _Bytes:
    """A range of the bytes that a C-contiguous copy of an array would have. A slice of it is a range, too."""

    __slots__ = ("_array", "_start", "_stop")

    def __init__(self, array: np.ndarray, start: int, stop: int):
        self._array = array
        self._start = start
        self._stop = stop

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, part: slice) -> _Bytes:
        start, stop, _ = part.indices(len(self))
        return _Bytes(self._array, self._start + start, self._start + stop)

    def copy(self) -> np.ndarray:
        """Return these bytes: uint8, 1-d."""
        itemsize = self._array.itemsize
        first = self._start // itemsize
        items = np.empty(-(-self._stop // itemsize) - first, self._array.dtype)
        _copy_items(self._array, first, items)
        skip = self._start - first * itemsize
        return items.view(np.uint8)[skip : skip + len(self)]


def _copy_items(array: np.ndarray, first: int, out: np.ndarray) -> None:
    """Fill `out` (1-d) with the items of an array in C order, from number `first` on."""
    if array.ndim == 1:
        out[:] = array[first : first + len(out)]
        return
    row = element_count(array.shape[1:])
    at, skip = divmod(first, row)
    if skip:  # the rest of a row
        n = min(row - skip, len(out))
        _copy_items(array[at], skip, out[:n])
        at, out = at + 1, out[n:]
    whole = len(out) // row
    out[: whole * row].reshape(whole, *array.shape[1:])[...] = array[at : at + whole]
    if len(out) > whole * row:  # the beginning of a row
        _copy_items(array[at + whole], 0, out[whole * row :])
