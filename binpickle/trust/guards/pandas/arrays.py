"""Guards for the arrays of pandas over one array of NumPy: what their types say is true of what they hold.

Rule: a state is checked whole before the class gets it. Compiled code takes by the codes of a categorical array without
looking, so these are numbers within range that nobody else can change.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ....errors import FormatError
from ...budget import Budget
from ...rules.checks import expect, expect_int
from ..guard import Guard
from ..parts import owned
from .kinds import (
    expect_named,
    expect_plain_array,
    expect_state,
    expect_token,
    is_kind,
)
from .offsets import expect_offset
from .types import UNITS, drop_cache

__all__ = ["ARGUMENTS", "STATES", "check_codes", "check_steps", "expect_begun"]

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
    fits = not odd and bool(step) and last - first == (len(times) - 1) * step
    if not fits and type(freq).__name__ == "Day" and step and not odd:  # a day in a time zone may be longer or shorter
        fits = len(times) - len(range(first, last + step, step)) in (0, -1)
    if not fits:
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
    expect_begun(checksum, state)


def expect_begun(checksum: Any, state: Any) -> None:
    """Check what a call has that makes an array without a state, besides the class.

    Raises:
        FormatError: it is something else.
    """
    expect_int(checksum, "the checksum of an array", 0, (1 << 32) - 1)
    expect(state, "the state in a call", type(None))


def _before_backed(budget: Budget, instance: Any, state: Any) -> Any:
    """Check the state of an array over an array of NumPy, and return it with codes that nobody else can write to."""
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
            return (state[0], owned(budget, state[1]), *state[2:]) if kind == "Categorical" else state
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


ARGUMENTS: dict[tuple[str, str], Callable[..., None]] = {
    ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"): _unpickle_backed,
}
"""The checks of calls that make arrays, see `guards.ARGUMENTS`."""

STATES: dict[tuple[str, str], Guard] = {
    ("pandas._libs.arrays", "NDArrayBacked"): Guard(drop_cache, before=_before_backed),
}
"""The guards of arrays, see `guards.STATES`."""
