"""Guards for scalars of pandas and for time zones, which streams make by calls.

Rule: numbers fit into 64 bits and units are those that pandas has. A scalar gets no state.
"""

from __future__ import annotations

import datetime
import re
from typing import Any, Callable

import numpy as np

from ....errors import FormatError
from ...budget import Budget
from ...rules.checks import expect, expect_int
from ..guard import Guard, accept, refuse_state
from .kinds import expect_state, is_kind, spellings
from .offsets import expect_offset

__all__ = ["ARGUMENTS", "STATES"]

_LEAST = -1 << 63
_MOST = (1 << 63) - 1
_DAY = datetime.timedelta(days=1)
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")
_NONE: frozenset[str] = frozenset()


def _timestamp(budget: Budget, value: Any, freq: Any, zone: Any, unit: Any = 10) -> None:
    """Check the arguments of `_unpickle_timestamp`."""
    expect_int(value, "a timestamp", _LEAST, _MOST)
    if freq is not None:
        expect_offset(freq, "the frequency of a timestamp")
    if zone is not None and not isinstance(zone, datetime.tzinfo):
        raise FormatError(f"the time zone of a timestamp is a {type(zone).__name__}")
    _unit(unit)


def _timedelta(budget: Budget, value: Any, unit: Any = 10) -> None:
    """Check the arguments of `_timedelta_unpickle`, and of `Timedelta` in old releases."""
    expect_int(value, "a timedelta", _LEAST, _MOST)
    _unit(unit)


def _span(budget: Budget, value: Any) -> None:
    """Check the argument of `Timedelta`: nanoseconds."""
    _timedelta(budget, value)


def _unit(unit: Any) -> None:
    expect_int(unit, "the unit of a time", 7, 10)  # seconds to nanoseconds, as NumPy counts them


def _no_time(budget: Budget, nothing: Any = None) -> None:
    """Check the argument of `_nat_unpickle`."""
    expect(nothing, "the argument of NaT", type(None))


def _interval(budget: Budget, left: Any, right: Any, closed: Any) -> None:
    """Check the arguments of `Interval`."""
    for side in (left, right):
        number = type(side) in (int, float) or isinstance(side, (np.integer, np.floating))
        if not number and not is_kind(side, "Timestamp", "Timedelta"):
            raise FormatError(f"a side of an interval is a {type(side).__name__}")
    if closed not in ("left", "right", "both", "neither"):
        raise FormatError("an interval is closed nowhere")


def _period(budget: Budget, nothing: Any, freq: Any, ordinal: Any) -> None:
    """Check the arguments of `Period`."""
    expect(nothing, "the value of a period", type(None))
    if freq is None:
        raise FormatError("a period has no frequency")
    expect_offset(freq, "the frequency of a period")
    expect_int(ordinal, "a period", _LEAST, _MOST)


def _named_zone(budget: Budget, name: Any, offset: Any = None, saving: Any = None, abbreviation: Any = None) -> None:
    """Check the arguments of `pytz._p`: the name of a zone, and which of its offsets is meant."""
    if type(name) is not str or not _ZONE.fullmatch(name):
        raise FormatError("a time zone of pytz has no name of a zone")
    if offset is not None:
        expect_int(offset, "the offset of a time zone", -86399, 86399)
        expect_int(saving, "the summer time of a time zone", -86399, 86399)
        if len(expect(abbreviation, "the abbreviation of a time zone", str)) > 16:
            raise FormatError("a time zone has an abbreviation of more than 16 characters")


def _fixed_zone(budget: Budget, minutes: Any) -> None:
    """Check the argument of `pytz.FixedOffset`."""
    expect_int(minutes, "the offset of a time zone", -1439, 1439)


def _no_arguments(budget: Budget) -> None:
    """Check that a call has no arguments."""


def _before_local(budget: Budget, instance: Any, state: Any) -> None:
    """Check the state of `dateutil.tz.tzlocal`: offsets of less than a day, and two abbreviations."""
    offsets = ("_std_offset", "_dst_offset", "_dst_saved")
    expect_state(state, "a tzlocal", frozenset({*offsets, "_hasdst", "_tznames"}), _NONE)
    for name in offsets:
        if abs(expect(state[name], "an offset of a tzlocal", datetime.timedelta)) >= _DAY:
            raise FormatError("a tzlocal has an offset of a day or more")
    expect(state["_hasdst"], "whether a tzlocal has summer time", bool)
    names = expect(state["_tznames"], "the abbreviations of a tzlocal", tuple)
    if len(names) != 2 or any(type(name) is not str for name in names):
        raise FormatError("a tzlocal has not two abbreviations")


_OFFSETS = "pandas._libs.tslibs"

ARGUMENTS: dict[tuple[str, str], Callable[..., None]] = {
    (f"{_OFFSETS}.timestamps", "_unpickle_timestamp"): _timestamp,
    (f"{_OFFSETS}.timedeltas", "_timedelta_unpickle"): _timedelta,
    (f"{_OFFSETS}.timedeltas", "Timedelta"): _span,
    (f"{_OFFSETS}.nattype", "_nat_unpickle"): _no_time,
    (f"{_OFFSETS}.nattype", "__nat_unpickle"): _no_time,
    **dict.fromkeys(spellings("Interval"), _interval),
    **dict.fromkeys(spellings("Period"), _period),
    ("pytz", "_p"): _named_zone,
    ("pytz", "_UTC"): _no_arguments,
    ("pytz", "FixedOffset"): _fixed_zone,
    ("dateutil.tz.tz", "tzutc"): _no_arguments,
}
"""The checks of calls that make scalars and time zones, see `guards.ARGUMENTS`."""

_SCALARS = ("Timestamp", "Timedelta", "Period", "Interval", "NAType", "NaTType", "PeriodDtype")

STATES: dict[tuple[str, str], Guard] = {
    name: Guard(accept, needs_state=False, before=refuse_state) for kind in _SCALARS for name in spellings(kind)
}
"""The guards of scalars and time zones, see `guards.STATES`."""
STATES[("dateutil.tz.tz", "tzlocal")] = Guard(accept, before=_before_local)
for _zone in (("dateutil.tz.tz", "tzutc"), ("pytz.tzinfo", "BaseTzInfo"), ("pytz", "UTC"), ("pytz", "_FixedOffset")):
    STATES[_zone] = Guard(accept, needs_state=False, before=refuse_state)
