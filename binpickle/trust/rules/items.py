"""Which items an array of objects, of strings of variable length, or of structures with objects may be filled with.

Rule: assigning an item converts nothing that the item decides about, and broadcasts nothing: a field of numbers takes a
plain number, and no object that would be asked for one.
"""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from ...errors import FormatError
from ..budget import Budget
from .checks import expect

__all__ = ["check_item"]

# What NumPy's own pickling gives for an item, by the kind of its dtype.
_NUMBERS = (int, float, bool)
_PLAIN: dict[str, tuple[type, ...]] = {
    "b": _NUMBERS,
    "i": _NUMBERS,
    "u": _NUMBERS,
    "f": (*_NUMBERS, np.float64, np.longdouble),
    "c": (*_NUMBERS, complex, np.longdouble, np.clongdouble),
    "S": (bytes, str),
    "U": (bytes, str),
    "V": (bytes, np.void),
    "M": (int, type(None), datetime.date, datetime.datetime, np.datetime64),
    "m": (int, type(None), datetime.timedelta, np.timedelta64),
}


def check_item(budget: Budget, dtype: np.dtype[Any], item: Any) -> None:
    """Refuse an item that NumPy would have to ask what it is.

    Args:
        budget: pays for strings of variable length, which NumPy copies.
        dtype: the type of the array, or of the field.
        item: the item.

    Raises:
        FormatError: it is one.
        LimitError: it takes more than the budget has.
    """
    if dtype.kind == "O":
        return
    if dtype.subdtype is not None:
        _check_subarray(dtype.subdtype, item)
    elif dtype.names is not None:
        _check_element(budget, dtype, item)
    elif dtype.hasobject:
        _check_string(budget, getattr(dtype, "na_object", ""), item)
    else:
        expect(item, f"an item of {dtype}", *_PLAIN[dtype.kind])


def _check_subarray(subdtype: tuple[np.dtype[Any], tuple[int, ...]], item: Any) -> None:
    base, shape = subdtype
    array = expect(item, "a subarray", np.ndarray)
    if array.dtype != base or array.shape != shape:
        raise FormatError(f"a subarray of {base} and {shape} is given one of {array.dtype} and {array.shape}")


def _check_element(budget: Budget, dtype: np.dtype[Any], item: Any) -> None:
    names = dtype.names or ()
    if len(expect(item, "an element of a structured array", tuple)) != len(names):
        raise FormatError("an element of a structured array has a wrong number of fields")
    for name, value in zip(names, item):
        check_item(budget, dtype.fields[name][0], value)  # type: ignore[index]


def _check_string(budget: Budget, missing: Any, item: Any) -> None:
    both_nan = type(item) is float and item != item and type(missing) is float and missing != missing
    if item is not missing and not both_nan:
        budget.pay_bytes(len(expect(item, "a string of an array", str)))
