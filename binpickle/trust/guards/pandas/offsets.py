"""Guards for offsets of pandas: steps from one time to another.

Rule: every parameter of an offset has the type and range that pandas' own constructor gives it. A stream makes an
offset by a call, and only a `DateOffset` gets a state.
"""

from __future__ import annotations

import datetime
from functools import partial
from typing import Any, Callable

import numpy as np

from ....errors import FormatError
from ...budget import Budget
from ...rules.checks import expect, expect_int, shown
from ..guard import Guard, accept
from .kinds import expect_state
from .types import expect_unfinished

__all__ = ["ARGUMENTS", "STATES", "expect_offset"]

_HOME = "pandas._libs.tslibs.offsets"
_DAY = datetime.timedelta(days=1)
_MOST = (1 << 63) - 1


def expect_offset(value: Any, what: str) -> Any:
    """Return `value` if it is an offset, or none.

    Raises:
        FormatError: it is neither.
    """
    if value is not None and not _is(value, "BaseOffset"):
        raise FormatError(f"{what} is a {type(value).__name__}")
    return value


def _is(value: Any, name: str) -> bool:
    return any(base.__module__ in (_HOME, "pandas") and base.__name__ == name for base in type(value).__mro__)


def _boolean(budget: Budget, value: Any) -> None:
    expect(value, "whether an offset normalizes", bool, np.bool_)


def _integer(low: int, high: int, budget: Budget, value: Any) -> None:
    expect_int(int(value) if isinstance(value, np.integer) else value, "a parameter of an offset", low, high)


def _weekday(budget: Budget, value: Any) -> None:
    if value is not None:
        _integer(0, 6, budget, value)


def _span(budget: Budget, value: Any) -> None:
    if abs(expect(value, "the span of an offset", datetime.timedelta)) > 10000 * _DAY:
        raise FormatError("an offset has a span of more than 10000 days")


def _weekmask(budget: Budget, value: Any) -> None:
    """Check the days of a week on which business is done."""
    if type(value) is str:
        if len(value) > 64:
            raise FormatError("an offset has a weekmask of more than 64 characters")
    elif len(expect(value, "the weekmask of an offset", list, tuple)) != 7 or any(day not in (0, 1) for day in value):
        raise FormatError("an offset has a weekmask that is not of 7 days")


def _holidays(budget: Budget, value: Any) -> None:
    budget.pay(len(expect(value, "the holidays of an offset", tuple)))
    for day in value:
        expect(day, "a holiday", np.datetime64)


def _calendar(budget: Budget, value: Any) -> None:
    if value is not None:
        raise FormatError("an offset has a calendar, which no stream can hold")


def _hours(budget: Budget, value: Any) -> None:
    budget.pay(len(expect(value, "the hours of an offset", tuple)))
    for hour in value:
        expect(hour, "an hour of an offset", datetime.time)


def _variation(budget: Budget, value: Any) -> None:
    if value not in ("nearest", "last"):
        raise FormatError(f"an offset has the variation {shown(value)}")


_month = partial(_integer, 1, 12)
_CUSTOM: list[Callable[[Budget, Any], None]] = [_weekmask, _holidays, _calendar]
_FISCAL: list[Callable[[Budget, Any], None]] = [partial(_integer, 0, 6), _month]

# What each class takes after the count and whether it normalizes.
_PARAMETERS: dict[str, list[Callable[[Budget, Any], None]]] = {
    **dict.fromkeys(["Day", "Hour", "Minute", "Second", "Milli", "Micro", "Nano", "MonthBegin", "MonthEnd"], []),
    **dict.fromkeys(["BusinessMonthBegin", "BusinessMonthEnd"], []),
    **dict.fromkeys(["YearBegin", "YearEnd", "BYearBegin", "BYearEnd"], [_month]),
    **dict.fromkeys(["QuarterBegin", "QuarterEnd", "BQuarterBegin", "BQuarterEnd"], [_month]),
    **dict.fromkeys(["HalfYearBegin", "HalfYearEnd", "BHalfYearBegin", "BHalfYearEnd"], [_month]),
    "Easter": [partial(_integer, 1, 3)],
    "Week": [_weekday],
    "WeekOfMonth": [partial(_integer, 0, 3), partial(_integer, 0, 6)],
    "LastWeekOfMonth": [partial(_integer, 0, 6)],
    "SemiMonthBegin": [partial(_integer, 2, 27)],
    "SemiMonthEnd": [partial(_integer, 1, 27)],
    "BusinessDay": [_span],
    "BusinessHour": [_hours, _hours, _span],
    "CustomBusinessDay": [*_CUSTOM, _span],
    "CustomBusinessHour": [*_CUSTOM, _hours, _hours, _span],
    "CustomBusinessMonthBegin": [*_CUSTOM, _span],
    "CustomBusinessMonthEnd": [*_CUSTOM, _span],
    "FY5253": [*_FISCAL, _variation],
    "FY5253Quarter": [*_FISCAL, partial(_integer, 1, 4), _variation],
}


def _arguments(name: str) -> Callable[..., None]:
    """Return the check of the arguments that make an offset of a class."""
    rules: list[Callable[[Budget, Any], None]] = [partial(_integer, -_MOST, _MOST), _boolean, *_PARAMETERS[name]]

    def check(budget: Budget, *arguments: Any) -> None:
        if not 1 <= len(arguments) <= len(rules):
            raise FormatError(f"{name} has {len(arguments)} arguments")
        for rule, argument in zip(rules, arguments):
            rule(budget, argument)

    return check


def _no_arguments(budget: Budget) -> None:
    """Accept the call of a `DateOffset` that gets its state afterwards."""


_PLURAL = ("years", "months", "weeks", "days", "hours", "minutes", "seconds", "microseconds", "milliseconds")
_SINGULAR = ("year", "month", "day", "weekday", "hour", "minute", "second", "microsecond", "nanosecond")
_STEPS = frozenset({*_PLURAL, "nanoseconds", *_SINGULAR, "leapdays"})


def _before(budget: Budget, instance: Any, state: Any) -> None:
    """Check the state of a `DateOffset`, and that no other offset gets one."""
    if not _is(instance, "DateOffset"):
        raise FormatError(f"a {type(instance).__name__} is given a state")
    expect_state(state, "a DateOffset", frozenset({"n", "normalize", "_offset", "_use_relativedelta"}), _STEPS)
    _integer(-_MOST, _MOST, budget, state["n"])
    _boolean(budget, state["normalize"])
    expect(state["_use_relativedelta"], "the kind of a DateOffset", bool)
    step = state["_offset"]
    if type(step) is not datetime.timedelta and not _is_relative(step):
        raise FormatError(f"a DateOffset has a step that is a {type(step).__name__}")
    for name in _STEPS.intersection(state):
        _expect_step(state[name])


def _expect_step(value: Any) -> None:
    if value is None or type(value) is float or type(value).__module__ == "dateutil._common":
        return
    expect_int(int(value) if isinstance(value, np.integer) else value, "a step of an offset", -_MOST, _MOST)


def _is_relative(value: Any) -> bool:
    return type(value).__module__ == "dateutil.relativedelta" and bool(value.__dict__)


def _before_relative(budget: Budget, instance: Any, state: Any) -> None:
    """Check the state of `dateutil.relativedelta`."""
    expect_unfinished(instance)
    for value in expect_state(state, "a relativedelta", frozenset({"years"}), _STEPS | {"_has_time"}).values():
        _expect_step(value)


def _before_weekday(budget: Budget, instance: Any, state: Any) -> None:
    """Check the state of a weekday of dateutil, which is in slots."""
    if type(state) is not tuple or len(state) != 2 or state[0] is not None:
        raise FormatError("a weekday has a state that is not of slots")
    slots = expect_state(state[1], "a weekday", frozenset({"weekday", "n"}), frozenset())
    expect_int(slots["weekday"], "a weekday", 0, 6)
    _expect_step(slots["n"])


ARGUMENTS: dict[tuple[str, str], Callable[..., None]] = {
    **{(_HOME, name): _arguments(name) for name in _PARAMETERS},
    (_HOME, "DateOffset"): _no_arguments,
    ("pandas", "DateOffset"): _no_arguments,
}
"""The checks of calls that make offsets, see `guards.ARGUMENTS`."""

STATES: dict[tuple[str, str], Guard] = {
    (_HOME, "BaseOffset"): Guard(accept, needs_state=False, before=_before),
    ("dateutil.relativedelta", "relativedelta"): Guard(accept, before=_before_relative),
    ("dateutil._common", "weekday"): Guard(accept, before=_before_weekday),
}
"""The guards of offsets, see `guards.STATES`."""
