"""How an array lies in its buffer, by the arguments that a stream rebuilds it with.

Rule: nothing that a stream says of an array is believed. A view is returned only if it lies within its buffer, consists
of plain bytes, and NumPy can make it; else `None`, and the buffer is what the index says.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from ..errors import BinPickleError, FormatError
from ..format.contents import Kind
from ..format.shapes import element_count, is_array
from ..format.views import View, view_of
from ..trust.rules.checks import expect_dtype, expect_int, expect_ints, expect_one_of
from .dtypes import dtype_of
from .form import Context
from .items import Buffer

__all__ = ["checked", "contiguous", "frombuffer_view", "ndarray_view", "room_of"]

_MAX = (1 << 63) - 1


def room_of(context: Context, data: Any) -> int:
    """Return the size in bytes of what an array lies in."""
    return context.kind_of(data).nbytes if type(data) is Buffer else len(data)


def contiguous(dtype: np.dtype, shape: Sequence[int], order: Any = "C", offset: int = 0) -> View:
    """Return the view of an array without gaps.

    Args:
        dtype: its element type.
        shape: its shape.
        order: `"C"`, `"F"`, or the axes, slowest first.
        offset: where it begins, in bytes.
    """
    nbytes = element_count(shape) * dtype.itemsize
    return view_of(Kind(nbytes, dtype, tuple(shape), order))._replace(offset=offset)


def checked(context: Context, view: View, data: Any) -> View | None:
    """Return a view if it lies within what it should lie in, and is not too large; else `None`."""
    if view.dtype.hasobject or not is_array(view.dtype, view.shape) or len(view.strides) != len(view.shape):
        return None
    first, end = view.extent
    if not 0 <= first <= end <= room_of(context, data):
        return None
    if element_count(view.shape) * max(view.dtype.itemsize, 1) > context.largest:  # by strides of 0
        return None
    return view


def ndarray_view(context: Context, arguments: Sequence[Any]) -> View | None:
    """Return what `numpy.ndarray(*arguments)` makes: shape, dtype, buffer, offset, strides and order."""
    try:
        return _ndarray_view(context, *arguments)
    except (BinPickleError, TypeError, ValueError):
        return None


def _ndarray_view(
    context: Context, shape: Any, dtype: Any, data: Any, offset: Any = 0, strides: Any = None, order: Any = None
) -> View | None:
    shape = expect_ints(shape, "a shape")
    made = expect_dtype(dtype_of(context, dtype), "numpy.ndarray")
    expect_int(offset, "the offset of an array", 0, _MAX)
    expect_one_of(order, "the order of an array", None, "C", "F")
    if strides is None:
        view = contiguous(made, shape, order or "C", offset)
    else:
        view = View(made, shape, expect_ints(strides, "the strides of an array", -_MAX), offset)
    return checked(context, view, data)


def frombuffer_view(context: Context, arguments: Sequence[Any]) -> View | None:
    """Return what NumPy's `_frombuffer(*arguments)` makes: buffer, dtype, shape, order and axes."""
    try:
        return _frombuffer_view(context, *arguments)
    except (BinPickleError, TypeError, ValueError):
        return None


def _frombuffer_view(context: Context, data: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> View | None:
    shape = expect_ints(shape, "a shape")
    made = expect_dtype(dtype_of(context, dtype), "an array")
    if axes is None:
        return checked(context, contiguous(made, shape, expect_one_of(order, "an order", "C", "F")), data)
    if sorted(expect_ints(axes, "the axes of an array")) != list(range(len(shape))):
        raise FormatError("the axes of an array are not its dimensions")
    view = contiguous(made, shape)
    turned = View(made, tuple(shape[axis] for axis in axes), tuple(view.strides[axis] for axis in axes))
    return checked(context, turned, data)
