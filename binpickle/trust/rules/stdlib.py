"""How the strict machine rebuilds objects of Python's standard library, from checked arguments.

Rule: each function takes the budget, from which it pays, and then what the stream gives it. A constructor is called
only with arguments of exact built-in types, and dates never from the packed bytes that their pickles hold, which the
constructors take unchecked. Names that lead to files, as those of time zones do, have no part that leads out of the
folder they belong in.
"""

from __future__ import annotations

import datetime
import decimal
import pathlib
import re
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from fractions import Fraction
from typing import Any, Callable

import numpy as np

from ...errors import FormatError
from ..budget import Budget
from ..tokens import Global, Pending
from .checks import expect, expect_int

__all__ = ["CALLS", "INSTANCES", "VALUES"]

_FRACTION = re.compile(r"-?[0-9]{1,4000}(?:/[0-9]{1,4000})?")
_MAX_DIGITS = 1 << 16
_MAX_ZONE_KEY = 255
_ZONE_KEY = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")
# What an object costs of a kilobyte, and one that is read from a file, in units of work.
_LARGE = 16
_FILE = 200
_INDICES = (int, type(None), str, float, bool, bytes)

_TYPES = (bool, bytearray, bytes, complex, dict, float, frozenset, int, list, object, range, set, slice, str, tuple)

# Not all are in every NumPy, or on every machine.
_NUMPY_TYPES = """
    bool_ bytes_ clongdouble complex64 complex128 complex256 datetime64 float16 float32 float64 float128
    int8 int16 int32 int64 intc longdouble longlong ndarray object_ str_ timedelta64
    uint8 uint16 uint32 uint64 uintc ulonglong void
"""

VALUES: dict[tuple[str, str], Any] = {
    **{("builtins", cls.__name__): cls for cls in _TYPES},
    **{("collections", cls.__name__): cls for cls in (Counter, OrderedDict, defaultdict, deque)},
    **{("numpy", name): getattr(np, name) for name in _NUMPY_TYPES.split() if hasattr(np, name)},
    ("builtins", "Ellipsis"): ...,
    ("builtins", "NotImplemented"): NotImplemented,
}
"""Types and constants that may stand in a stream as values, by canonical name: they are harmless to hold."""

_FACTORIES = {name: value for name, value in VALUES.items() if isinstance(value, type) and name[0] != "numpy"}
_SINGLETONS = {("builtins", "Ellipsis"): type(...), ("builtins", "NotImplemented"): type(NotImplemented)}


def _type(budget: Budget, value: Any) -> type:
    """Rebuild the types of the constants, which have no name."""
    if value is None:
        return type(None)
    return _SINGLETONS[expect(value, "builtins.type", Global).name]


def _complex(budget: Budget, real: Any, imag: Any) -> complex:
    return complex(expect(real, "complex", float), expect(imag, "complex", float))


def _range(budget: Budget, start: Any, stop: Any, step: Any) -> range:
    numbers = [expect(number, "range", int) for number in (start, stop, step)]
    budget.pay_long(sum(number.bit_length() for number in numbers))
    return range(*numbers)


def _slice(budget: Budget, start: Any, stop: Any, step: Any) -> slice:
    """Rebuild a slice, of plain indices and labels only: slices of slices are freed by recursion in C."""
    for index in (start, stop, step):
        if not isinstance(index, np.generic) or index.dtype.hasobject:
            expect(index, "slice", *_INDICES)
    return slice(start, stop, step)


def _ordered_dict(budget: Budget) -> OrderedDict[Any, Any]:
    budget.pay(_LARGE)
    return OrderedDict()


def _default_dict(budget: Budget, factory: Any = None) -> defaultdict[Any, Any]:
    if factory is None:
        return defaultdict(None)
    loaded = expect(factory, "the factory of a defaultdict", Global).load
    return defaultdict(_FACTORIES[factory.name] if loaded is None else loaded())


def _counter(budget: Budget, counts: Any) -> Counter[Any]:
    budget.pay(3 * len(expect(counts, "Counter", dict)))
    made: Counter[Any] = Counter()
    dict.update(made, counts)
    return made


def _deque(budget: Budget, items: Any = (), maxlen: Any = None) -> deque[Any]:
    budget.pay(_LARGE)
    if len(expect(items, "what a deque begins with", tuple, list)):
        raise FormatError("a deque begins with items")
    return deque((), maxlen if maxlen is None else expect_int(maxlen, "the length of a deque", 0, (1 << 63) - 1))


def _fraction(budget: Budget, *parts: Any) -> Fraction:
    if len(parts) == 1:
        budget.pay(len(expect(parts[0], "Fraction", str)) >> 4)
        if not _FRACTION.fullmatch(parts[0]):
            raise FormatError("Fraction is not made of two integers")
        parts = tuple(map(int, parts[0].split("/")))
    budget.pay_long(sum(expect(part, "Fraction", int).bit_length() for part in parts))
    return Fraction(*parts)


def _decimal(budget: Budget, digits: Any) -> decimal.Decimal:
    if len(expect(digits, "Decimal", str)) > _MAX_DIGITS:
        raise FormatError(f"Decimal has more than {_MAX_DIGITS} digits")
    budget.pay(len(digits) >> 4)
    return decimal.Decimal(digits)


def _date(budget: Budget, packed: Any) -> datetime.date:
    high, low, month, day = expect(packed, "date", bytes)
    return datetime.date(high << 8 | low, month, day)


def _time(budget: Budget, packed: Any, tzinfo: Any = None) -> datetime.time:
    hour, minute, second, a, b, c = expect(packed, "time", bytes)
    # The highest bit of the hour is the fold.
    return datetime.time(hour & 127, minute, second, a << 16 | b << 8 | c, _zone(tzinfo), fold=hour >> 7)


def _datetime(budget: Budget, packed: Any, tzinfo: Any = None) -> datetime.datetime:
    high, low, month, day, hour, minute, second, a, b, c = expect(packed, "datetime", bytes)
    date = high << 8 | low, month & 127, day
    # The highest bit of the month is the fold.
    return datetime.datetime(*date, hour, minute, second, a << 16 | b << 8 | c, _zone(tzinfo), fold=month >> 7)


def _zone(tzinfo: Any) -> datetime.tzinfo | None:
    if tzinfo is not None and not isinstance(tzinfo, datetime.tzinfo):
        raise FormatError(f"a time zone is a {type(tzinfo).__name__}")
    return tzinfo


def _timedelta(budget: Budget, days: Any, seconds: Any, microseconds: Any) -> datetime.timedelta:
    return datetime.timedelta(*(expect(part, "timedelta", int) for part in (days, seconds, microseconds)))


def _timezone(budget: Budget, offset: Any, *name: Any) -> datetime.timezone:
    expect(offset, "timezone", datetime.timedelta)
    return datetime.timezone(offset, *(expect(part, "timezone", str) for part in name))


def _zone_info(budget: Budget, key: Any) -> datetime.tzinfo:
    """Look up a time zone in the database of the machine that loads."""
    budget.pay(_FILE)
    if len(expect(key, "the key of a time zone", str)) > _MAX_ZONE_KEY or not _ZONE_KEY.fullmatch(key):
        raise FormatError(f"{ascii(key):.80} is no time zone")
    try:
        import zoneinfo
    except ImportError:
        raise FormatError(f"the time zone {key} needs Python 3.9 or newer") from None
    try:
        return zoneinfo.ZoneInfo(key)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise FormatError(f"the time zone {key} is not known here, or the package tzdata is missing: {error}") from None


def _path(cls: Callable[..., Any]) -> Callable[..., Any]:
    def make(budget: Budget, *parts: Any) -> Any:
        budget.pay(sum(4 + (len(expect(part, "a path", str)) >> 2) for part in parts))
        return cls(*parts)

    return make


def _uuid() -> Pending:
    """Begin a UUID."""
    return Pending(_finish_uuid)


def _finish_uuid(state: Any) -> uuid.UUID:
    safe = uuid.SafeUUID(expect(state, "the state of a UUID", dict).get("is_safe"))
    return uuid.UUID(int=expect_int(state["int"], "UUID", 0, (1 << 128) - 1), is_safe=safe)


CALLS: dict[tuple[str, str], Callable[..., Any]] = {
    ("builtins", "type"): _type,
    ("builtins", "complex"): _complex,
    ("builtins", "range"): _range,
    ("builtins", "slice"): _slice,
    ("collections", "OrderedDict"): _ordered_dict,
    ("collections", "defaultdict"): _default_dict,
    ("collections", "Counter"): _counter,
    ("collections", "deque"): _deque,
    ("fractions", "Fraction"): _fraction,
    ("decimal", "Decimal"): _decimal,
    ("datetime", "date"): _date,
    ("datetime", "time"): _time,
    ("datetime", "datetime"): _datetime,
    ("datetime", "timedelta"): _timedelta,
    ("datetime", "timezone"): _timezone,
    ("zoneinfo", "ZoneInfo"): _zone_info,
    **{
        (home, cls.__name__): _path(cls)
        for home in ("pathlib", "pathlib._local")  # Python 3.13 pickles them under the second
        for cls in (pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath, pathlib.WindowsPath)
    },
}
"""What a stream may call, by canonical name."""

INSTANCES: dict[tuple[str, str], Callable[..., Any]] = {
    ("builtins", "object"): object,
    ("uuid", "UUID"): _uuid,
}
"""What a stream may instantiate with NEWOBJ, by canonical name."""
