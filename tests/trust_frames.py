"""Objects of pandas of every kind, as people store them, for the curated sets and their tests.

Rule: nothing here depends on one release of pandas. A kind that the installed release lacks is left out.
"""

from __future__ import annotations

import datetime
import decimal
import importlib
import importlib.util
import warnings
from typing import Any, Iterator

import numpy as np

__all__ = ["frames"]

_LACKING = (AttributeError, ImportError, NameError, NotImplementedError, TypeError, ValueError)


def frames() -> Iterator[tuple[str, Any]]:
    """Yield objects of pandas of every kind, by name."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kinds in (_frames, _layouts, _extension_arrays, _arrow, _indices, _zones, _scalars, _offsets, _periods):
            yield from kinds(pd)


def _frames(pd: Any) -> Iterator[tuple[str, Any]]:
    plain = pd.DataFrame(
        {
            "int": [1, 2],
            "float": [1.5, np.nan],
            "str": ["x", "y"],
            "bool": [True, False],
            "category": pd.Categorical(["u", "v"]),
            "date": pd.to_datetime(["2020-01-01", "2021-01-01"]),
            "span": pd.to_timedelta([1, 2], "h"),
        }
    )
    yield "frame", plain
    yield "series", plain["float"]
    yield "multi", plain.set_index(["int", "str"])
    yield (
        "multi columns",
        pd.DataFrame(np.arange(6.0).reshape(2, 3), columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)])),
    )
    yield "duplicates", pd.DataFrame([[1, 2.5, "x"]] * 3, index=[1, 1, 2], columns=["a", "a", "b"])
    yield "no rows", plain.iloc[:0]
    yield "no columns", plain[[]]
    yield "empty", pd.DataFrame()
    yield "empty series", pd.Series(dtype="float64")
    flagged = plain.copy().set_flags(allows_duplicate_labels=False)
    flagged.attrs["source"] = {"day": pd.Timestamp("2020-01-01"), "tags": ["a"]}
    yield "flags and attributes", flagged
    named = plain.rename_axis("row").rename_axis("column", axis=1)
    yield "names", named
    yield "name", pd.Series([1, 2], name=("a", 1))
    inner = [pd.NaT, pd.NA, [1, {"a": (2, "b")}], decimal.Decimal("1.5"), pd.Timestamp("2020"), pd.Interval(0, 1)]
    yield "nested objects", pd.Series([*inner, pd.Period("2020", "D"), pd.offsets.BDay(), "x", None])
    yield "frames in a dict", {"frame": plain, "column": plain["int"], "more": [plain["str"], plain]}


def _layouts(pd: Any) -> Iterator[tuple[str, Any]]:
    """Yield frames whose blocks lie in memory in other ways."""
    yield "object", pd.Series(["a", None, 1], dtype=object)
    mixed = pd.DataFrame({f"c{i}": np.arange(4).astype(kind) for i, kind in enumerate("ifIFbBHDffeid?")})
    yield "mixed blocks", mixed
    yield "slice", mixed.iloc[1:, ::2]
    yield "reversed", mixed[mixed.columns[::-1]]
    fragmented = mixed.copy()
    for i in range(3):
        fragmented.insert(i, f"n{i}", np.arange(4.0))
    yield "fragmented", fragmented
    yield "fortran", pd.DataFrame(np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    yield "transposed", pd.DataFrame(np.arange(6).reshape(2, 3)).T
    yield (
        "sparse frame",
        pd.DataFrame({"a": pd.arrays.SparseArray([0, 0, 1]), "b": pd.arrays.SparseArray([1.5, np.nan, 2])}),
    )
    yield "many columns", pd.DataFrame(np.arange(100).reshape(1, 100))


def _extension_arrays(pd: Any) -> Iterator[tuple[str, Any]]:
    numbers = [f"{kind}{bits}" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)]
    for name in [*numbers, "Float32", "Float64", "boolean", "string", "str"]:
        value = "x" if name.startswith("str") else True if name == "boolean" else 1
        yield from _series(pd, name, [value, None], name)
    yield from _series(pd, "string[python]", ["x", None], "string[python]")
    yield from _series(pd, "string[pyarrow]", ["x", None], "string[pyarrow]")
    yield from _series(pd, "string[pyarrow_numpy]", ["x", None], "string[pyarrow_numpy]")
    yield from _series(
        pd,
        "string of NumPy",
        ["x", None],
        getattr(pd, "StringDtype", str)("python", np.nan) if pd.__version__ >= "2.3" else None,
    )
    yield from _series(pd, "categories of numbers", [1.5, 2.5, None], pd.CategoricalDtype([2.5, 1.5], ordered=True))
    yield from _series(pd, "categories of times", [pd.NaT], pd.CategoricalDtype(pd.date_range("2020", periods=300)))
    yield from _series(pd, "no categories", [None], pd.CategoricalDtype([]))
    yield from _series(pd, "times in seconds", ["2020-01-01", None], "datetime64[s]")
    yield from _series(pd, "spans in seconds", [1, None], "timedelta64[s]")
    yield from _series(pd, "times in a zone", ["2020-01-01", None], "datetime64[ns, UTC]")
    yield from _series(pd, "intervals", pd.interval_range(0, 2, closed="left"), None)
    yield from _series(pd, "periods", pd.period_range("2020", periods=2, freq="Q-OCT"), None)
    for kind in ("integer", "block"):
        yield f"sparse {kind}", pd.Series(pd.arrays.SparseArray([0, 0, 1, 1], kind=kind, fill_value=0))
    yield "sparse objects", pd.arrays.SparseArray(["a", "b", "a"], fill_value="a")
    yield "sparse", pd.Series(pd.arrays.SparseArray([0, 0, 1]))
    yield "sparse missing", pd.arrays.SparseArray([np.nan, 1.0, True])
    yield "array", pd.array([1, 2], dtype="Int64")
    yield "numpy array", (getattr(pd.arrays, "NumpyExtensionArray", None) or pd.arrays.PandasArray)(np.arange(3))
    for dtype in ("Int64", "category", "Sparse[int]", "period[M]", "interval[int64]", "string", "datetime64[ns, UTC]"):
        yield f"type {dtype}", pd.api.types.pandas_dtype(dtype)


def _arrow(pd: Any) -> Iterator[tuple[str, Any]]:
    if not importlib.util.find_spec("pyarrow") or not hasattr(pd, "ArrowDtype"):
        return
    import pyarrow

    day = datetime.date(2020, 1, 1)
    time = datetime.datetime(2020, 1, 1)
    fields = [pyarrow.field("a", pyarrow.int8()), pyarrow.field("b", pyarrow.list_(pyarrow.string()))]
    for kind, value in [
        (pyarrow.int64(), 1),
        (pyarrow.float64(), 1.5),
        (pyarrow.bool_(), True),
        (pyarrow.string(), "x"),
        (pyarrow.large_string(), "x"),
        (pyarrow.binary(), b"x"),
        (pyarrow.binary(2), b"xy"),
        (pyarrow.date32(), day),
        (pyarrow.timestamp("ns"), time),
        (pyarrow.timestamp("us", "Europe/Paris"), time),
        (pyarrow.duration("ms"), time - time),
        (pyarrow.time64("us"), datetime.time(1)),
        (pyarrow.decimal128(5, 2), decimal.Decimal("1.5")),
        (pyarrow.list_(pyarrow.int64()), [1, 2]),
        (pyarrow.large_list(pyarrow.int64()), [1, 2]),
        (pyarrow.list_(pyarrow.int64(), 2), [1, 2]),
        (pyarrow.struct(fields), {"a": 1, "b": ["x", "y"]}),
        (pyarrow.dictionary(pyarrow.int8(), pyarrow.string()), "x"),
        (pyarrow.null(), None),
    ]:
        try:
            array = pyarrow.chunked_array([pyarrow.array([value, None], kind), pyarrow.array([value], kind)])
            series = [pd.Series(pd.arrays.ArrowExtensionArray(part)) for part in (array, array.slice(1, 1))]
            repr(series)
        except _LACKING:  # older releases cannot show some of them
            continue
        yield f"{kind} of pyarrow", series[0]
        yield f"some {kind} of pyarrow", series[1]


def _series(pd: Any, name: str, values: Any, dtype: Any) -> Iterator[tuple[str, Any]]:
    try:
        yield name, pd.Series(values, dtype=dtype)
    except _LACKING:  # not in this release, or without pyarrow
        return


def _indices(pd: Any) -> Iterator[tuple[str, Any]]:
    yield "range", pd.RangeIndex(3)
    yield "numbers", pd.Index([1, 3, 2], name="n")
    yield "floats", pd.Index([1.5, np.nan])
    yield "unsigned", pd.Index(np.array([1, 2], "uint64"))
    yield "strings", pd.Index(["a", "b"])
    yield "objects", pd.Index([1, "a", None, (1, 2)], dtype=object)
    yield "no labels", pd.Index([])
    yield "categories", pd.CategoricalIndex(["a", "b"])
    yield "interval labels", pd.Series([1, 2], index=pd.interval_range(0, 2))
    yield "interval values", pd.Series(pd.interval_range(0, 2))
    yield "time intervals", pd.interval_range(pd.Timestamp("2020"), periods=2, freq="D")
    yield "period labels", pd.Series([1, 2], index=pd.period_range("2020", periods=2, freq="M"))
    yield "days", pd.Series([1, 2], index=pd.date_range("2020", periods=2, freq="D"))
    yield "months", pd.date_range("2020", periods=3, freq="MS", name="m")
    yield "holidays", pd.date_range("2020-01-01", periods=3, freq=pd.offsets.CustomBusinessDay(holidays=["2020-01-02"]))
    yield "spans", pd.timedelta_range("1h", periods=2)
    yield "missing times", pd.DatetimeIndex(["2020-01-01", None])
    yield (
        "multi index",
        pd.MultiIndex.from_product([[1, 2], ["a", "b"], pd.date_range("2020", periods=2)], names=["a", "b", "c"]),
    )
    yield "multi with missing", pd.MultiIndex.from_arrays([[1.5, np.nan], ["a", None]])
    yield "no multi", pd.MultiIndex.from_arrays([[], []])
    for dtype in ("Int64", "string", "boolean", "int8", "float32", "bool", "complex128"):
        try:
            yield (
                f"index of {dtype}",
                pd.Index(pd.array([1, 1], dtype=dtype) if dtype != "string" else pd.array(["a"], dtype)),
            )
        except _LACKING:
            continue


def _zones(pd: Any) -> Iterator[tuple[str, Any]]:
    """Yield series of times in zones, by whichever library made the zone."""
    hour = datetime.timedelta(hours=1)
    zones: list[Any] = [
        "UTC",
        "Europe/Paris",
        datetime.timezone.utc,
        datetime.timezone(hour),
        datetime.timezone(hour, "x"),
    ]
    for module, name, *arguments in [
        ("zoneinfo", "ZoneInfo", "Asia/Tokyo"),
        ("pytz", "timezone", "Asia/Tokyo"),
        ("pytz", "timezone", "UTC"),
        ("pytz", "FixedOffset", 60),
        ("dateutil.tz", "tzutc"),
        ("dateutil.tz", "tzlocal"),
    ]:
        if importlib.util.find_spec(module):
            zones.append(getattr(importlib.import_module(module), name)(*arguments))
    for i, zone in enumerate(zones):
        yield (
            f"zone {i} {zone}",
            pd.Series(pd.date_range("2020-03-28", periods=3, tz=zone), index=pd.date_range("2020", periods=3, tz=zone)),
        )
        yield f"time in zone {i}", pd.Timestamp("2020-07-01", tz=zone)


def _scalars(pd: Any) -> Iterator[tuple[str, Any]]:
    yield "timestamp", pd.Timestamp("2020-01-01 01:02:03.000000004")
    yield (
        "folded timestamp",
        pd.Timestamp("2020-10-25 02:30", tz="Europe/Paris") if False else pd.Timestamp("2020-01-01", tz="UTC"),
    )
    yield "timedelta", pd.Timedelta(1, "D")
    for unit in ("s", "ms", "us"):
        if hasattr(pd.Timestamp, "as_unit"):
            yield f"timestamp in {unit}", pd.Timestamp("2020").as_unit(unit)
            yield f"timedelta in {unit}", pd.Timedelta(1, "D").as_unit(unit)
    for closed in ("left", "right", "both", "neither"):
        yield f"interval {closed}", pd.Interval(0, 1, closed)
    yield "interval of times", pd.Interval(pd.Timestamp("2020"), pd.Timestamp("2021"))
    yield "nat", pd.NaT
    yield "missing", pd.NA


def _offsets(pd: Any) -> Iterator[tuple[str, Any]]:
    """Yield offsets of every class, and some with every argument."""
    day = datetime.time(10, 30)
    arguments: dict[str, Any] = {
        "DateOffset": {"months": 1, "weekday": 0, "hour": 3},
        "FY5253": {"startingMonth": 1, "weekday": 1},
        "FY5253Quarter": {"startingMonth": 1, "weekday": 1, "qtr_with_extra_week": 1},
        "BusinessHour": {"start": ["09:00", day], "end": ["10:00", "17:00"], "offset": datetime.timedelta(hours=1)},
        "CustomBusinessHour": {"start": "09:00", "weekmask": "Mon Tue", "holidays": ["2020-01-01"]},
        "CustomBusinessDay": {"weekmask": "Sun Mon", "holidays": [np.datetime64("2020-01-01")]},
        "CustomBusinessMonthEnd": {"holidays": ["2020-01-01"]},
        "Week": {"weekday": 2},
        "WeekOfMonth": {"week": 1, "weekday": 2},
        "LastWeekOfMonth": {"weekday": 2},
        "SemiMonthEnd": {"day_of_month": 10},
        "QuarterEnd": {"startingMonth": 2},
        "YearEnd": {"month": 3},
    }
    for name in dir(pd.offsets):
        cls = getattr(pd.offsets, name)
        if not isinstance(cls, type) or not issubclass(cls, pd.offsets.BaseOffset) or name in ("BaseOffset", "Tick"):
            continue
        for kept in ({}, arguments.get(name)):
            if kept is not None and (kept or name not in ("FY5253", "FY5253Quarter")):
                yield f"offset {name} {len(kept)}", cls(2, **kept)
    yield "holidays of a calendar", pd.offsets.CustomBusinessDay(calendar=np.busdaycalendar(holidays=["2020-01-02"]))
    yield "relative offset", pd.DateOffset(years=1, months=-2, days=3, normalize=True)


def _periods(pd: Any) -> Iterator[tuple[str, Any]]:
    short = ("Y", "A", "Q", "M", "W", "D", "B", "h", "H", "min", "T", "s", "S", "ms", "L", "us", "U", "ns", "N")
    for freq in (*short, "Y-JAN", "A-JUN", "Q-FEB", "W-WED", "3M", "2D"):
        try:
            yield f"period {freq}", pd.Period("2020-02-03", freq)
            yield f"periods {freq}", pd.Series(pd.period_range("2020-02-03", periods=2, freq=freq))
        except _LACKING:  # older or newer names of the same
            continue
