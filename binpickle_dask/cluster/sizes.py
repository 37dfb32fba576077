"""Makes dask leave mapped memory out of the sizes of chunks.

Rule: an object without mapped memory keeps the size that dask computes.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import sys
from functools import partial
from typing import Any, Callable

import numpy as np
from dask.sizeof import register_pandas, sizeof

from ..parts.mappings import find_place

__all__ = ["count_mapped_as_nothing"]

# In bytes. A mapped chunk still takes the memory of its Python object.
_SMALL = 256
# The functions of dask that are replaced now, by class.
_plain: dict[type, Callable[[Any], int]] = {}
# Who asked for the replacement: several workers may share a process.
_users: set[object] = set()


def count_mapped_as_nothing() -> Callable[[], None]:
    """Make dask's `sizeof` leave out the mapped memory of arrays and frames; return a function that undoes it."""
    user = object()
    if not _users:
        _replace(np.ndarray, _in_array)
        if "pandas" in sys.modules:
            _replace_for_pandas()
        else:  # most workers that compute with arrays never import pandas
            sizeof.register_lazy("pandas", _register_pandas)
    _users.add(user)

    def undo() -> None:
        _users.discard(user)
        if not _users:
            _put_back()

    return undo


def _put_back() -> None:
    while _plain:
        sizeof.register(*_plain.popitem())
    sizeof.register_lazy("pandas", register_pandas)


def _register_pandas() -> None:
    """Replace the functions for pandas; dask calls this when it meets the first object of pandas."""
    sizeof.register_lazy("pandas", register_pandas)  # the next line asks dask for its own functions, not for this one
    _replace_for_pandas()


def _replace_for_pandas() -> None:
    pandas = sys.modules["pandas"]
    _replace(pandas.DataFrame, _in_frame)
    _replace(pandas.Series, _in_column)


def _replace(cls: type, mapped: Callable[[Any], int]) -> None:
    _plain[cls] = sizeof.dispatch(cls)
    sizeof.register(cls, partial(_size, _plain[cls], mapped))


def _size(plain: Callable[[Any], int], mapped: Callable[[Any], int], obj: Any) -> int:
    nbytes = mapped(obj)
    return max(int(plain(obj)) - nbytes, _SMALL) if nbytes else int(plain(obj))


def _in_array(array: Any) -> int:
    return int(array.nbytes) if array.nbytes and _is_mapped(array.__array_interface__["data"][0]) else 0


def _in_frame(frame: Any) -> int:
    return sum(_in_values(column) for _, column in frame.items()) + _in_index(frame.index)


def _in_column(column: Any) -> int:
    return _in_values(column) + _in_index(column.index)


def _in_index(index: Any) -> int:
    """Return the mapped bytes of an index. Ranges have no memory, and indexes of several levels are counted whole."""
    pandas = sys.modules["pandas"]
    return 0 if isinstance(index, (pandas.RangeIndex, pandas.MultiIndex)) else _in_values(index)


def _in_values(values: Any) -> int:
    """Return the mapped bytes of a column of NumPy or pyarrow. Other columns are counted whole."""
    if isinstance(values.dtype, np.dtype):
        return _in_array(np.asarray(values.array))
    array = values.array
    if not isinstance(array, sys.modules["pandas"].arrays.ArrowExtensionArray):
        return 0
    buffers = [buffer for chunk in array.__arrow_array__().chunks for buffer in chunk.buffers() if buffer is not None]
    # A slice shows the buffers of the whole array.
    return min(int(sum(buffer.size for buffer in buffers if _is_mapped(buffer.address))), int(array.nbytes))


def _is_mapped(address: int) -> bool:
    return find_place(address, 1) is not None
