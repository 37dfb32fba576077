"""Guards for the arrays of pandas that hold several parts: intervals, masks, sparse values, arrays of pyarrow.

Rule: a state is checked whole before the class gets it, and the parts must fit each other.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ....errors import FormatError
from ...budget import Budget
from ...rules.checks import expect_dtype, expect_int
from ..guard import Guard, refuse_state
from ..parts import is_frozen, owned
from ..pyarrow import expect_arrow, is_arrow
from .arrays import expect_begun
from .kinds import (
    array_shape,
    expect_named,
    expect_plain_array,
    expect_state,
    expect_token,
    is_kind,
    spellings,
)
from .types import drop_cache, expect_unfinished

__all__ = ["ARGUMENTS", "STATES"]


def _unpickle_intervals(budget: Budget, cls: Any, checksum: Any, state: Any) -> None:
    """Check the arguments of `__pyx_unpickle_IntervalMixin`."""
    expect_token(cls, "an array", "IntervalArray")
    expect_begun(checksum, state)


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
    if not all(map(is_frozen, places)):
        instance.__init__(instance.length, *(owned(budget, array) for array in places))


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
    ("pandas._libs.interval", "__pyx_unpickle_IntervalMixin"): _unpickle_intervals,
    ("pandas._libs.sparse", "IntIndex"): _int_index,
    ("pandas._libs.sparse", "BlockIndex"): _block_index,
}
"""The checks of calls that make arrays, see `guards.ARGUMENTS`."""

_ARROW = Guard(drop_cache, before=_before_arrow)

STATES: dict[tuple[str, str], Guard] = {
    ("pandas._libs.sparse", "SparseIndex"): Guard(_own_places, needs_state=False, before=refuse_state),
    **dict.fromkeys(spellings("IntervalArray"), Guard(drop_cache, before=_before_intervals)),
    **dict.fromkeys(spellings("SparseArray"), Guard(drop_cache, before=_before_sparse)),
    **dict.fromkeys(spellings("ArrowExtensionArray") | spellings("ArrowStringArray"), _ARROW),
    **{name: Guard(drop_cache, before=_before_masked) for kind in _MASKED for name in spellings(kind)},
}
"""The guards of arrays, see `guards.STATES`."""
