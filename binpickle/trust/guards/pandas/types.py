"""Guards for the types of pandas' arrays.

Rule: a type holds what its class expects and nothing else, since arrays believe their types. Caches that a stream
brings are dropped: pandas fills them again.
"""

from __future__ import annotations

import datetime
import re
from typing import Any, Callable

import numpy as np

from ....errors import FormatError
from ...budget import Budget
from ...rules.checks import expect, shown
from ...tokens import Global
from ..guard import Guard
from .kinds import expect_named, expect_state, is_kind, spellings

__all__ = ["ARGUMENTS", "STATES", "UNITS", "drop_cache", "expect_unfinished"]

UNITS = ("s", "ms", "us", "ns")
"""The units of times that pandas has."""

CLOSED = (None, "left", "right", "both", "neither")
"""Which ends of an interval belong to it."""

_PERIOD_NAME = re.compile(r"period\[[A-Za-z0-9-]{1,24}\]")
_NONE: frozenset[str] = frozenset()


def expect_unfinished(instance: Any) -> None:
    """Refuse a second state, which could undo what was checked with the first.

    Raises:
        FormatError: the instance has a state.
    """
    if any(value is not None for value in getattr(instance, "__dict__", {}).values()):
        raise FormatError(f"a {type(instance).__name__} is given a second state")


def drop_cache(budget: Budget, instance: Any) -> None:
    """Take away the cache that came with a state: it says what pandas would compute, and may lie."""
    instance.__dict__.pop("_cache", None)


def _simple(
    name: str, check: Callable[[dict[str, Any]], None], required: str = "", optional: str = "", needs_state: bool = True
) -> Guard:
    """Return the guard of a type whose state is a dict."""
    needed, allowed = frozenset(required.split()), frozenset(optional.split())

    def before(budget: Budget, instance: Any, state: Any) -> None:
        expect_unfinished(instance)
        check(expect_state(state, name, needed, allowed))

    return Guard(drop_cache, needs_state=needs_state, before=before)


def _no_more(state: dict[str, Any]) -> None:
    """Accept a state of which only the cache is known."""


def _categories(state: dict[str, Any]) -> None:
    if state["categories"] is not None:
        expect_named(state["categories"], "categories", "Index")
    expect(state["ordered"], "whether categories are ordered", bool, type(None))


def _zone(state: dict[str, Any]) -> None:
    if state["unit"] not in UNITS or not isinstance(state["tz"], datetime.tzinfo):
        raise FormatError(f"a DatetimeTZDtype has the unit {state['unit']!r} and a {type(state['tz']).__name__}")


def _interval(state: dict[str, Any]) -> None:
    subtype = state["subtype"]
    if not (subtype is None or is_kind(subtype, "DatetimeTZDtype")):
        _plain_dtype(subtype, "an IntervalDtype", "iufmM")
    if state.get("closed") not in CLOSED:
        raise FormatError("an IntervalDtype is closed nowhere")


def _sparse(state: dict[str, Any]) -> None:
    _plain_dtype(state["_dtype"], "a SparseDtype", "biufcmMOSU")
    fill = state["_fill_value"]
    plain = type(fill) in (bool, int, float, complex, str, bytes, type(None)) or isinstance(fill, np.generic)
    if not plain and not is_kind(fill, "NAType", "NaTType", "Timestamp", "Timedelta"):
        raise FormatError(f"a SparseDtype is filled with a {type(fill).__name__}")


def _plain(state: dict[str, Any]) -> None:
    _plain_dtype(state["_dtype"], "a NumpyEADtype", "biufcmMOSUV")


def _plain_dtype(dtype: Any, what: str, kinds: str) -> None:
    if not isinstance(dtype, np.dtype) or dtype.kind not in kinds:
        raise FormatError(f"{what} has the dtype {dtype!r}")


def _string(state: dict[str, Any]) -> None:
    if "storage" in state:
        _storage(state["storage"])
    if "_na_value" in state:
        _missing(state["_na_value"])


def _storage(storage: Any) -> None:
    if storage not in ("python", "pyarrow", "pyarrow_numpy"):
        raise FormatError(f"a StringDtype has the storage {shown(storage)}")


def _missing(missing: Any) -> None:
    known = type(missing) is Global and missing.name in ((home, "NA") for home in ("pandas", "pandas._libs.missing"))
    if not known and not is_kind(missing, "NAType") and not (type(missing) is float and missing != missing):
        raise FormatError("a StringDtype has a missing value that pandas has not")


def _arrow(state: dict[str, Any]) -> None:
    held = state["pyarrow_dtype"]
    if not any(base.__module__ == "pyarrow.lib" and base.__name__ == "DataType" for base in type(held).__mro__):
        raise FormatError(f"an ArrowDtype has a {type(held).__name__}")
    if any(state.get(name, "pyarrow") != "pyarrow" for name in ("storage", "_storage")):
        raise FormatError("an ArrowDtype has another storage than pyarrow")


def _new_string(budget: Budget, storage: Any = "python", missing: Any = float("nan")) -> None:
    """Check the arguments of `StringDtype`."""
    _storage(storage)
    _missing(missing)


def _new_period(budget: Budget, freq: Any) -> None:
    """Check the argument of `PeriodDtype`: its name, or an offset."""
    if type(freq) is str:
        if not _PERIOD_NAME.fullmatch(freq):
            raise FormatError(f"a PeriodDtype is {freq[:40]!r}")
    elif not any(base.__qualname__ == "BaseOffset" for base in type(freq).__mro__):
        raise FormatError(f"a PeriodDtype has a {type(freq).__name__}")


_GUARDS = {
    "CategoricalDtype": _simple("a CategoricalDtype", _categories, "categories ordered"),
    "DatetimeTZDtype": _simple("a DatetimeTZDtype", _zone, "unit tz"),
    "IntervalDtype": _simple("an IntervalDtype", _interval, "subtype", "closed"),
    "SparseDtype": _simple("a SparseDtype", _sparse, "_dtype _fill_value"),
    "NumpyEADtype": _simple("a NumpyEADtype", _plain, "_dtype"),
    "PandasDtype": _simple("a PandasDtype", _plain, "_dtype"),
    "StringDtype": _simple("a StringDtype", _string, "", "storage _na_value _cache", needs_state=False),
    "ArrowDtype": _simple("an ArrowDtype", _arrow, "pyarrow_dtype", "storage _storage _cache"),
}
_NUMBERS = ["Boolean", *(f"{kind}{bits}" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)), "Float32", "Float64"]
_GUARDS.update(
    (f"{kind}Dtype", _simple(f"a {kind}Dtype", _no_more, "", "_cache", needs_state=False)) for kind in _NUMBERS
)

STATES: dict[tuple[str, str], Guard] = {name: guard for kind, guard in _GUARDS.items() for name in spellings(kind)}
"""The guards of types, see `guards.STATES`."""

ARGUMENTS: dict[tuple[str, str], Callable[..., None]] = {
    **dict.fromkeys(spellings("StringDtype"), _new_string),
    **dict.fromkeys(spellings("PeriodDtype"), _new_period),
}
"""The checks of calls that make types, see `guards.ARGUMENTS`."""
