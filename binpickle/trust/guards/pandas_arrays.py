"""Guards for the arrays of pandas: what their types say is true of what they hold.

Rule: a state is checked whole before the class gets it. Compiled code takes by the codes of a categorical array and by
the places of a sparse one without looking, so these are numbers within range that nobody else can change.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ...errors import FormatError
from ..budget import Budget
from ..rules.checks import expect, expect_dtype, expect_int
from .guard import Guard
from .pandas_kinds import (
    array_shape,
    expect_named,
    expect_plain_array,
    expect_state,
    expect_token,
    is_kind,
    own_array,
    refuse_state,
    spellings,
)
from .pandas_offsets import expect_offset
from .pandas_types import UNITS, drop_cache, expect_unfinished
from .pyarrow import expect_arrow, is_arrow

__all__ = ["ARGUMENTS", "STATES", "check_codes", "check_steps"]

_BACKED = [
    "Categorical",
    "DatetimeArray",
    "TimedeltaArray",
    "PeriodArray",
    "NumpyExtensionArray",
    "PandasArray",
    "StringArray",
    "StringArrayNumpySemantics",
]
_EXTRA = frozenset({"_freq", "_cache", "_readonly"})
_NONE: frozenset[str] = frozenset()


def check_codes(budget: Budget, codes: Any, size: int, what: str) -> None:
    """Check that each code stands for one of so many things, or is -1.

    Raises:
        FormatError: one is not, or they are not codes.
    """
    expect_plain_array(codes, f"the codes of {what}", "i")
    budget.pay_look(codes.nbytes)
    if codes.size and (codes.min() < -1 or codes.max() >= size):
        raise FormatError(f"{what} has a code that is not from -1 to {size - 1}")


def check_steps(times: Any, freq: Any, what: str) -> None:
    """Check that times lie as far apart as a frequency of constant length says: pandas computes with it instead.

    Raises:
        FormatError: they do not.
    """
    nanos = _nanoseconds(freq)
    if nanos is None or times.ndim != 1 or not len(times):
        return
    step, odd = divmod(nanos, _PER_UNIT[np.datetime_data(times.dtype)[0]])
    first, last = int(times[0].view("int64")), int(times[-1].view("int64"))
    # In a time zone a day may be an hour longer, so the last step may be begun.
    if odd or not step or len(times) - len(range(first, last + step, step)) not in (0, -1):
        raise FormatError(f"{what} has a frequency that its values have not")


_PER_UNIT = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}
_TICKS = {"Day": 86400 * 10**9, "Hour": 3600 * 10**9, "Minute": 60 * 10**9, "Second": 10**9, "Milli": 10**6}
_TICKS.update(Micro=1000, Nano=1)


def _nanoseconds(freq: Any) -> int | None:
    """Return the length of an offset, if it always has the same."""
    length = _TICKS.get(type(freq).__name__)
    return None if length is None else length * int(freq.n)


def _unpickle_backed(budget: Budget, cls: Any, checksum: Any, state: Any) -> None:
    """Check the arguments of `__pyx_unpickle_NDArrayBacked`."""
    expect_token(cls, "an array", *_BACKED)
    _begun(checksum, state)


def _unpickle_intervals(budget: Budget, cls: Any, checksum: Any, state: Any) -> None:
    """Check the arguments of `__pyx_unpickle_IntervalMixin`."""
    expect_token(cls, "an array", "IntervalArray")
    _begun(checksum, state)


def _begun(checksum: Any, state: Any) -> None:
    expect_int(checksum, "the checksum of an array", 0, (1 << 32) - 1)
    expect(state, "the state in a call", type(None))


def _before_backed(budget: Budget, instance: Any, state: Any) -> None:
    """Check the state of an array over an array of NumPy: its type, its data, and attributes."""
    if instance._ndarray is not None:
        raise FormatError(f"a {type(instance).__name__} is given a second state")
    name = type(instance).__name__
    if type(state) is not tuple or not 2 <= len(state) <= 3:
        raise FormatError(f"the state of a {name} is not of its type and its data")
    extra = expect_state(state[2], f"a {name}", _NONE, _EXTRA) if len(state) == 3 else {}
    expect(extra.get("_readonly", False), "whether an array is read-only", bool)
    expect_offset(extra.get("_freq"), "the frequency of an array")
    for kind, check in _CHECKS.items():
        if is_kind(instance, kind):
            check(budget, *state[:2])
            if kind in ("DatetimeArray", "TimedeltaArray"):
                check_steps(state[1], extra.get("_freq"), f"a {name}")
            return
    raise FormatError(f"a {name} is given a state")


def _categorical(budget: Budget, dtype: Any, codes: Any) -> None:
    held = getattr(expect_named(dtype, "the type of a Categorical", "CategoricalDtype"), "_categories", None)
    categories = expect_named(held, "what a Categorical has for categories", "Index")
    check_codes(budget, codes, len(categories), "a Categorical")


def _times(budget: Budget, dtype: Any, data: Any) -> None:
    expect_plain_array(data, "the data of a DatetimeArray", "M", getattr(data, "ndim", 1))
    if is_kind(dtype, "DatetimeTZDtype"):
        if getattr(dtype, "_unit", None) != np.datetime_data(data.dtype)[0]:
            raise FormatError("a DatetimeArray has another unit than its type")
    elif not isinstance(dtype, np.dtype) or dtype != data.dtype:
        raise FormatError("a DatetimeArray has another type than its data")
    _check_unit(data)


def _spans(budget: Budget, dtype: Any, data: Any) -> None:
    expect_plain_array(data, "the data of a TimedeltaArray", "m", getattr(data, "ndim", 1))
    if not isinstance(dtype, np.dtype) or dtype != data.dtype:
        raise FormatError("a TimedeltaArray has another type than its data")
    _check_unit(data)


def _check_unit(data: Any) -> None:
    unit, count = np.datetime_data(data.dtype)
    if unit not in UNITS or count != 1 or not 1 <= data.ndim <= 2:
        raise FormatError(f"an array of times has the dtype {data.dtype!r} and {data.ndim} dimensions")


def _periods(budget: Budget, dtype: Any, data: Any) -> None:
    expect_named(dtype, "the type of a PeriodArray", "PeriodDtype")
    if expect_plain_array(data, "the data of a PeriodArray", "i").dtype.itemsize != 8:
        raise FormatError("a PeriodArray is not of 64-bit integers")


def _plain(budget: Budget, dtype: Any, data: Any) -> None:
    held = getattr(expect_named(dtype, "the type of an array", "NumpyEADtype", "PandasDtype"), "_dtype", None)
    if type(data) is not np.ndarray or data.ndim != 1 or held != data.dtype:
        raise FormatError("an array over NumPy has another type than its data")


def _strings(budget: Budget, dtype: Any, data: Any) -> None:
    expect_named(dtype, "the type of a StringArray", "StringDtype")
    expect_plain_array(data, "the data of a StringArray", "O")
    budget.pay(data.size)
    for item in data:
        if type(item) is not str and not _is_missing(item):
            raise FormatError(f"a StringArray holds a {type(item).__name__}")


def _is_missing(item: Any) -> bool:
    return item is None or (type(item) is float and item != item) or is_kind(item, "NAType")


_CHECKS: dict[str, Callable[[Budget, Any, Any], None]] = {
    "Categorical": _categorical,
    "DatetimeArray": _times,
    "TimedeltaArray": _spans,
    "PeriodArray": _periods,
    "StringArray": _strings,
    "NumpyExtensionArray": _plain,
    "PandasArray": _plain,
}


def _after_backed(budget: Budget, instance: Any) -> None:
    """Drop the cache, and give a categorical array codes of its own."""
    drop_cache(budget, instance)
    if is_kind(instance, "Categorical") and instance._ndarray.flags.writeable:
        type(instance).__setstate__(instance, (instance._dtype, own_array(budget, instance._ndarray), {}))


def _before_intervals(budget: Budget, instance: Any, state: Any) -> None:
    """Check the state of an array of intervals."""
    expect_unfinished(instance)
    if type(state) is not tuple or len(state) != 1:
        raise FormatError("the state of an IntervalArray is not a tuple with a dict")
    held = expect_state(state[0], "an IntervalArray", frozenset({"_left", "_right", "_dtype"}), frozenset({"_cache"}))
    left, right = held["_left"], held["_right"]
    dtype = expect_named(held["_dtype"], "the type of an IntervalArray", "IntervalDtype")
    if type(left) is not type(right) or len(array_shape(left, "a side")) != 1:
        raise FormatError("an IntervalArray has sides of two kinds")
    lefts, rights = _numbers(left), _numbers(right)
    if lefts.shape != rights.shape or left.dtype != right.dtype or left.dtype != getattr(dtype, "_subtype", None):
        raise FormatError("an IntervalArray has sides that do not fit each other, or its type")
    budget.pay_look(2 * lefts.nbytes)
    if np.any(lefts > rights) or np.any(_no_number(lefts) != _no_number(rights)):
        raise FormatError("an IntervalArray has a left side that is greater than its right side")


def _numbers(side: Any) -> Any:
    """Return the array of NumPy that holds one side of intervals."""
    if is_kind(side, "DatetimeArray", "TimedeltaArray"):
        return side._ndarray
    return expect_plain_array(side, "a side of an IntervalArray", "iuf")


def _no_number(side: Any) -> Any:
    return side != side


_MASKED = {"BooleanArray": ("b", (1,)), "IntegerArray": ("iu", (1, 2, 4, 8)), "FloatingArray": ("f", (4, 8))}


def _before_masked(budget: Budget, instance: Any, state: Any) -> None:
    """Check the state of an array with a mask."""
    expect_unfinished(instance)
    name = type(instance).__name__
    expect_state(state, f"a {name}", frozenset({"_data", "_mask"}), frozenset({"_cache", "_dtype", "_readonly"}))
    for kind, (kinds, sizes) in _MASKED.items():
        if is_kind(instance, kind):
            data = expect_plain_array(state["_data"], f"the data of a {name}", kinds)
            mask = expect_plain_array(state["_mask"], f"the mask of a {name}", "b")
            budget.pay_look(mask.nbytes)
            if data.dtype.itemsize not in sizes or data.shape != mask.shape:
                raise FormatError(f"a {name} has data and a mask that do not fit")
            if mask.size and mask.view("uint8").max() > 1:
                raise FormatError(f"a {name} has a mask that is not of truth values")
    if "_dtype" in state:
        expect_named(state["_dtype"], f"the type of a {name}", f"{name[:-5]}Dtype")


def _int_index(budget: Budget, length: Any, indices: Any) -> None:
    """Check the arguments of `IntIndex`: places in ascending order."""
    budget.pay(expect_int(length, "the length of a sparse array", 0, (1 << 31) - 1) >> 7)
    _check_places(budget, indices)
    if indices.size and (indices[0] < 0 or indices[-1] >= length or np.any(indices[1:] <= indices[:-1])):
        raise FormatError(f"a sparse array has places that do not ascend from 0 to {length - 1}")


def _block_index(budget: Budget, length: Any, starts: Any, lengths: Any) -> None:
    """Check the arguments of `BlockIndex`: runs of places in ascending order."""
    budget.pay(expect_int(length, "the length of a sparse array", 0, (1 << 31) - 1) >> 7)
    _check_places(budget, starts)
    _check_places(budget, lengths)
    if starts.shape != lengths.shape:
        raise FormatError("a sparse array has more starts of runs than lengths, or fewer")
    ends = starts.astype("int64") + lengths
    if starts.size and (starts[0] < 0 or lengths.min() < 1 or ends[-1] > length or np.any(starts[1:] < ends[:-1])):
        raise FormatError(f"a sparse array has runs that do not ascend from 0 to {length - 1}")


def _check_places(budget: Budget, places: Any) -> None:
    if expect_plain_array(places, "the places of a sparse array", "i").dtype.itemsize != 4:
        raise FormatError("the places of a sparse array are not 32-bit integers")
    budget.pay_look(4 * places.nbytes)


def _before_sparse(budget: Budget, instance: Any, state: Any) -> None:
    """Check the state of a sparse array."""
    expect_unfinished(instance)
    needed = frozenset({"_sparse_index", "_sparse_values", "_dtype"})
    expect_state(state, "a SparseArray", needed, frozenset({"_cache", "_readonly"}))
    values, index = state["_sparse_values"], state["_sparse_index"]
    dtype = getattr(expect_named(state["_dtype"], "the type of a SparseArray", "SparseDtype"), "_dtype", None)
    if type(index).__module__ != "pandas._libs.sparse":
        raise FormatError(f"a SparseArray has a {type(index).__name__} for places")
    if type(values) is not np.ndarray or values.shape != (index.npoints,) or values.dtype != dtype:
        raise FormatError("a SparseArray has values that do not fit its places or its type")
    expect_dtype(dtype, "a SparseArray", objects=True)


def _own_places(budget: Budget, instance: Any) -> None:
    """Give what holds the places of a sparse array memory of its own."""
    names = ("indices",) if type(instance).__name__ == "IntIndex" else _RUNS
    places = [getattr(instance, name) for name in names]
    if any(array.flags.writeable for array in places):
        instance.__init__(instance.length, *(own_array(budget, array) for array in places))


_RUNS = ("blocs", "blengths")


def _before_arrow(budget: Budget, instance: Any, state: Any) -> None:
    """Check the state of an array of pandas over one of pyarrow, which was validated when it was made."""
    expect_unfinished(instance)
    name = type(instance).__name__
    expect_state(state, f"a {name}", frozenset({"_dtype"}), frozenset({"_pa_array", "_data", "_cache", "_readonly"}))
    if ("_pa_array" in state) == ("_data" in state):
        raise FormatError(f"a {name} has no array of pyarrow, or two")
    held = expect_arrow(state.get("_pa_array", state.get("_data")), f"the data of a {name}", "Array", "ChunkedArray")
    dtype = expect_named(state["_dtype"], f"the type of a {name}", "ArrowDtype", "StringDtype")
    if is_kind(dtype, "StringDtype"):
        if str(held.type) not in ("string", "large_string"):
            raise FormatError(f"a {name} of strings has data of the type {held.type}")
    elif not is_arrow(getattr(dtype, "pyarrow_dtype", None), "DataType") or not held.type.equals(dtype.pyarrow_dtype):
        raise FormatError(f"a {name} has data of another type than its own")


ARGUMENTS: dict[tuple[str, str], Callable[..., None]] = {
    ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"): _unpickle_backed,
    ("pandas._libs.interval", "__pyx_unpickle_IntervalMixin"): _unpickle_intervals,
    ("pandas._libs.sparse", "IntIndex"): _int_index,
    ("pandas._libs.sparse", "BlockIndex"): _block_index,
}
"""The checks of calls that make arrays, see `guards.ARGUMENTS`."""

_ARROW = Guard(drop_cache, before=_before_arrow)

STATES: dict[tuple[str, str], Guard] = {
    ("pandas._libs.arrays", "NDArrayBacked"): Guard(_after_backed, before=_before_backed),
    ("pandas._libs.sparse", "SparseIndex"): Guard(_own_places, needs_state=False, before=refuse_state),
    **dict.fromkeys(spellings("IntervalArray"), Guard(drop_cache, before=_before_intervals)),
    **dict.fromkeys(spellings("SparseArray"), Guard(drop_cache, before=_before_sparse)),
    **dict.fromkeys(spellings("ArrowExtensionArray") | spellings("ArrowStringArray"), _ARROW),
    **{name: Guard(drop_cache, before=_before_masked) for kind in _MASKED for name in spellings(kind)},
}
"""The guards of arrays, see `guards.STATES`."""
