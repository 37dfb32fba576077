"""The forms of arrays of NumPy, in a buffer or in the stream, as any NumPy and BinPickle pickle them.

Rule: each function here gets an object that a function of NumPy, Python or BinPickle makes, and reads its arguments and
its state. It raises `FormatError` if these are not as usual: the object is then shown as an unknown call.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ...errors import FormatError
from ...format.shapes import element_count
from ...format.views import View
from ...pickling.renames import Name
from ...trust.rules.checks import expect_ints
from ...trust.tokens import Global
from ..dtypes import dtype_of
from ..form import Context, Form, Rule
from ..held import state_of
from ..instances import attributes, dict_parts
from ..items import Buffer, Made, pairs_of
from ..layout import checked, contiguous, frombuffer_view, ndarray_view
from ..short import name_of, value_text

__all__ = ["BYTES", "RULES", "data_of"]

BYTES = frozenset({("builtins", "bytes"), ("builtins", "bytearray")})
_STATE = 5


def data_of(item: Any) -> Any:
    """Return the buffer or the bytes that an item is; `None` if it is neither."""
    kind = type(item)
    if kind in (Buffer, bytes, bytearray):
        return item
    if kind is Made and type(item.function) is Global and item.function.name in BYTES:
        arguments = item.arguments
        if type(arguments) is tuple and len(arguments) == 1:
            return arguments[0] if type(arguments[0]) in (Buffer, bytes, bytearray) else None
    return None


def _expect_data(item: Any) -> Any:
    data = data_of(item)
    if data is None:
        raise FormatError("an array has no buffer")
    return data


def _array(context: Context, made: Made, name: str, arguments: tuple[Any, ...]) -> Form:
    """Return the form of what `numpy.ndarray` makes, or a class of arrays with these arguments."""
    if len(arguments) == 2:  # an array without elements
        arguments = (*arguments, b"")
    if not 3 <= len(arguments) <= 6:
        raise FormatError("an array has too few arguments")
    data = _expect_data(arguments[2])
    arguments = (*arguments[:2], data, *arguments[3:])
    texts, children = attributes(context, made)
    return Form(name, texts, children, data=data, view=partial(ndarray_view, context, arguments))


def _ndarray(context: Context, made: Made) -> Form:
    return _array(context, made, name_of(made.function), made.arguments)


def _array_of_class(context: Context, made: Made) -> Form:
    cls, *arguments = made.arguments
    return _array(context, made, name_of(cls), tuple(arguments))


def _from_buffer(context: Context, made: Made) -> Form:
    data = _expect_data(made.arguments[0])
    arguments = (data, *made.arguments[1:])
    return Form("numpy:ndarray", data=data, view=partial(frombuffer_view, context, arguments))


def _matrix(context: Context, made: Made) -> Form:
    return Form("numpy:matrix", inner=made.arguments[0])


def _reconstruct(context: Context, made: Made) -> Form:
    """Return the form of an array whose state holds shape, dtype and data."""
    name = name_of(made.arguments[0])
    state = state_of(made)
    texts: Any = ()
    children: Any = ()
    if type(state) is tuple and state and type(state[0]) is tuple:  # the class adds to it
        texts, children = _added(context, state[1:])
        state = state[0]
    if type(state) is not tuple or len(state) < _STATE:
        raise FormatError("an array has no state")
    texts, children = (texts, children) if len(state) == _STATE else _added(context, state[_STATE:])
    return _of_state(context, name, state[:_STATE], texts, children)


def _added(context: Context, parts: tuple[Any, ...]) -> tuple[list[str], list[Any]]:
    """Return the attributes that a class of arrays adds to the state."""
    texts: list[str] = []
    children: list[Any] = []
    for i, part in enumerate(parts):
        if type(part) is dict:
            more, items = dict_parts(context, pairs_of(part))
            texts += more
            children += items
        else:
            texts.append(f"state {i}")
            children.append(part)
    return texts, children


def _of_state(context: Context, name: str, state: tuple[Any, ...], texts: Any, children: Any) -> Form:
    _, shape, dtype, fortran, held = state
    if type(held) is list:  # of objects
        context.budget.pay(len(held))
        value = f"{value_text(shape)} of objects"
        texts, children = [*map(str, range(len(held))), *texts], [*held, *children]
        return Form(name, texts, children, value=value, shape=_shape_of(shape, len(held)))
    data = _expect_data(held)
    arguments = (shape, dtype, data, 0, None, "F" if fortran else "C")
    return Form(name, texts, children, data=data, view=partial(ndarray_view, context, arguments))


def _shape_of(shape: Any, count: int) -> tuple[int, ...] | None:
    """Return a shape, if an array of so many objects can have it."""
    return shape if element_count(expect_ints(shape, "a shape")) == count else None


def _rebuilt_by(context: Context, made: Made) -> Form:
    """Return the form of an array of jax: the function, its arguments and the state that rebuild an array of NumPy."""
    function, arguments, state, *_ = made.arguments
    if type(function) is not Global or type(state) is not tuple or len(state) != _STATE:
        raise FormatError("an array of jax is not rebuilt as usual")
    return _of_state(context, "jax:Array", state, (), ())


def _masked(context: Context, made: Made) -> Form:
    data, mask = made.arguments[:2]
    texts, children = ["data"], [data]
    if type(mask) is Made:
        texts.append("mask")
        children.append(mask)
    if len(made.arguments) > 6 and type(made.arguments[6]) is Made:
        texts.append("fill_value")
        children.append(made.arguments[6])
    return Form("numpy.ma:MaskedArray", texts, children)


def _masked_with_state(context: Context, made: Made) -> Form:
    """Return the form of a masked array whose state holds data and mask."""
    state = state_of(made)
    if type(state) is not tuple or len(state) != _STATE + 2:
        raise FormatError("a masked array has no state")
    version, shape, dtype, fortran, data, mask, fill = state
    name = name_of(made.arguments[0])
    children: list[Any] = [_shown(context, (version, shape, dtype, fortran, data))]
    place = data_of(mask)
    texts = ["data"]
    if place is not None:
        order = "F" if fortran else "C"
        texts.append("mask")
        view = partial(_mask_view, context, shape, dtype, place, order)
        children.append(Form("numpy:ndarray", data=place, view=view))
    if type(fill) is Made:
        texts.append("fill_value")
        children.append(fill)
    return Form(name, texts, children)


def _shown(context: Context, state: tuple[Any, ...]) -> Form:
    return _of_state(context, "numpy:ndarray", state, (), ())


def _mask_view(context: Context, shape: Any, dtype: Any, data: Any, order: str) -> View | None:
    """Return where the mask of an array of this dtype is."""
    made = dtype_of(context, dtype)
    if made is None or type(shape) is not tuple or not all(type(n) is int and n >= 0 for n in shape):
        return None
    return checked(context, contiguous(np.ma.make_mask_descr(made), shape, order), data)


def _typed_array(context: Context, made: Made) -> Form:
    cls, code, _, held = made.arguments
    data = _expect_data(held)
    return Form(name_of(cls), data=data, view=partial(_typed_view, context, code, data))


def _typed_view(context: Context, code: Any, data: Any) -> View | None:
    if type(code) is not str or len(code) != 1 or code not in "bBhHiIlLqQfd":
        return None
    dtype = np.dtype(code)
    nbytes = len(data) if type(data) is not Buffer else context.kind_of(data).nbytes
    return contiguous(dtype, (nbytes // dtype.itemsize,))


def _bytes(context: Context, made: Made) -> Form:
    return Form(name_of(made.function), data=_expect_data(made))


RULES: dict[Name, Rule] = {
    ("numpy", "ndarray"): _ndarray,
    ("numpy", "recarray"): _ndarray,
    ("numpy", "matrix"): _matrix,
    ("numpy.ma", "MaskedArray"): _masked,
    ("numpy.ma.core", "_mareconstruct"): _masked_with_state,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("binpickle.rebuild", "array_of_class"): _array_of_class,
    ("jax._src.array", "_reconstruct_array"): _rebuilt_by,
    ("array", "_array_reconstructor"): _typed_array,
    **dict.fromkeys(BYTES, _bytes),
}
"""The rules of arrays, by canonical name."""
