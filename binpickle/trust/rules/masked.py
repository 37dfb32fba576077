"""How the strict machine rebuilds masked arrays: from an array and a mask that it rebuilt itself."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable

import numpy as np

from ...errors import FormatError
from ..budget import Budget
from ..tokens import Global, Pending
from .array import array_from_state
from .checks import expect

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
    if (dtype, copy, subok, ndmin, keep_mask) != (None, False, True, 0, True):
        raise FormatError("numpy.ma.MaskedArray has other arguments than data, mask and fill value")
    budget.pay(_MASKED * (1 + len(expect(data, "the data of a masked array", np.ndarray).dtype.names or ())))
    if mask is not np.ma.nomask:  # True would be an array, of the size that strides of 0 can give to little data
        _check_mask(data, mask)
    expect(hard_mask, "a masked array", bool, type(None))
    return np.ma.MaskedArray(data, mask, fill_value=_fill(fill_value), hard_mask=hard_mask)


def _check_mask(data: Any, mask: Any) -> None:
    expect(mask, "the mask of a masked array", np.ndarray)
    if mask.shape != data.shape or mask.dtype != np.ma.make_mask_descr(data.dtype):
        raise FormatError("the mask of a masked array does not fit its data")


def _fill(value: Any) -> Any:
    """Return a fill value, if it is a plain scalar or an array of one."""
    if type(value) in _FILLS:
        return value
    scalar = isinstance(value, np.generic) and not value.dtype.hasobject
    if not scalar and expect(value, "the fill value of a masked array", np.ndarray).shape != ():
        raise FormatError("a masked array has more than one fill value")
    return value


def _reconstruct(budget: Budget, subtype: Any, base: Any, shape: Any, typecode: Any) -> Pending:
    """Begin a masked array whose state holds its data and mask."""
    if type(subtype) is not Global or type(base) is not Global or base.name != ("numpy", "ndarray"):
        raise FormatError("_mareconstruct has other arguments than NumPy gives it")
    if shape != (0,) or typecode not in ("b", b"b"):
        raise FormatError("_mareconstruct has other arguments than NumPy gives it")
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
    budget.pay(_MASKED * (1 + len(array.dtype.names or ())))
    mask = array_from_state(budget, (version, shape, np.ma.make_mask_descr(dtype), fortran, mask))
    if issubclass(cls, np.ma.core.mvoid):
        return cls(array, mask=mask, fill_value=_fill(fill))
    return np.ma.MaskedArray(array, mask, fill_value=_fill(fill)).view(cls)


_CLASSES = {_MASKED_ARRAY: np.ma.MaskedArray, ("numpy.ma.core", "mvoid"): np.ma.core.mvoid}

CALLS: dict[tuple[str, str], Callable[..., Any]] = {
    _MASKED_ARRAY: _masked_array,
    ("numpy.ma.core", "_mareconstruct"): _reconstruct,
    ("numpy.ma.core", "MaskedConstant"): lambda budget: np.ma.masked,
}
"""What makes masked arrays, by canonical name."""

MENTIONED = frozenset(_CLASSES)
"""What these take as an argument."""
