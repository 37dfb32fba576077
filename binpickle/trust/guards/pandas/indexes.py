"""Guards for the indexes of pandas, which streams make by calls.

Rule: an index is made from checked arrays by a call with exactly the arguments that pandas' own pickling gives it.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ....errors import FormatError
from ...budget import Budget
from ...rules.checks import expect, expect_int
from ..guard import Guard, accept, refuse_state
from ..parts import owned
from .arrays import check_codes, check_steps
from .kinds import (
    array_shape,
    expect_label,
    expect_named,
    expect_plain_array,
    expect_state,
    expect_token,
    is_kind,
    spellings,
)
from .offsets import expect_offset

__all__ = ["ARGUMENTS", "STATES"]

# NumPy makes wrong arrays of ranges that come near to 64 bits, and no memory has so many rows.
_FARTHEST = 1 << 62
_MOST_ROWS = 1 << 48
_NAME = frozenset({"name"})
# The classes that `_new_Index` makes, and the array that each is over, where it is one of pandas.
_OVER = {"CategoricalIndex": "Categorical", "PeriodIndex": "PeriodArray", "TimedeltaIndex": "TimedeltaArray"}
_MADE = ("Index", "Int64Index", "UInt64Index", "Float64Index", "RangeIndex", "MultiIndex", *_OVER)


def _new_index(budget: Budget, cls: Any, state: Any) -> None:
    """Check the arguments of `_new_Index`."""
    kind = expect_token(cls, "an index", *_MADE)
    if kind == "RangeIndex":
        _range(budget, state)
    elif kind == "MultiIndex":
        _multi(budget, state)
        return
    else:
        _data(expect_state(state, f"a {kind}", frozenset({"data"}), _NAME)["data"], kind)
    expect_label(budget, state.get("name"))


def _range(budget: Budget, state: Any) -> None:
    """Check the numbers of a range, which pays for rows that no data stands for: uses may make arrays of them."""
    numbers = frozenset({"start", "stop", "step"})
    expect_state(state, "a RangeIndex", numbers, _NAME)
    for key in numbers:
        expect_int(state[key], f"the {key} of a RangeIndex", -_FARTHEST, _FARTHEST)
    rows = _rows(state["start"], state["stop"], state["step"])
    if rows is None or rows > _MOST_ROWS:
        raise FormatError("a RangeIndex has the step 0, or more rows than any memory")
    budget.pay(rows >> 7)


def _rows(start: int, stop: int, step: int) -> int | None:
    """Return the length of a range, which may be longer than `len` can say."""
    return max(0, (stop - start + step - (1 if step > 0 else -1)) // step) if step else None


def _data(data: Any, kind: str) -> None:
    """Check what an index of one level holds."""
    if kind in _OVER:
        expect_named(data, f"the data of a {kind}", _OVER[kind])
    elif type(data) is np.ndarray:
        expect_plain_array(data, f"the data of a {kind}", "biufcO")
        return
    if len(array_shape(data, f"the data of a {kind}")) != 1:
        raise FormatError(f"the data of a {kind} has more than one dimension")


def _multi(budget: Budget, state: Any) -> None:
    """Check the state of an index of several levels, and give it codes of its own."""
    expect_state(state, "a MultiIndex", frozenset({"levels", "codes"}), frozenset({"sortorder", "names"}))
    levels = expect(state["levels"], "the levels of a MultiIndex", list, tuple)
    codes = expect(state["codes"], "the codes of a MultiIndex", list, tuple)
    names = expect(state.get("names", [None] * len(levels)), "the names of a MultiIndex", list, tuple)
    if not levels or not len(levels) == len(codes) == len(names):
        raise FormatError("a MultiIndex has levels, codes and names of different numbers")
    for level, places in zip(levels, codes):
        expect_named(level, "a level of a MultiIndex", "Index")
        check_codes(budget, places, len(level), "a MultiIndex")
        if len(places) != len(codes[0]):
            raise FormatError("a MultiIndex has codes of different lengths")
    for name in names:
        expect_label(budget, name)
    if state.get("sortorder") is not None:
        expect_int(state["sortorder"], "the order of a MultiIndex", 0, len(levels))
    state["codes"] = [owned(budget, places) for places in codes]


def _new_times(budget: Budget, cls: Any, state: Any) -> None:
    """Check the arguments of `_new_DatetimeIndex` and `_new_TimedeltaIndex`."""
    kind = expect_token(cls, "an index", "DatetimeIndex", "TimedeltaIndex")
    expect_state(state, f"a {kind}", frozenset({"data"}), frozenset({"name", "freq"}))
    data = expect_named(state["data"], f"the data of a {kind}", kind.replace("Index", "Array"))
    if len(array_shape(data, f"the data of a {kind}")) != 1:
        raise FormatError(f"the data of a {kind} has more than one dimension")
    check_steps(data._ndarray, expect_offset(state.get("freq"), "the frequency of an index"), f"a {kind}")
    expect_label(budget, state.get("name"))


def _new_intervals(budget: Budget, cls: Any, state: Any) -> None:
    """Check the arguments of `_new_IntervalIndex`: two indexes of one kind and length."""
    expect_token(cls, "an index", "IntervalIndex")
    expect_state(state, "an IntervalIndex", frozenset({"left", "right", "closed"}), _NAME)
    left, right = (expect_named(state[side], "a side of an IntervalIndex", "Index") for side in ("left", "right"))
    if type(left) is not type(right) or left.dtype != right.dtype or len(left) != len(right):
        raise FormatError("an IntervalIndex has sides that do not fit each other")
    if not isinstance(left.dtype, np.dtype) and not is_kind(left, "DatetimeIndex"):
        raise FormatError(f"an IntervalIndex has sides of the type {left.dtype}")
    if state["closed"] not in ("left", "right", "both", "neither"):
        raise FormatError("an IntervalIndex is closed nowhere")
    expect_label(budget, state.get("name"))


ARGUMENTS: dict[tuple[str, str], Callable[..., None]] = {
    ("pandas.core.indexes.base", "_new_Index"): _new_index,
    ("pandas.core.indexes.datetimes", "_new_DatetimeIndex"): _new_times,
    ("pandas.core.indexes.timedeltas", "_new_TimedeltaIndex"): _new_times,
    ("pandas.core.indexes.interval", "_new_IntervalIndex"): _new_intervals,
}
"""The checks of calls that make indexes, see `guards.ARGUMENTS`."""

STATES: dict[tuple[str, str], Guard] = dict.fromkeys(
    spellings("Index"), Guard(accept, needs_state=False, before=refuse_state)
)
"""The guards of indexes, see `guards.STATES`."""
