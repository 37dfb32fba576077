"""How the strict machine rebuilds masked arrays: from an array and a mask that it rebuilt itself."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable

import numpy as np

from ...errors import FormatError
from ..budget import Budget
from ..tokens import Global, Pending
from .array import array_from_state, expect_begun
from .checks import expect, expect_one_of, field_count

__all__ = ["CALLS", "MENTIONED"]

_MASKED_ARRAY = ("numpy.ma", "MaskedArray")
# What NumPy takes to make a masked array, in units of work, and for each of its fields.
_MASKED = 100
_FILLS = (type(None), int, float, complex, str, bytes, bool)


def _masked_array(
    budget: Budget,
    data: Any,
    mask: Any,
    dtype: Any = None,
    copy: Any = False,
    subok: Any = True,
    ndmin: Any = 0,
    fill_value: Any = None,
    keep_mask: Any = True,
    hard_mask: Any = None,
) -> np.ma.MaskedArray[Any, Any]:
    """Rebuild `numpy.ma.MaskedArray(...)`."""
    given = {"dtype": (dtype, None), "copy": (copy, False), "subok": (subok, True), "ndmin": (ndmin, 0)}
    for name, (value, usual) in {**given, "keep_mask": (keep_mask, True)}.items():
        expect_one_of(value, f"{name} of a masked array", usual)
    budget.pay(_MASKED * field_count(expect(data, "the data of a masked array", np.ndarray).dtype))
    if mask is not np.ma.nomask:  # True would be an array, of the size that strides of 0 can give to little data
        _check_mask(data, mask)
    expect(hard_mask, "a masked array", bool, type(None))
    return np.ma.MaskedArray(data, mask, fill_value=_fill(budget, fill_value, data.dtype), hard_mask=hard_mask)


def _check_mask(data: Any, mask: Any) -> None:
    expect(mask, "the mask of a masked array", np.ndarray)
    if mask.shape != data.shape or mask.dtype != np.ma.make_mask_descr(data.dtype):
        raise FormatError("the mask of a masked array does not fit its data")


def _fill(budget: Budget, value: Any, dtype: np.dtype[Any]) -> Any:
    """Return a fill value, if it is a plain scalar or an array of one, which NumPy casts to the dtype of the data."""
    if type(value) in _FILLS:
        budget.pay_bytes(4 * len(value) if type(value) in (str, bytes) else 0)
        return value
    scalar = isinstance(value, np.generic)
    if not scalar and expect(value, "the fill value of a masked array", np.ndarray).shape != ():
        raise FormatError("a masked array has more than one fill value")
    budget.pay_bytes(value.dtype.itemsize)
    if value.dtype.hasobject and value.dtype != dtype:
        raise FormatError("the fill value of a masked array has objects that would be cast")
    return value


def _reconstruct(budget: Budget, subtype: Any, base: Any, shape: Any, typecode: Any) -> Pending:
    """Begin a masked array whose state holds its data and mask."""
    if type(subtype) is not Global or type(base) is not Global or base.name != ("numpy", "ndarray"):
        raise FormatError("_mareconstruct has other arguments than NumPy gives it")
    expect_begun(shape, typecode)
    return Pending(partial(_finish, budget, _class(subtype)))


def _class(subtype: Global) -> Any:
    """Return the class of a masked array, which the caller may have named."""
    if subtype.load is None:
        return _CLASSES[subtype.name]
    cls = subtype.load()
    if not (isinstance(cls, type) and issubclass(cls, np.ma.MaskedArray)):
        raise FormatError(f"_mareconstruct: {cls!r} is not a subclass of numpy.ma.MaskedArray")
    return cls


def _finish(budget: Budget, cls: Any, state: Any) -> Any:
    version, shape, dtype, fortran, data, mask, fill = expect(state, "the state of a masked array", tuple)
    array = array_from_state(budget, (version, shape, dtype, fortran, data))
    budget.pay(_MASKED * field_count(array.dtype))
    mask = array_from_state(budget, (version, shape, np.ma.make_mask_descr(dtype), fortran, mask))
    if issubclass(cls, np.ma.core.mvoid):
        return cls(array, mask=mask, fill_value=_fill(budget, fill, dtype))
    return np.ma.MaskedArray(array, mask, fill_value=_fill(budget, fill, dtype)).view(cls)


_CLASSES = {_MASKED_ARRAY: np.ma.MaskedArray, ("numpy.ma.core", "mvoid"): np.ma.core.mvoid}

CALLS: dict[tuple[str, str], Callable[..., Any]] = {
    _MASKED_ARRAY: _masked_array,
    ("numpy.ma.core", "_mareconstruct"): _reconstruct,
    ("numpy.ma.core", "MaskedConstant"): lambda budget: np.ma.masked,
}
"""What makes masked arrays, by canonical name."""

MENTIONED = frozenset(_CLASSES)
"""What these take as an argument."""
