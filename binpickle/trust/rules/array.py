"""How the strict machine rebuilds arrays and scalars: over real buffers, with checked dtypes, never `__setstate__`.

Rule: an array over memory has no objects in it, and its strides stay within the buffer; an array of objects is filled
item by item with objects that the stream made.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Callable, Sequence

import numpy as np

from ...errors import FormatError
from ...format.shapes import element_count
from ...pickling.renames import resolve
from ..tokens import Global, Pending
from .checks import expect, expect_dtype, expect_int, expect_ints

__all__ = ["CALLS", "MENTIONED", "array_from_state", "array_over"]

if TYPE_CHECKING:
    from typing_extensions import Literal

    _Order = Literal["C", "F"]

_MAX = (1 << 63) - 1
# The items of a structured array come as a list, so its size does not follow from the stream's.
_MAX_OBJECT_ITEM = 256
_MAX_GAPS = 1 << 26
_NDARRAY = ("numpy", "ndarray")
_MATRIX = ("numpy", "matrix")
_RECARRAY = ("numpy", "recarray")
_MEMMAP = ("numpy", "memmap")

_SCALAR_HOME, _ = resolve("numpy._core.multiarray", "scalar")
_numpy_scalar: Callable[..., Any] = import_module(_SCALAR_HOME).scalar


def array_over(
    shape: Any, dtype: Any, buffer: Any = None, offset: Any = 0, strides: Any = None, order: Any = None
) -> np.ndarray:
    """Rebuild `numpy.ndarray(...)`: an array over the memory of a buffer, as writable as that is.

    Raises:
        FormatError: the array would not lie within the buffer, or hold objects.
    """
    nbytes = element_count(expect_ints(shape, "a shape")) * expect_dtype(dtype, "numpy.ndarray").itemsize
    if order not in (None, "C", "F"):
        raise FormatError(f"numpy.ndarray has the order {order!r}")
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
    return np.ndarray(shape, dtype, buffer, offset, strides, order)


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


def _from_buffer(buffer: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> np.ndarray:
    """Rebuild what NumPy's own pickling puts out of band."""
    nbytes = element_count(expect_ints(shape, "a shape")) * expect_dtype(dtype, "an array").itemsize
    if nbytes != _room(buffer):
        raise FormatError(f"an array of {nbytes} bytes has a buffer of {_room(buffer)}")
    if axes is not None:
        if order != "K" or sorted(expect_ints(axes, "the axes of an array")) != list(range(len(shape))):
            raise FormatError(f"an array has the order {order!r} and the axes {axes!r}")
        return array_over(shape, dtype, buffer).transpose(axes)
    return array_over(shape, dtype, buffer, order=expect(order, "the order of an array", str))


def _reconstruct(subtype: Any, shape: Any, typecode: Any) -> Pending:
    """Begin an array whose state holds its shape, dtype and data."""
    if shape != (0,) or typecode not in (b"b", "b") or type(subtype) is not Global:
        raise FormatError("_reconstruct has other arguments than NumPy gives it")
    return Pending(_VIEWS[subtype.name] if subtype.load is None else _of_subclass(subtype.load()))


def _of_subclass(cls: Any) -> Callable[[Any], Any]:
    """Return what makes an array of a class that the caller named, which may add to the state."""
    if not (isinstance(cls, type) and issubclass(cls, np.ndarray)):
        raise FormatError(f"_reconstruct: {cls!r} is not a subclass of numpy.ndarray")

    def finish(state: Any) -> Any:
        array = array_from_state(expect(state, "the state of an array", tuple)[:5])
        if cls.__setstate__ is np.ndarray.__setstate__:
            return array.view(cls)
        made = np.ndarray.__new__(cls, (0,), "b")
        made.__setstate__(state)
        return made

    return finish


def array_from_state(state: Any) -> np.ndarray:
    """Rebuild an array from the state that NumPy's pickling leaves in the stream.

    Args:
        state: version, shape, dtype, whether it is in Fortran order, and either bytes or a list of objects.

    Raises:
        FormatError: it is malformed.
    """
    version, shape, dtype, fortran, data = expect(state, "the state of an array", tuple)
    expect_int(version, "the version of an array", 1, 1)
    order: _Order = "F" if expect(fortran, "the order of an array", bool, int) else "C"
    count = element_count(expect_ints(shape, "a shape"))
    if expect_dtype(dtype, "an array", objects=True).hasobject:
        return _filled(shape, dtype, order, expect(data, "the items of an array", list), count)
    if count * dtype.itemsize != len(expect(data, "the data of an array", bytes, bytearray)):
        raise FormatError(f"an array of {count * dtype.itemsize} bytes has {len(data)}")
    array = np.ndarray(shape, dtype, data, 0, None, order).copy("K")
    if array.dtype.isnative or array.dtype.names is not None:
        return array
    return array.byteswap().view(array.dtype.newbyteorder("="))  # as NumPy does when it loads such a state


def _filled(shape: Any, dtype: np.dtype[Any], order: _Order, items: list[Any], count: int) -> np.ndarray:
    """Make an array of objects, item by item: in one go, NumPy would look into items that are sequences."""
    if len(items) != count:
        raise FormatError(f"an array of {count} objects has {len(items)}")
    if dtype.itemsize > _MAX_OBJECT_ITEM and count * dtype.itemsize > _MAX_GAPS:
        raise FormatError(f"an array of {count} objects has items of {dtype.itemsize} bytes")
    flat = np.empty(count, dtype)
    check = _item_check(dtype)
    for i, item in enumerate(items):
        if check is not None:
            check(item)
        flat[i] = item
    return flat.reshape(shape).copy(order) if order == "F" else flat.reshape(shape)


def _item_check(dtype: np.dtype[Any]) -> Callable[[Any], Any] | None:
    """Return what an item must pass, so that assigning it converts and broadcasts nothing."""
    if dtype.kind == "O":
        return None
    if dtype.names is not None:
        return partial(_check_element, len(dtype.names))
    return partial(_check_string, getattr(dtype, "na_object", ""))


def _check_element(width: int, item: Any) -> None:
    if len(expect(item, "an element of a structured array", tuple)) != width:
        raise FormatError("an element of a structured array has a wrong number of fields")


def _check_string(missing: Any, item: Any) -> None:
    both_nan = type(item) is float and item != item and type(missing) is float and missing != missing
    if item is not missing and not both_nan:
        expect(item, "a string of an array", str)


def _scalar(dtype: Any, data: Any) -> Any:
    """Rebuild a scalar."""
    if expect_dtype(dtype, "a scalar").itemsize != len(expect(data, "the data of a scalar", bytes)):
        raise FormatError(f"a scalar of {dtype.itemsize} bytes has {len(data)}")
    return _numpy_scalar(dtype, data)


def _matrix(array: Any, dtype: Any, copy: Any) -> np.ndarray:
    """Rebuild `numpy.matrix(array, None, False)`."""
    if dtype is not None or copy is not False or expect(array, "numpy.matrix", np.ndarray).ndim != 2:
        raise FormatError("numpy.matrix has other arguments than a 2-d array")
    return array.view(np.matrix)  # type: ignore[no-any-return]


def _recarray(shape: Any, dtype: Any, buffer: Any = None, offset: Any = 0, strides: Any = None) -> np.ndarray:
    """Rebuild `numpy.recarray(...)`."""
    return array_over(shape, dtype, buffer, offset, strides).view(np.recarray)


_VIEWS: dict[tuple[str, str], Callable[[Any], Any]] = {
    _NDARRAY: array_from_state,
    _MEMMAP: array_from_state,  # the file that it was mapped from may not exist
    _MATRIX: lambda state: array_from_state(state).view(np.matrix),
    _RECARRAY: lambda state: array_from_state(state).view(np.recarray),
}

CALLS: dict[tuple[str, str], Callable[..., Any]] = {
    _NDARRAY: array_over,
    _MATRIX: _matrix,
    _RECARRAY: _recarray,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "scalar"): _scalar,
}
"""What makes arrays and scalars, by canonical name."""

MENTIONED = frozenset(_VIEWS)
"""What these take as an argument."""
