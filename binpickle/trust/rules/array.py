"""How the strict machine rebuilds arrays and scalars: over real buffers, with checked dtypes, never `__setstate__`.

Rule: an array over memory has no objects in it, and its strides stay within the buffer; an array of objects is filled
item by item with objects that the stream made.
"""

from __future__ import annotations

from array import _array_reconstructor as _rebuild_typed  # type: ignore[attr-defined] # typeshed leaves it out
from array import array as typed_array
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Callable, Sequence

import numpy as np

from ...errors import FormatError
from ...format.shapes import element_count
from ...format.text import check_text, text_of
from ...pickling.renames import resolve
from ..budget import Budget
from ..tokens import Global, Pending
from .checks import expect, expect_dtype, expect_int, expect_ints, expect_one_of, field_count
from .items import check_item

__all__ = ["CALLS", "MENTIONED", "array_from_state", "array_over", "expect_begun"]

if TYPE_CHECKING:
    from typing_extensions import Literal

    _Order = Literal["C", "F"]

_MAX = (1 << 63) - 1
# What it takes to set one field of an item, in units of work.
_FIELD = 4
# What it takes to look at the text in one more field, and how much longer that takes than in an array of text alone.
_TEXT_FIELD = 64
_IN_FIELDS = 8
_NDARRAY = ("numpy", "ndarray")
_MATRIX = ("numpy", "matrix")
_RECARRAY = ("numpy", "recarray")
_MEMMAP = ("numpy", "memmap")
_TYPED_ARRAY = ("array", "array")
# Of the layouts that the module `array` numbers, those behind this one are text.
_LAST_NUMBER = 17

_SCALAR_HOME, _ = resolve("numpy._core.multiarray", "scalar")
_numpy_scalar: Callable[..., Any] = import_module(_SCALAR_HOME).scalar


def array_over(
    budget: Budget, shape: Any, dtype: Any, buffer: Any = None, offset: Any = 0, strides: Any = None, order: Any = None
) -> np.ndarray:
    """Rebuild `numpy.ndarray(...)`: an array over the memory of a buffer, as writable as that is.

    Raises:
        FormatError: the array would not lie within the buffer, or hold objects, or characters that there are not.
    """
    nbytes = element_count(expect_ints(shape, "a shape")) * expect_dtype(dtype, "numpy.ndarray").itemsize
    expect_one_of(order, "the order of an array", None, "C", "F")
    if buffer is None:
        if nbytes:
            raise FormatError("numpy.ndarray has no buffer")
        return np.ndarray(shape, dtype)
    room = _room(buffer)
    expect_int(offset, "the offset of an array", 0, room)
    if strides is not None:
        low, high = _extent(shape, expect_ints(strides, "the strides of an array", -_MAX), dtype.itemsize)
        if offset + low < 0 or offset + high > room:
            raise FormatError("the strides of an array lead out of its buffer")
    elif offset + nbytes > room:
        raise FormatError(f"an array of {nbytes} bytes has a buffer of {room - offset}")
    return _checked(budget, np.ndarray(shape, dtype, _locked(buffer), offset, strides, order))


def _locked(buffer: Any) -> Any:
    """Return what an array may lie over: nobody can shrink a bytearray while an array of its bytes is in use.

    `numpy.ndarray` does not lock its buffer, and in older NumPy `frombuffer` does not; a memoryview does.
    """
    return np.frombuffer(memoryview(buffer), np.uint8) if type(buffer) is bytearray and buffer else buffer


def _checked(budget: Budget, array: np.ndarray) -> np.ndarray:
    """Return an array, if NumPy can use each of its items."""
    if not array.itemsize:
        budget.pay(array.size)  # NumPy visits each of them, though no file has a byte for it
    elif array.dtype.kind in "UV":
        fields, nbytes = text_of(array.dtype)
        budget.pay(_TEXT_FIELD * (fields - 1) if fields else field_count(array.dtype) >> 2)
        budget.pay_look(array.size * nbytes * (1 if array.dtype.kind == "U" else _IN_FIELDS))
        check_text(array)
    return array


def _room(buffer: Any) -> int:
    """Return the size of a buffer in bytes, if it is one."""
    kind = type(buffer)
    if kind is np.ndarray and buffer.dtype.char == "B" and buffer.ndim == 1 and buffer.flags.c_contiguous:
        return len(buffer)
    if kind is memoryview and buffer.c_contiguous:
        return buffer.nbytes  # type: ignore[no-any-return]
    return len(expect(buffer, "the buffer of an array", bytes, bytearray))


def _extent(shape: Sequence[int], strides: Sequence[int], itemsize: int) -> tuple[int, int]:
    """Return from where to where an array reaches, in bytes from its first element."""
    if len(strides) != len(shape):
        raise FormatError("an array has more strides than dimensions, or fewer")
    if not element_count(shape):
        return 0, 0
    steps = [(n - 1) * step for n, step in zip(shape, strides)]
    return sum(s for s in steps if s < 0), sum(s for s in steps if s > 0) + itemsize


def _from_buffer(budget: Budget, buffer: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> np.ndarray:
    """Rebuild what NumPy's own pickling puts out of band."""
    nbytes = element_count(expect_ints(shape, "a shape")) * expect_dtype(dtype, "an array").itemsize
    room = _room(buffer)
    if nbytes != room:
        raise FormatError(f"an array of {nbytes} bytes has a buffer of {room}")
    if axes is not None:
        expect_one_of(order, "the order of an array with axes", "K")
        if sorted(expect_ints(axes, "the axes of an array")) != list(range(len(shape))):
            raise FormatError("the axes of an array are not its dimensions in some order")
        return array_over(budget, shape, dtype, buffer).transpose(axes)
    order = expect_one_of(order, "the order of an array", "C", "F")
    return _checked(budget, np.ndarray(shape, dtype, _locked(buffer), 0, None, order))


def expect_begun(shape: Any, typecode: Any) -> None:
    """Check what NumPy gives for an array whose state is to follow.

    Raises:
        FormatError: it is something else.
    """
    if expect_ints(shape, "the shape of an array without a state") != (0,):
        raise FormatError("an array without a state has another shape than (0,)")
    expect_one_of(typecode, "the dtype of an array without a state", b"b", "b")


def _reconstruct(budget: Budget, subtype: Any, shape: Any, typecode: Any) -> Pending:
    """Begin an array whose state holds its shape, dtype and data."""
    expect_begun(shape, typecode)
    expect(subtype, "the class of an array", Global)
    if subtype.load is None:
        return Pending(partial(_VIEWS[subtype.name], budget))
    return Pending(_of_subclass(budget, subtype.load()))


def _of_subclass(budget: Budget, cls: Any) -> Callable[[Any], Any]:
    """Return what makes an array of a class that the caller named, which may add to the state."""
    _subclass(cls)

    def finish(state: Any) -> Any:
        own = expect(state, "the state of an array", tuple)
        array = array_from_state(budget, own[0] if own and type(own[0]) is tuple else own[:5])
        if cls.__setstate__ is np.ndarray.__setstate__:
            return array.view(cls)
        made = np.ndarray.__new__(cls, (0,), "b")
        made.__setstate__(state)
        return made

    return finish


def array_from_state(budget: Budget, state: Any) -> np.ndarray:
    """Rebuild an array from the state that NumPy's pickling leaves in the stream.

    Args:
        budget: pays for the array.
        state: version, shape, dtype, whether it is in Fortran order, and either bytes or a list of objects.

    Raises:
        FormatError: it is malformed.
    """
    version, shape, dtype, fortran, data = expect(state, "the state of an array", tuple)
    expect_int(version, "the version of an array", 1, 1)
    order: _Order = "F" if expect(fortran, "the order of an array", bool, int) else "C"
    count = element_count(expect_ints(shape, "a shape"))
    if expect_dtype(dtype, "an array", objects=True).hasobject:
        return _filled(budget, shape, dtype, order, expect(data, "the items of an array", list), count)
    if count * dtype.itemsize != len(expect(data, "the data of an array", bytes, bytearray)):
        raise FormatError(f"an array of {count * dtype.itemsize} bytes has {len(data)}")
    budget.pay_bytes(len(data))
    array = _checked(budget, np.ndarray(shape, dtype, data, 0, None, order)).copy("K")
    if array.dtype.isnative or array.dtype.names is not None:
        return array
    return array.byteswap().view(array.dtype.newbyteorder("="))  # as NumPy does when it loads such a state


def _filled(
    budget: Budget, shape: Any, dtype: np.dtype[Any], order: _Order, items: list[Any], count: int
) -> np.ndarray:
    """Make an array of objects, item by item: in one go, NumPy would look into items that are sequences."""
    if len(items) != count:
        raise FormatError(f"an array of {count} objects has {len(items)}")
    budget.pay_bytes(count * dtype.itemsize)
    budget.pay(_FIELD * count * field_count(dtype))
    flat = np.empty(count, dtype)
    for i, item in enumerate(items):
        check_item(budget, dtype, item)
        flat[i] = item
    _checked(budget, flat)
    return flat.reshape(shape).copy(order) if order == "F" else flat.reshape(shape)


def _scalar(budget: Budget, dtype: Any, data: Any) -> Any:
    """Rebuild a scalar."""
    if expect_dtype(dtype, "a scalar").itemsize != len(expect(data, "the data of a scalar", bytes)):
        raise FormatError(f"a scalar of {dtype.itemsize} bytes has {len(data)}")
    budget.pay_bytes(len(data))
    if data:
        _checked(budget, np.frombuffer(data, dtype))
    return _numpy_scalar(dtype, data)


def _of_class(budget: Budget, cls: Any, shape: Any, dtype: Any, buffer: Any, *layout: Any) -> Any:
    """Rebuild an array of a class that the caller named, over the memory of a buffer."""
    if expect(cls, "the class of an array", Global).load is None:
        raise FormatError(f"{cls} is no class of arrays that is trusted by name")
    made = _subclass(cls.load())
    if made.__setstate__ is not np.ndarray.__setstate__:
        raise FormatError(f"{made.__qualname__} has a state of its own, and an array of it has none")
    return array_over(budget, shape, dtype, buffer, *layout).view(made)


def _subclass(cls: Any) -> type[np.ndarray]:
    """Return a class, if it is one of arrays."""
    if isinstance(cls, type) and issubclass(cls, np.ndarray):
        return cls
    raise FormatError(f"{cls!r} is not a subclass of numpy.ndarray")


def _bytes(budget: Budget, buffer: Any) -> bytes:
    """Rebuild `bytes(buffer)`: the bytes of an array that another class makes of them."""
    budget.pay(1 + (_room(buffer) >> 6))  # whoever makes an array of the copy pays for the next one
    return bytes(buffer)


def _typed_array(budget: Budget, cls: Any, code: Any, layout: Any, data: Any) -> typed_array[Any]:
    """Rebuild an array of Python's module `array`, of numbers: no text, of which code points may be wrong."""
    if expect(cls, "the class of an array", Global).name != _TYPED_ARRAY:
        raise FormatError("array._array_reconstructor makes only array.array")
    expect_one_of(code, "the type of an array", *"bBhHiIlLqQfd")
    expect_int(layout, "the layout of an array", 0, _LAST_NUMBER)
    nbytes = len(expect(data, "the data of an array", bytes))
    if layout == typed_array(code).__reduce_ex__(3)[1][2]:
        budget.pay_bytes(nbytes)
    else:  # of another machine: the module makes a Python number of each item
        budget.pay(nbytes)
    try:
        made: typed_array[Any] = _rebuild_typed(typed_array, code, layout, data)
    except (TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"array.array: {error}") from None
    return made


def _matrix(budget: Budget, array: Any, dtype: Any, copy: Any) -> np.ndarray:
    """Rebuild `numpy.matrix(array, None, False)`."""
    if dtype is not None or copy is not False or expect(array, "numpy.matrix", np.ndarray).ndim != 2:
        raise FormatError("numpy.matrix has other arguments than a 2-d array")
    return array.view(np.matrix)  # type: ignore[no-any-return]


def _recarray(
    budget: Budget, shape: Any, dtype: Any, buffer: Any = None, offset: Any = 0, strides: Any = None
) -> np.ndarray:
    """Rebuild `numpy.recarray(...)`."""
    return array_over(budget, shape, dtype, buffer, offset, strides).view(np.recarray)


_VIEWS: dict[tuple[str, str], Callable[[Budget, Any], Any]] = {
    _NDARRAY: array_from_state,
    _MEMMAP: array_from_state,  # the file that it was mapped from may not exist
    _MATRIX: lambda budget, state: array_from_state(budget, state).view(np.matrix),
    _RECARRAY: lambda budget, state: array_from_state(budget, state).view(np.recarray),
}

CALLS: dict[tuple[str, str], Callable[..., Any]] = {
    _NDARRAY: array_over,
    _MATRIX: _matrix,
    _RECARRAY: _recarray,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("binpickle.rebuild", "array_of_class"): _of_class,
    ("builtins", "bytes"): _bytes,
    ("array", "_array_reconstructor"): _typed_array,
}
"""What makes arrays and scalars, by canonical name."""

MENTIONED = frozenset([*_VIEWS, _TYPED_ARRAY])
"""What these take as an argument."""
