"""Makes pickle keep mapped memory out of band where it would copy the memory into its stream.

Rule: this is done for objects that may lie in a mapped file: strided views, and columns that pyarrow holds, such as
strings. The loaded objects equal the packed ones.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import io
import pickle
import sys
from typing import Any, Sequence

import cloudpickle
import numpy as np

from ..parts.mappings import find_place, is_there, map_place

__all__ = ["packed"]


def packed(obj: Any) -> Any:
    """Return an object, or a wrapper that pickles without copying mapped memory and loads as the object."""
    if type(obj) is np.ndarray:
        return _packed_view(obj)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(obj, (pandas.DataFrame, pandas.Series, pandas.Index)):
        return _Frame(obj)
    return obj


class _Frame:
    """A pandas object. pyarrow pickles the columns that it holds: pandas would join, and so copy, their chunks."""

    def __init__(self, obj: Any):
        self._obj = obj

    def __reduce_ex__(self, protocol: Any) -> Any:
        buffers: list[pickle.PickleBuffer] = []
        stream = io.BytesIO()
        _FramePickler(stream, protocol=5, buffer_callback=buffers.append).dump(self._obj)
        return _load_frame, (stream.getvalue(), buffers)


class _FramePickler(cloudpickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, sys.modules["pandas"].arrays.ArrowExtensionArray):
            return _from_arrow, (obj.dtype, obj.__arrow_array__())
        if type(obj) is np.ndarray and obj.dtype.kind in "mM":  # NumPy would copy dates into the stream
            return np.ndarray.view, (obj.view(np.int64), obj.dtype)
        return super().reducer_override(obj)


def _load_frame(stream: bytes, buffers: Sequence[Any]) -> Any:
    return pickle.loads(stream, buffers=buffers)


def _from_arrow(dtype: Any, values: Any) -> Any:
    return dtype.__from_arrow__(values)


class _View:
    """A strided view of mapped memory.

    Args:
        view: the view.
        memory: the memory from the first byte of the view to the last.
        offset: position of the first element in `memory`, in bytes.
    """

    def __init__(self, view: np.ndarray, memory: memoryview, offset: int):
        self._view = view
        self._memory = memory
        self._offset = offset

    def __reduce_ex__(self, protocol: Any) -> Any:
        view = self._view
        return _load_view, (view.shape, view.dtype, pickle.PickleBuffer(self._memory), self._offset, view.strides)


def _packed_view(array: np.ndarray) -> Any:
    """Return a `_View` of an array that is a strided view of mapped memory; else the array."""
    if array.flags.forc or array.flags.writeable or not array.size or array.dtype.hasobject:
        return array
    reaches = [(n - 1) * stride for n, stride in zip(array.shape, array.strides)]
    before = -sum(reach for reach in reaches if reach < 0)
    nbytes = before + sum(reach for reach in reaches if reach > 0) + array.itemsize
    place = find_place(array.__array_interface__["data"][0] - before, nbytes)
    return _View(array, map_place(place), before) if place is not None and is_there(place) else array


def _load_view(shape: tuple[int, ...], dtype: np.dtype, memory: Any, offset: int, strides: tuple[int, ...]) -> Any:
    return np.ndarray(shape, dtype, memory, offset, strides)
